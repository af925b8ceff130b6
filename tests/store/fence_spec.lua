-- Writes under a lock: done while it is had, refused by the database itself once somebody else has taken it.
local contract = require "tests.store.contract"
local fails = require "tests.fails"
local fence = require "neap.fence"
local lease = require "neap.lease"
local neap = require "neap"
local t = neap.types
local writes = require "tests.store.writes"

contract.sql("writes under a lock", function(c)
  local m, lock

  before_each(function()
    m = writes.prepare(c)
    lock = lease.take(c.store, "job", { seconds = 3600 })
  end)

  after_each(function() lock:release() end)

  local function steal() c:client "UPDATE neap_leases SET token = token + 1" end

  for noun, verbs in pairs(writes.verbs) do
    for verb, write in pairs(verbs) do
      local function perform() write(m) end

      it(("are refused when it is lost, and happen while it is had: %s, %s"):format(noun, verb), function()
        local before = writes.state(c)
        steal()
        for _, try in ipairs { perform, function() c.store:transaction(perform) end } do
          local e = fails("conflict", lock.run, lock, try)
          assert.equal("lost", e.code, tostring(e))
          assert.same(before, writes.state(c))
        end
        c:client "UPDATE neap_leases SET token = token - 1"
        lock:run(perform)
        assert.not_same(before, writes.state(c))
      end)
    end
  end

  it("are all that there are", function()
    assert.same({}, writes.unknown())
  end)

  it("of all that a task starts are", function()
    steal()
    local function save() m.Post { title = "b" }:save() end
    local starts = {
      function() neap.all { save } end,
      function() neap.timeout(10, save) end,
      function() neap.gather({ 1 }, 1, save) end,
      function() neap.spawn(save):await() end,
      function() neap.spawn(function() neap.spawn(save):await() end):await() end,
      function() coroutine.wrap(save)() end,
      function() c.store:with({ timeout = 10 }, save) end,
      function() c.store:with { timeout = 10 }:model "Post" { title = "b" }:save() end,
    }
    for _, start in ipairs(starts) do assert.equal("lost", fails("conflict", lock.run, lock, start).code) end
    assert.equal(2, m.Post:count())
  end)

  it("through a second store on the same database are", function()
    local same <close> = setmetatable({ store = neap.open(c.url) }, { __close = function(self) self.store:close() end })
    steal()
    local e = fails("conflict", lock.run, lock, function() same.store:sql 'DELETE FROM posts' end)
    assert.equal("lost", e.code)
    assert.equal(2, m.Post:count())
  end)

  it("of tasks that outlive the job are refused", function()
    local task
    lock:run(function()
      task = neap.spawn(function()
        while not lock.released do neap.sleep(0.001) end
        m.Post { title = "b" }:save()
      end)
    end)
    lock:release()
    assert.equal("lost", fails("conflict", task.await, task).code)
    assert.equal(2, m.Post:count())
  end)

  it("of those outside of the job are none of its business", function()
    steal()
    fails("conflict", lock.run, lock, function() m.Post { title = "b" }:save() end)
    m.Post { title = "b" }:save()
    assert.equal(3, m.Post:count())
  end)

  it("leave reads alone", function()
    steal()
    lock:run(function()
      assert.equal(2, m.Post:count())
      assert.equal("a", m.Post:get(m.post.id).title)
      c.store:transaction(function() assert.equal(2, #m.Post:all()) end)
    end)
  end)

  it("stand behind the locks around theirs too", function()
    local inner = lock:run(function() return lease.take(c.store, "inner", { seconds = 3600 }) end)
    c:client "UPDATE neap_leases SET token = token + 1 WHERE name = 'job'"
    local e = fails("conflict", lock.run, lock, inner.run, inner, function() m.Post { title = "b" }:save() end)
    assert.matches('"job"', e.message)
    inner:release()
  end)

  it("of a transaction keep others from taking the lock until it ends", function()
    local short = lease.take(c.store, "short", { seconds = 0.05 })
    local other = neap.open(c.url .. (c.one_writer and "?timeout=0" or ""))
    short:run(function()
      c.store:transaction(function()
        m.Post { title = "b" }:save()
        local taken, holder = lease.take(other, "short")
        assert.is_nil(taken)
        assert.equal(1, holder.token)
      end)
    end)
    other:close()
    assert.is_true(short:release())
    assert.equal(3, m.Post:count())
  end)

  it("in a savepoint that is rolled back leave the transaction what it was", function()
    lock:run(function()
      c.store:transaction(function()
        pcall(c.store.transaction, c.store, function()
          m.Post { title = "b" }:save()
          error "no"
        end)
        m.Post { title = "c" }:save()
      end)
    end)
    assert.same({ "a", "c", "other" }, c:client "SELECT title FROM posts ORDER BY title")
  end)

  it("that fail leave nothing behind, and the next one goes on", function()
    lock:run(function()
      assert.truthy(fails("conflict", function() m.Post { title = "a" }:save() end).errors.title)
      m.Post { title = "b" }:save()
    end)
    assert.equal(3, m.Post:count())
  end)

  it("give how many rows they changed", function()
    lock:run(function()
      assert.equal(2, m.Post:where { views = 1 }:update { views = 2 })
      assert.equal(1, c.store:sql([[DELETE FROM posts WHERE title = 'other']]))
      assert.is_true(m.post:delete())
    end)
  end)

  describe("and other databases", function()
    local elsewhere, Row

    before_each(function()
      elsewhere = neap.open "sqlite::memory:"
      Row = elsewhere:model("Row", { id = t.integer { primary = true } })
      elsewhere:bind()
    end)
    after_each(function() elsewhere:close() end)

    it("are written to until the lock may be over", function()
      lock:run(function()
        Row { id = 1 }:save()
        fence.extend(lock.fence, 0)
        local e = fails("conflict", function() Row { id = 2 }:save() end)
        assert.equal("lost", e.code)
        assert.equal("lost", fails("conflict", elsewhere.save, elsewhere, { Row { id = 2 }, Row { id = 3 } }).code)
        assert.equal(1, Row:count())
        m.Post { title = "b" }:save()
        lock:renew()
        Row { id = 2 }:save()
      end)
      assert.equal(2, Row:count())
    end)
  end)
end)

contract.only("postgres", "COPY under a lock", function(c)
  local lock

  before_each(function()
    c.store:sql "CREATE TABLE numbers (n INTEGER)"
    c.store:sql "INSERT INTO numbers VALUES (7)"
    lock = lease.take(c.store, "job", { seconds = 3600 })
  end)
  after_each(function() lock:release() end)

  local function steal() c:client "UPDATE neap_leases SET token = token + 1" end
  local function numbers() return table.concat(c:client "SELECT n FROM numbers ORDER BY n", " ") end
  local function copy_in() return c.store:copy_in("COPY numbers FROM STDIN", "1\n2\n") end

  local function copy_out()
    local lines = {}
    local copy = c.store:copy_out "COPY (DELETE FROM numbers RETURNING n) TO STDOUT"
    for line in copy:each() do lines[#lines + 1] = line end
    return table.concat(lines)
  end

  it("happens while it is had", function()
    assert.equal(2, lock:run(copy_in))
    assert.equal("1 2 7", numbers())
    assert.equal("7\n1\n2\n", lock:run(copy_out))
    assert.equal("", numbers())
  end)

  it("happens in a transaction, and goes with it", function()
    lock:run(function()
      c.store:transaction(function() assert.equal(2, copy_in()) end)
      pcall(c.store.transaction, c.store, function()
        copy_in()
        error "no"
      end)
    end)
    assert.equal("1 2 7", numbers())
  end)

  it("is refused when it is lost", function()
    steal()
    for _, copy in ipairs { copy_in, copy_out } do
      assert.equal("lost", fails("conflict", lock.run, lock, copy).code)
      assert.equal("lost", fails("conflict", lock.run, lock, function() c.store:transaction(copy) end).code)
    end
    assert.equal("7", numbers())
    assert.equal(1, c.store:sql("SELECT count(*) AS n FROM numbers")[1].n)
  end)

  it("that is given up is not done", function()
    lock:run(function()
      fails("usage", c.store.copy_in, c.store, "COPY numbers FROM STDIN", function() return 5 end)
    end)
    assert.equal("7", numbers())
    assert.equal(2, lock:run(copy_in))
  end)

  it("does not begin when its data is bad", function()
    lock:run(function() fails("validation", c.store.copy_in, c.store, "COPY numbers FROM STDIN", "x\n") end)
    assert.equal("7", numbers())
  end)
end)

contract.only("postgres", "the question whether a lock is had", function(c)
  local lock

  before_each(function()
    c.store:sql "CREATE TABLE numbers (n INTEGER, t TEXT)"
    lock = lease.take(c.store, "job", { seconds = 3600 })
  end)
  after_each(function() lock:release() end)

  local function put(text) c.store:sql("INSERT INTO numbers (t) VALUES (?)", { text }) end

  it("may be asked for what cannot be sent", function()
    lock:run(function()
      put "a"
      fails("usage", put, "\0")
      put "b"
      c.store:transaction(function() put "c" end)
    end)
    assert.same({ "a", "b", "c" }, c:client "SELECT t FROM numbers")
  end)

  it("is asked anew where the server has forgotten it", function()
    lock:run(function()
      put "a"
      c.store:sql "DEALLOCATE ALL"
      put "b"
      c.store:sql "DO 'BEGIN DEALLOCATE ALL; END'"
      put "c"
    end)
    assert.same({ "a", "b", "c" }, c:client "SELECT t FROM numbers")
  end)

  it("is no where its table is gone", function()
    lock:run(function()
      put "a"
      c:client "ALTER TABLE neap_leases RENAME TO elsewhere"
      fails("mismatch", put, "b")
      c:client "ALTER TABLE elsewhere RENAME TO neap_leases"
      put "c"
    end)
    assert.same({ "a", "c" }, c:client "SELECT t FROM numbers")
  end)

  it("is no in the connections of a pool alike", function()
    local function save(i) put(tostring(i)) end
    lock:run(function() neap.gather({ 1, 2, 3, 4, 5, 6, 7, 8 }, 8, save) end)
    c:client "UPDATE neap_leases SET token = token + 1"
    fails("conflict", lock.run, lock, function() neap.gather({ 1, 2, 3, 4, 5, 6, 7, 8 }, 8, save) end)
    assert.same({ "8" }, c:client "SELECT count(*) FROM numbers")
  end)
end)

contract.only("postgres", "serializable transactions under a lock", function(c)
  local lock

  local Number

  before_each(function()
    Number = c.store:model("Number", { n = t.integer { primary = true } }, { table = "numbers" })
    c.store:bind()
    lock = lease.take(c.store, "job", { seconds = 3600 })
  end)
  after_each(function() lock:release() end)

  local function in_snapshot(between)
    c.store:transaction(function(tx)
      tx:sql " -- first\n /* of all */ SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"
      assert.equal(0, Number:count())
      between()
      Number { n = 1 }:save()
    end, { retries = 3 })
  end

  it("write while the lock is renewed", function()
    lock:run(in_snapshot, function() c:client "UPDATE neap_leases SET renewals = renewals + 1" end)
    assert.same({ "1" }, c:client "SELECT n FROM numbers")
  end)

  it("write nothing when somebody has taken it since they began", function()
    local e = fails("conflict", lock.run, lock, in_snapshot, function()
      c:client "UPDATE neap_leases SET token = token + 1 WHERE token = 1"
    end)
    assert.equal("lost", e.code)
    assert.same({}, c:client "SELECT n FROM numbers")
  end)
end)
