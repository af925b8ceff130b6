-- neap.job with its marks in a store: what a job that is killed anywhere has written, and where it goes on.
local neap = require "neap"
local contract = require "tests.store.contract"
local capture = require "tests.capture"
local fails = require "tests.fails"
local process = require "neap.process"
local bin = (os.getenv "BIN" or "bin") .. "/neap"

contract.sql("the marks of a job", function(c)
  it("are what was remembered last", function()
    local job = neap.job { name = "import", store = c.store }
    assert.is_nil(job:resume "page")
    job:checkpoint("page", 1)
    job:checkpoint("page", 2)
    job:checkpoint("row", 5)
    assert.equal(2, job:resume "page")
    assert.equal(5, job:resume "row")
  end)

  it("are found by the next run, and by no other job", function()
    neap.job { name = "import", store = c.store }:checkpoint("page", 7)
    local other = neap.open(c.url)
    assert.equal(7, neap.job { name = "import", store = other }:resume "page")
    assert.is_nil(neap.job { name = "export", store = other }:resume "page")
    assert.same({ "import|page|7" }, c:client "SELECT job, key, value FROM neap_checkpoints")
    other:close()
  end)

  it("keep what JSON holds", function()
    local job = neap.job { name = "import", store = c.store }
    for _, value in ipairs { 0, -1.5, (1 << 53) + 1, "", "a\0\n'\"ü", true, false, { 1, 2 }, { a = { b = "c" } } } do
      job:checkpoint("value", value)
      assert.same(value, job:resume "value")
    end
    job:checkpoint("at", neap.datetime "2026-11-21T03:00:00Z")
    assert.equal("2026-11-21T03:00:00.000000+00:00", job:resume "at")
  end)

  it("are forgotten one by one, or all", function()
    local job, other = neap.job { name = "import", store = c.store }, neap.job { name = "export", store = c.store }
    for _, key in ipairs { "a", "b", "c" } do job:checkpoint(key, key) end
    other:checkpoint("a", 1)
    job:checkpoint("a", nil)
    assert.is_nil(job:resume "a")
    assert.equal("b", job:resume "b")
    job:clear()
    assert.same({ "export|a|1" }, c:client "SELECT job, key, value FROM neap_checkpoints")
  end)

  it("count with the transaction that they are in", function()
    local job = neap.job { name = "import", store = c.store }
    job:checkpoint("page", 1)
    pcall(c.store.transaction, c.store, function()
      job:checkpoint("page", 2)
      assert.equal(2, job:resume "page")
      error "undone"
    end)
    assert.equal(1, job:resume "page")
    c.store:transaction(function() job:checkpoint("page", 3) end)
    assert.equal(3, job:resume "page")
  end)

  it("are in a table by the store's pattern", function()
    local store = neap.open { url = c.url, table_template = "test_{table}" }
    neap.job { name = "import", store = store }:checkpoint("page", 1)
    assert.same({ "1" }, c:client "SELECT value FROM test_neap_checkpoints")
    store:close()
  end)

  it("begin outside of transactions", function()
    c.store:transaction(function() fails("usage", neap.job, { name = "import", store = c.store }) end)
  end)

  it("have texts as keys", function()
    local job = neap.job { name = "import", store = c.store }
    for _, key in ipairs { "", 1, {}, true } do
      fails("usage", job.checkpoint, job, key, 1)
      fails("usage", job.resume, job, key)
    end
  end)

  it("are made by many at once", function()
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write [[
      local neap = require "neap"
      local job = neap.job { name = arg[2], store = neap.open(arg[1]) }
      job:checkpoint("page", 1)]]
    file:close()
    assert.equal("", (capture(("for i in 1 2 3 4 5 6 7 8; do %s %s '%s' $i & done; wait"):format(bin, script, c.url))))
    assert.same({ "8" }, c:client "SELECT count(*) FROM neap_checkpoints")
    os.remove(script)
  end)
end)

contract.only("dynamodb", "the marks of a job", function(c)
  it("are not kept there: it is told where they can be", function()
    local e = fails("unsupported", neap.job, { name = "import", store = c.store })
    assert.matches("dynamodb keeps no marks of jobs: neap.job{ history = FILE }", e.message, 1, true)
  end)
end)

