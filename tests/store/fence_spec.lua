-- Writes under a lock: done while it is had, refused by the database itself once somebody else has taken it.
local contract = require "tests.store.contract"
local crud = require "neap.crud"
local fails = require "tests.fails"
local fence = require "neap.fence"
local lease = require "neap.lease"
local neap = require "neap"
local t = neap.types

-- Every verb of stores, objects, classes and queries that writes; each changes what is there.
local writes = {
  store = {
    save = function(m) m.store:save { m.Post { title = "b" }, m.Post { title = "c" }, m.Post { title = "d" } } end,
    delete = function(m) m.store:delete { m.post, m.other } end,
    batch = function(m)
      local b = m.store:batch()
      b:save(m.Post { title = "b" }, m.post:assign { views = 9 })
      b:delete(m.other)
      b:run()
    end,
    bind = function(m)
      m.store:model("More", { id = t.integer { primary = true } })
      m.store:bind()
    end,
    drop = function(m) m.store:drop(m.Note) end,
    sql = function(m) m.store:sql("UPDATE posts SET views = ? WHERE title = ?", { 9, "a" }) end,
  },
  ["store:sql, that gives rows"] = {
    insert = function(m) return m.store:sql "INSERT INTO posts (title, views) VALUES ('b', 1) RETURNING id" end,
    create = function(m) m.store:sql "CREATE TABLE more (id INTEGER)" end,
  },
  object = {
    save = function(m) m.post:assign { views = 9 }:save() end,
    delete = function(m) m.post:delete() end,
    add_unique = function(m) m.post:add_unique("tags", "y") end,
    append = function(m) m.post:append("tags", "y") end,
    increment = function(m) m.post:increment "views" end,
    pull = function(m) m.post:pull("tags", "x") end,
    set = function(m) m.post:set("data.a", 9) end,
    unset = function(m) m.post:unset "data.a" end,
  },
  ["a save"] = {
    ["of a new object"] = function(m) m.Post { title = "b" }:save() end,
    ["of a new one, and of what it points to"] = function(m) m.Note { post = m.Post { title = "b" } }:save() end,
    overwrite = function(m) m.Post { id = m.post.id, title = "z" }:save { overwrite = true } end,
    condition = function(m) m.post:assign { views = 9 }:save { condition = m.Post.views:eq(1) } end,
    atomic = function(m) m.post:assign { views = 9 }:save { atomic = true } end,
    returning = function(m) m.post:assign { views = 9 }:save { returning = "new" } end,
  },
  class = {
    create = function(m) m.Post:create { title = "b" } end,
    upsert = function(m) m.Post:upsert({ title = "a", views = 9 }, { "title" }) end,
    sql = function(m) m.Post:sql("DELETE FROM posts WHERE title = ?", { "a" }) end,
  },
  query = {
    update = function(m) m.Post:where { title = "a" }:update { views = 9 } end,
    delete = function(m) m.Post:where { title = "a" }:delete() end,
    add = function(m) m.post.labels:add { m.blue } end,
    remove = function(m) m.post.labels:remove { m.red } end,
    set = function(m) m.post.labels:set { m.blue } end,
  },
  crud = {
    create = function(m) m.helper:create { title = "b" } end,
    update = function(m) m.helper:update({ views = 9 }, m.post) end,
    delete = function(m) m.helper:delete(m.post) end,
    create_or_update_many = function(m)
      local e = m.helper:create_or_update_many { { title = "b" } }[1].error
      if e then error(e, 0) end
    end,
  },
}

-- What writes nothing, or by the verbs above.
local others = {
  store = "close copy_in copy_out listen load model open supports transaction with",
  object = "assign changes copy is_new key_of reload to_table",
  query = [[aggregate all avg consistent count each exclude exists explain filter find first for_update get group having
    include index key limit max min one order page pluck query rows scan select skip sql sum through where]],
}

contract.each("writes under a lock", function(c)
  local m, lock

  before_each(function()
    m = { store = c.store }
    m.Post = c.store:model("Post", {
      id = t.integer { primary = true, auto = true }, title = t.string { unique = true },
      views = t.integer { default = 1 }, tags = t.list(t.string()), data = t.json(),
      labels = t.many_to_many("Label", { through = "PostLabel" }),
    }, { table = "posts" })
    m.Label = c.store:model("Label", { id = t.integer { primary = true } })
    m.Note = c.store:model("Note", { id = t.integer { primary = true, auto = true }, post = t.pointer "Post" })
    c.store:bind()
    m.post = m.Post { title = "a", tags = { "x" }, data = { a = 1 } }:save()
    m.other = m.Post { title = "other" }:save()
    m.red, m.blue = m.Label { id = 1 }:save(), m.Label { id = 2 }:save()
    m.post.labels:add { m.red }
    m.helper = crud.helper(m.Post, {})
    lock = lease.take(c.store, "job", { seconds = 3600 })
  end)

  after_each(function() lock:release() end)

  local function steal() c:client "UPDATE neap_leases SET token = token + 1" end

  --- All that is there, as another program reads it.
  local function state()
    local lines, selects = {}, {}
    for _, name in ipairs(c:tables()) do
      lines[#lines + 1] = name
      if name ~= "neap_leases" then selects[#selects + 1] = ('SELECT * FROM "%s"'):format(name) end
    end
    for _, line in ipairs(c:client(table.concat(selects, "; "))) do lines[#lines + 1] = line end
    table.sort(lines)
    return lines
  end

  for noun, verbs in pairs(writes) do
    for verb, write in pairs(verbs) do
      local function perform() write(m) end

      it(("are refused when it is lost, and happen while it is had: %s, %s"):format(noun, verb), function()
        local before = state()
        steal()
        for _, try in ipairs { perform, function() c.store:transaction(perform) end } do
          local e = fails("conflict", lock.run, lock, try)
          assert.equal("lost", e.code, tostring(e))
          assert.same(before, state())
        end
        c:client "UPDATE neap_leases SET token = token - 1"
        lock:run(perform)
        assert.not_same(before, state())
      end)
    end
  end

  it("are all that there are", function()
    local methods = { store = require "neap.view".methods, object = require "neap.object_kernel".methods,
      query = require "neap.query".methods }
    for noun, table in pairs(methods) do
      for verb in pairs(table) do
        local known = writes[noun][verb] or (" " .. others[noun]:gsub("%s+", " ") .. " "):find(" " .. verb .. " ", 1, true)
        assert.truthy(known, ("%s:%s is not known to write or not to"):format(noun, verb))
      end
    end
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
