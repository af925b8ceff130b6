-- neap.job in a script: once at a time, for so long, again if it fails, noted in a history; and its marks in that file.
local neap = require "neap"
local capture = require "tests.capture"
local fails = require "tests.fails"
local bin = (os.getenv "BIN" or "bin") .. "/neap"

describe("neap.job", function()
  local dir = capture "mktemp -d":gsub("\n", "")
  local history, lock = dir .. "/jobs.db", dir .. "/job.lock"

  teardown(function() capture("rm -r " .. dir) end)

  -- Runs code in a program of its own, behind that of `neap run` where `options` says so.
  local function script(code, options)
    local file = assert(io.open(dir .. "/job.lua", "w"))
    file:write('local neap = require "neap" ', code)
    file:close()
    return capture(("%s %s %s/job.lua"):format(bin, options or "", dir))
  end

  local function last_run()
    return neap.json.decode((capture(("%s jobs --json --last 1 %s"):format(bin, history))))[1]
  end

  it("gives what its function returns, and the function the job", function()
    local job, a, b = neap.job({ name = "x" }, function(job) return job, 1, nil end)
    assert.equal("x", job.name)
    assert.equal(1, job.attempts)
    assert.equal(1, a)
    assert.is_nil(b)
  end)

  it("runs the function again if it fails", function()
    local attempts = neap.job({ name = "x", retries = 3, retry_delay = 0.001 }, function(job)
      if job.attempts < 3 then error "not yet" end
      return job.attempts
    end)
    assert.equal(3, attempts)
  end)

  it("raises the last error when it has failed often enough", function()
    local attempts = 0
    local ok, e = pcall(neap.job, { name = "x", retries = 2, retry_delay = 0.001 }, function(job)
      attempts = job.attempts
      error({ "mine" }, 0)
    end)
    assert.is_false(ok)
    assert.same({ "mine" }, e)
    assert.equal(3, attempts)
  end)

  it("does not repeat mistakes, nor what was cancelled", function()
    local attempts
    fails("usage", neap.job, { name = "x", retries = 2 }, function(job) attempts = job.attempts neap.sleep "x" end)
    assert.equal(1, attempts)
    local task = neap.spawn(neap.job, { name = "x", retries = 2 }, function(job) attempts = job.attempts neap.sleep(60) end)
    neap.sleep(0)
    task:cancel()
    fails("cancelled", task.await, task)
    assert.equal(1, attempts)
  end)

  it("ends all attempts when the time is over", function()
    local e = fails("timeout", neap.job, { name = "x", timeout = "0.05s", retries = 1000, retry_delay = 0.001 },
      function() error "again" end)
    assert.truthy(e.message:find("0.05 s", 1, true))
  end)

  it("lets one run at a time", function()
    neap.job({ name = "first", lock = lock }, function()
      local e = fails("conflict", neap.job, { name = "second", lock = lock }, function() error "runs" end)
      assert.equal("locked", e.code)
      assert.truthy(e.message:find("second does not run: the lock " .. lock .. " is held by process ", 1, true), e.message)
      local text, code = script("print 'runs'", "run --lock " .. lock)
      assert.equal(75, code, text)
    end)
    neap.job({ name = "second", lock = lock }, function() end)
  end)

  it("frees the lock of one that failed", function()
    pcall(neap.job, { name = "x", lock = lock }, function() error "x" end)
    neap.job({ name = "x", lock = lock }, function() end)
  end)

  it("notes in a history how it ended", function()
    neap.job({ name = "fine", history = history }, function() end)
    assert.equal("done", last_run().state)
    pcall(neap.job, { name = "bad", history = history, retries = 1, retry_delay = 0.001 }, function() error("no luck", 0) end)
    local run = last_run()
    assert.same({ "bad", "failed", 1, 2, "no luck" }, { run.job, run.state, run.code, run.attempts, run.error })
    pcall(neap.job, { name = "late", history = history, timeout = 0.01 }, function() neap.sleep(60) end)
    assert.equal("timed out", last_run().state)
    neap.job({ name = "now", history = history }, function() assert.equal("running", last_run().state) end)
  end)

  it("is noted as killed when it was", function()
    local _, code = script(("neap.job({ name = 'k', history = %q }, function() os.execute 'kill -9 $PPID' end)"):format(history))
    assert.not_equal(0, code)
    assert.same({ "k", "killed" }, { last_run().job, last_run().state })
  end)

  it("keeps its marks in the history, by the name that neap run gives", function()
    local count = "local job = neap.job() local n = (job:resume 'n' or 0) + 1 job:checkpoint('n', n) io.write(job.name, n)"
    local options = ("run --name counter --history %s"):format(history)
    assert.equal("counter1", (script(count, options)))
    assert.equal("counter2", (script(count, options)))
    assert.equal(2, neap.job { name = "counter", history = history }:resume "n")
  end)

  it("needs a place for its marks, and a name", function()
    local e = fails("usage", neap.job { name = "x" }.resume, neap.job { name = "x" }, "n")
    assert.truthy(e.message:find("neap run --history FILE", 1, true))
    local text = script "neap.job()"
    assert.truthy(text:find("a job has a name", 1, true), text)
  end)

  it("refuses what it does not know", function()
    for _, given in ipairs {
      { name = "" }, { name = 1 }, { lock = 5 }, { timeout = "soon" }, { retries = -1 }, { retries = 1.5 }, { store = "x" },
      { speed = 1 }, { [1] = 2 },
    } do
      given.name = given.name or "x"
      fails("usage", neap.job, given, function() end)
    end
    fails("usage", neap.job, { name = "x" }, "f")
    fails("usage", neap.job, 5)
    for _, name in ipairs { "retries", "retry_delay", "timeout" } do fails("usage", neap.job, { name = "x", [name] = 1 }) end
    fails("usage", neap.job, { name = "x", lock = true })
  end)

  it("is cut off where it is: a signal rolls back and frees", function()
    local text, code = script(([[
      neap.job({ name = "x", lock = %q }, function()
        os.execute "kill -TERM $PPID"
        neap.sleep(60)
      end)]]):format(lock))
    assert.equal(143, code, text)
    neap.job({ name = "x", lock = lock }, function() end)
  end)
end)