contract.each("a job with its lock in a store", function(c)
  local dir = capture "mktemp -d":gsub("\n", "")
  local options = "run --name job --lock job --lock-lease 0.6s --lock-store "

  teardown(function() capture("rm -r " .. dir) end)

  local function write(code)
    local file = assert(io.open(dir .. "/job.lua", "w"))
    file:write('local neap = require "neap" ', code)
    file:close()
  end

  local function run(arguments)
    return capture(("%s %s '%s' %s/job.lua %s"):format(bin, options, c.text_url, dir, arguments or ""))
  end

  --- Runs the job while another run of it, which says that it runs, has the lock until it is killed.
  local function run_beside(f)
    write "io.open(arg[1], 'w'):write(io.open('/proc/self/stat'):read 'n'):close() neap.sleep(100)"
    local said = dir .. "/said"
    os.remove(said)
    capture(("%s %s '%s' %s/job.lua %s > %s/out 2>&1 & echo"):format(bin, options, c.text_url, dir, said, dir))
    local file
    repeat
      neap.sleep(0.01)
      file = io.open(said)
    until file and file:seek "end" > 0
    file:seek "set"
    f(file:read "n")
    file:close()
  end

  it("runs, and knows nothing of it", function()
    write [[print(arg[1], os.getenv "NEAP_LOCK_STORE", os.getenv "NEAP_LOCK_TOKEN")]]
    for token = 1, 2 do
      local text, code = run "x"
      assert.equal(("x\tnil\t%d\n"):format(token), text)
      assert.equal(0, code)
      assert.same({ "job|" .. token }, c:rows("neap_leases", "name", "token"))
    end
  end)

  it("does not run while another has the lock", function()
    run_beside(function(pid)
      write "print 'runs'"
      local text, code = run()
      assert.equal(75, code, text)
      assert.truthy(text:find("neap: error: job: it does not run: the lock job is held by process " .. pid, 1, true), text)
      capture("kill " .. pid)
    end)
  end)

  it("runs when the other was killed", function()
    run_beside(function(pid)
      capture("kill -9 " .. pid)
      write "print 'runs'"
      assert.equal("runs\n", (run()))
    end)
  end)

  it("has the lock until the tasks that it has started have ended", function()
    write [[
      local store = neap.open(arg[1])
      neap.spawn(function()
        neap.sleep(0.05)
        print((require "neap.lease".take(store, "job")))
      end)]]
    assert.equal("nil\n", (run("'" .. c.text_url .. "'")))
    assert.same({ "" }, c:rows("neap_leases", "pid"))
  end)

  c.can "sql" ("writes nothing once another has taken it", function()
    write [[
      local store = neap.open(arg[1])
      store:sql "CREATE TABLE notes (text TEXT)"
      store:sql "INSERT INTO notes VALUES ('mine')"
      os.execute(arg[2])
      store:sql "INSERT INTO notes VALUES ('late')"]]
    local client = c.name == "sqlite" and ("sqlite3 " .. c.path) or ("psql -qX -c")
    local steal = "UPDATE neap_leases SET token = token + 1"
    local command = c.name == "sqlite" and ('%s "%s"'):format(client, steal) or ('psql -qX %s -c "%s"'):format(c.text_url, steal)
    local text, code = run(("'%s' '%s'"):format(c.text_url, command))
    assert.equal(1, code, text)
    assert.truthy(text:find("(token 1) is lost", 1, true), text)
    assert.same({ "mine" }, c:client "SELECT text FROM notes")
  end)

  it("fails as it would without", function()
    write "error('no luck', 0)"
    local text, code = run()
    assert.equal(1, code)
    assert.truthy(text:find("neap: no luck", 1, true), text)
    write "os.exit(3)"
    assert.equal(3, select(2, run()))
    assert.equal(1, select(2, capture(("%s %s sqlite:%s/none/x.db %s/job.lua"):format(bin, options, dir, dir))))
    assert.equal(2, select(2, capture(("%s run --lock-store '%s' %s/job.lua"):format(bin, c.text_url, dir))))
  end)

  it("is the same in a script", function()
    local ran = neap.job({ name = "inside", lock = true, lock_store = c.store }, function(job)
      assert.same({ "inside|" .. process.self().pid }, c:rows("neap_leases", "name", "pid"))
      return job.attempts
    end)
    assert.equal(1, ran)
    assert.same({ "" }, c:rows("neap_leases", "pid"))
    assert.is_nil(neap.job({ name = "inside", lock = true, lock_store = c.store }, function() end))
    fails("usage", neap.job, { name = "x", lock_store = c.store }, function() end)
  end)
end)

