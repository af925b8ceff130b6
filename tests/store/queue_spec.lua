-- scripts/queue.lua, run as a user runs it: by several processes at once.
local contract = require "tests.store.contract"
local bin = (os.getenv "BIN" or "bin") .. "/neap"
local capture = require "tests.capture"

contract.sql("queue.lua", function(c)
  local root, handlers

  before_each(function()
    root = capture "mktemp -d":gsub("\n", "")
    handlers = root .. "/handlers.lua"
    local file = assert(io.open(handlers, "w"))
    file:write(([[
      local neap = require "neap"
      local function note(text)
        local file = assert(io.open("%s/notes", "a"))
        file:write(text, "\n")
        file:close()
      end
      return {
        note = function(payload) neap.sleep(0) note(payload.n) end,
        bad = function() error("no luck", 0) end,
        kill = function(_, job)
          note("try " .. job.tries)
          if job.tries == 1 then os.execute "kill -9 $PPID" end
        end,
        long = function(_, job)
          local due = job.due
          repeat
            neap.sleep(0.01)
            job:reload()
          until job.due > due
        end,
        lost = function()
          neap.open "%s":sql "UPDATE jobs SET tries = tries + 1"
          neap.sleep(60)
        end,
        fatal = function(payload, job)
          local path = "%s/run-" .. payload.n
          local pid = io.open "/proc/self/stat":read "n"
          local before = io.open(path)
          local other = before and before:read "n"
          if other and io.open("/proc/" .. other .. "/stat") then note "twice at once" end
          io.open(path, "w"):write(pid):close()
          neap.sleep(0)
          if payload.n %% 8 == 0 and job.tries == 1 then os.execute "kill -9 $PPID" end
          note(payload.n)
          os.remove(path)
        end,
        wait = function() print "waits" io.stdout:flush() neap.sleep(60) end,
      }]]):format(root, c.url, root))
    file:close()
  end)

  after_each(function() capture("rm -r " .. root) end)

  local function queue(arguments) return capture(("%s scripts/queue.lua '%s' %s"):format(bin, c.url, arguments)) end

  local function notes() return (capture(("sort -n %s/notes"):format(root))) end

  it("runs what was added, the oldest first", function()
    assert.equal("added 1 note\n", (queue [[add note '{"n":5}']]))
    queue [[add note '{"n":3}']]
    assert.equal("done 1 note\ndone 2 note\n", (queue("work " .. handlers .. " --until-empty")))
    assert.same("5\n3\n", (capture("cat " .. root .. "/notes")))
    assert.same({ "0" }, c:client "SELECT count(*) FROM jobs")
  end)

  --- Adds so many jobs that are due.
  local function add(kind, count)
    local t = require "neap".types
    local Job = c.store:model("Job", { id = t.integer { primary = true, auto = true }, kind = t.string { required = true },
      payload = t.json(), due = t.datetime(), tries = t.integer { default = 0 }, error = t.string(),
      by_due = t.index { "due", "id" } }, { table = "jobs" })
    c.store:bind()
    local jobs = {}
    for i = 1, count do jobs[i] = Job { kind = kind, payload = { n = i }, due = require "neap".now() } end
    c.store:save(jobs)
  end

  local function numbers(count)
    local list = {}
    for i = 1, count do list[i] = i end
    return table.concat(list, "\n") .. "\n"
  end

  it("gives each job to one worker", function()
    add("note", 120)
    local one = ("%s scripts/queue.lua '%s' work %s --until-empty --workers 3"):format(bin, c.url, handlers)
    local text = capture(("for i in 1 2 3 4; do %s & done; wait"):format(one))
    assert.equal(120, select(2, text:gsub("done ", "")), text)
    assert.equal(numbers(120), notes())
    assert.same({ "0" }, c:client "SELECT count(*) FROM jobs")
  end)

  it("loses no job and runs none twice at once where workers are killed", function()
    add("fatal", 40)
    local one = ("%s scripts/queue.lua '%s' work %s --until-empty --workers 3"):format(bin, c.url, handlers)
    local rounds = 0
    repeat
      rounds = rounds + 1
      assert.truthy(rounds < 10)
      capture(("for i in 1 2 3; do %s & done; wait"):format(one))
      c:client "UPDATE jobs SET due = '2000-01-01T00:00:00.000000+00:00'"  -- of those who died the leases are over
    until c:client "SELECT count(*) FROM jobs"[1] == "0"
    assert.is_true(rounds > 1)
    assert.equal(numbers(40), (capture(("sort -nu %s/notes"):format(root))))
  end)

  it("tries again later what raised, and keeps what it raised", function()
    queue "add bad"
    assert.equal("failed 1 bad, try 1: no luck\n", (queue("work " .. handlers .. " --until-empty")))
    assert.equal("", (queue("work " .. handlers .. " --until-empty")))
    assert.matches("^1 bad %d%d%d%d%-.* tries 1: no luck\n$", (queue "list"))
  end)

  it("gives up after the fifth try", function()
    queue "add bad"
    for _ = 1, 4 do
      queue("work " .. handlers .. " --until-empty")
      c:client "UPDATE jobs SET due = '2000-01-01T00:00:00.000000+00:00'"
    end
    assert.equal("failed 1 bad, try 5, given up: no luck\n", (queue("work " .. handlers .. " --until-empty")))
    assert.equal("1 bad given up tries 5: no luck\n", (queue "list"))
  end)

  it("gives a job to another worker when its own was killed, once the lease is over", function()
    queue "add kill"
    queue("work " .. handlers .. " --until-empty")
    assert.equal("", (queue("work " .. handlers .. " --until-empty")))
    c:client "UPDATE jobs SET due = '2000-01-01T00:00:00.000000+00:00'"
    assert.equal("done 1 kill\n", (queue("work " .. handlers .. " --until-empty")))
    assert.equal("try 1\ntry 2\n", (capture("cat " .. root .. "/notes")))
  end)

  it("renews the lease while the handler runs", function()
    queue "add long"
    assert.equal("done 1 long\n", (queue("work " .. handlers .. " --until-empty --lease 0.2")))
  end)

  it("ends the handler of a job that another worker has taken, and leaves the job to that one", function()
    queue "add lost"
    assert.matches("^failed 1 lost, try 1: .*another worker has it", (queue("work " .. handlers .. " --until-empty --lease 0.2")))
    assert.matches("^1 lost %d.* tries 2\n$", (queue "list"))
  end)

  it("leaves a job to its lease when the worker is told to end", function()
    queue "add wait"
    local script = [[ %s scripts/queue.lua '%s' work %s > %s/out & pid=$!
      while ! grep -q waits %s/out; do sleep 0.05; done
      kill -TERM $pid; wait $pid; echo $?]]
    assert.matches("143\n$", (capture(script:format(bin, c.url, handlers, root, root))))
    assert.matches("^1 wait %d%d%d%d%-.* tries 1\n$", (queue "list"))
    assert.equal("", (queue("work " .. handlers .. " --until-empty")))
  end)

  it("keeps jobs for later", function()
    queue "add note '{\"n\":1}' --in 1000"
    assert.equal("", (queue("work " .. handlers .. " --until-empty")))
    assert.equal("failed 2 none, try 1: no handler for jobs of kind none\n",
      (queue "add none":gsub("^added.*\n", "") .. queue("work " .. handlers .. " --until-empty")))
  end)

  it("ends with 2 where it is used wrongly", function()
    for _, arguments in ipairs { "", "sing", "add", "work", "add x --nonsense", "work x --workers none" } do
      local text, code = queue(arguments)
      assert.equal(2, code, text)
      assert.matches("usage: queue.lua URL add KIND", text)
    end
  end)
end)