contract.sql("a job that runs dry", function(c)
  it("writes nothing, and logs what it would have", function()
    c.store:sql "CREATE TABLE notes (text TEXT)"
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write [[
      local store = require "neap".open()
      local job = require "neap".job { store = store }
      print(job:resume "n")
      store:sql("INSERT INTO notes VALUES (?)", { "x" })
      store:transaction(function() job:checkpoint("n", 1) end)]]
    file:close()
    local history = os.tmpname()
    local text, code = capture(("%s run --name dry --dry-run --history %s --lock x --lock-store '%s' --store '%s' %s"):format(
      bin, history, c.url, c.url, script))
    assert.equal(0, code, text)
    assert.truthy(text:find("INSERT INTO notes VALUES", 1, true), text)
    assert.truthy(text:find("neap_checkpoints", 1, true), text)
    assert.same({ "0" }, c:client "SELECT count(*) FROM notes")
    assert.same({ "notes" }, c:tables())
    assert.equal("", assert(io.open(history)):read "a")
    os.remove(script)
    os.remove(history)
  end)
end)

-- Moves money from one account to another in steps, kills itself once at the place that it is told, and says nothing.
local TRANSFER = [[
local neap = require "neap"
local t = neap.types
local store, steps, deadly, place = neap.open(arg[1]), tonumber(arg[2]), tonumber(arg[3]), arg[4]
local Account = store:model("Account", { id = t.integer { primary = true }, money = t.integer() }, { table = "accounts" })
local Step = store:model("Step", { id = t.integer { primary = true }, tries = t.integer() }, { table = "steps" })
store:bind()
local job = neap.job { name = "transfer", store = store }

local tries = (job:resume "tries" or 0) + 1
job:checkpoint("tries", tries)

local function die(step, where)
  if tries == 1 and step == deadly and where == place then os.execute "kill -9 $PPID" end
end

if not job:resume "step" then
  store:transaction(function()
    store:save { Account { id = 1, money = 100 }, Account { id = 2, money = 0 } }
    job:checkpoint("step", 0)
  end)
end
for step = job:resume "step" + 1, steps do
  die(step, "before")
  store:transaction(function()
    Account:get(1):increment("money", -1)
    die(step, "between")
    Account:get(2):increment("money", 1)
    Step { id = step, tries = tries }:save()
    die(step, "unmarked")
    job:checkpoint("step", step)
    die(step, "marked")
  end)
  die(step, "after")
end
store:transaction(function()
  job:clear()
  die(steps, "cleared")
end)
]]

contract.sql("a job that is killed", function(c)
  local script = os.tmpname()
  local file = assert(io.open(script, "w"))
  file:write(TRANSFER)
  file:close()

  local function transfer(step, place)
    return capture(("%s run --name transfer %s '%s' 6 %d %s"):format(bin, script, c.url, step, place))
  end

  for _, place in ipairs { "before", "between", "unmarked", "marked", "after", "cleared" } do
    it("goes on where it was, and does each step once: killed " .. place, function()
      for _, step in ipairs(place == "cleared" and { 6 } or { 1, 6 }) do
        local said, code = transfer(step, place)
        assert.equal(137, code, said)
        local done = place == "cleared" and 6 or place == "after" and step or step - 1
        assert.same({ tostring(done) }, c:client "SELECT count(*) FROM steps")
        assert.same({ tostring(done) }, c:client "SELECT value FROM neap_checkpoints WHERE key = 'step'")
        said, code = transfer(0, "nowhere")
        assert.equal(0, code, said)
        assert.same({ "1|94", "2|6" }, c:client "SELECT id, money FROM accounts ORDER BY id")
        assert.same({ ("6|%d"):format(6 - done) },
          c:client "SELECT count(*), sum(CASE tries WHEN 2 THEN 1 ELSE 0 END) FROM steps")
        assert.same({ "0" }, c:client "SELECT count(*) FROM neap_checkpoints")
        c:client "DELETE FROM accounts; DELETE FROM steps"
      end
    end)
  end

  teardown(function() os.remove(script) end)
end)
