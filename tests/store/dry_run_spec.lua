-- Dry runs: everything that would be written is told, nothing is sent.
local capture = require "tests.capture"
local contract = require "tests.store.contract"
local lease = require "neap.lease"
local t = require "neap".types
local writes = require "tests.store.writes"

local bin = (os.getenv "BIN" or "bin") .. "/neap"

contract.each("a dry run", function(c)
  local m
  local dry = { dry_run = true }

  before_each(function() m = writes.prepare(c) end)

  for noun, verbs in pairs(writes.verbs) do
    for verb, write in pairs(verbs) do
      local spec = writes.in_sql(noun, verb) and c.can "sql" or it
      spec(("writes nothing: %s, %s"):format(noun, verb), function()
        local before = writes.state(c)
        c.store:with(dry, function() write(m) end)
        assert.same(before, writes.state(c))
      end)
    end
  end

  it("writes nothing in transactions and savepoints", function()
    local before = writes.state(c)
    c.store:with(dry, function()
      c.store:transaction(function()
        for _, verb in ipairs { "save", "bind", "sql", "batch", "drop" } do
          if c.sql or verb ~= "sql" then c.store:transaction(function() writes.verbs.store[verb](m) end) end
        end
        pcall(c.store.transaction, c.store, function() error "no" end)
      end)
    end)
    assert.same(before, writes.state(c))
  end)

  it("reads what is there", function()
    c.store:with(dry, function()
      m.Post { title = "b" }:save()
      assert.equal(2, m.Post:count())
      assert.equal("a", m.Post:get(m.post.id).title)
      c.store:transaction(function()
        assert.equal(2, #m.Post:all())
        for p in m.Post:each() do p:assign { views = 9 }:save() end
      end)
    end)
    assert.equal(1, m.Post:first().views)
  end)

  c.can "sql" ("reads what is there by SQL", function()
    c.store:with(dry, function()
      assert.equal(2, c.store:sql("SELECT count(*) AS n FROM posts")[1].n)
      c.store:transaction(function(tx)
        assert.equal(0, tx:sql "DELETE FROM posts")
        assert.equal(2, tx:sql("SELECT count(*) AS n FROM posts")[1].n)
      end)
    end)
  end)

  c.can "sql" ("gives objects the keys that the database would have made, as negative numbers", function()
    c.store:with(dry, function()
      local a = m.Post { title = "b" }:save()
      local b = m.Note { post = a }:save()
      assert.same({ -1, -2, -1, false }, { a.id, b.id, b:key_of "post", a:is_new() })
      local c1, d1 = m.Post { title = "c" }, m.Post { title = "d" }
      c.store:save { c1, d1 }
      assert.same({ -3, -4 }, { c1.id, d1.id })
      local e1, made = m.Post:upsert({ title = "e", views = 2 }, { "title" })
      assert.same({ -5, "e", 2, true }, { e1.id, e1.title, e1.views, made })
    end)
  end)

  it("leaves to nil what only the database could tell", function()
    c.store:with(dry, function()
      m.post:increment "views"
      assert.is_nil(m.post.views)
    end)
    assert.equal(1, m.post:reload().views)
  end)

  it("says how many rows a query would change", function()
    c.store:with(dry, function()
      assert.equal(1, m.Post:where { title = "a" }:update { views = 2 })
      assert.equal(1, m.Post:where { title = "other" }:delete())
      assert.is_true(m.post:delete())
    end)
  end)

  it("takes no lock and keeps nobody out", function()
    c.store:with(dry, function(view)
      local lock = lease.take(view, "nightly")
      assert.equal(5, lock:run(function(x) return x end, 5))
      assert.is_true(lock:release())
    end)
    assert.equal(1, lease.take(c.store, "nightly").token)
  end)

  c.can "sql" ("is what NEAP_DRY_RUN=1 makes of a whole program, which tells what it does not send and no secrets", function()
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write [[
      local neap = require "neap"
      local t = neap.types
      local store = neap.open(arg[1])
      local User = store:model("User", { id = t.integer { primary = true, auto = true }, name = t.string(),
        word = t.string { secret = true } })
      store:bind()
      User { name = "Ada", word = "geheim" }:save()
      store:sql("UPDATE posts SET title = ?, views = ?", { "geheim", 9 })
      print(store:sql("SELECT title FROM posts ORDER BY 1")[1].title)
    ]]
    file:close()
    local before = writes.state(c)
    local said, code = capture(("NEAP_DRY_RUN=1 %s %s '%s'"):format(bin, script, c.url))
    os.remove(script)
    assert.equal(0, code, said)
    assert.same(before, writes.state(c))
    assert.matches('not sent: CREATE TABLE "User"', said, 1, true)
    assert.matches('not sent: INSERT INTO "User" %(.-%) VALUES %(.-%).- %-%- "Ada", %*%*%*\n', said)
    assert.matches("not sent: UPDATE posts SET title = .1, views = .2 %-%- %*%*%*, 9\n", said)
    assert.matches("\na\n", said)
    assert.is_nil(said:find("geheim", 1, true))
  end)
end)

contract.only("dynamodb", "a dry run", function(c)
  it("of a whole program tells what it does not send, and no secrets", function()
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write [[
      local neap = require "neap"
      local t = neap.types
      local store = neap.open(arg[1])
      local Post = store:model("Post", { id = t.integer { primary = true } }, { table = "posts" })
      local User = store:model("User", { id = t.integer { primary = true }, name = t.string(), word = t.string { secret = true } })
      store:bind()
      User { id = 1, name = "Ada", word = "geheim" }:save()
      store:save { User { id = 2, word = "geheim" }, User { id = 3, word = "geheim" } }
      store:transaction(function() User { id = 4, word = "geheim" }:save() end)
      User:upsert({ id = 5, word = "geheim" }, { "id" })
      User { id = 6, word = "geheim" }:save { overwrite = true }
      store:drop(Post)
      print(Post:get(1).id)
    ]]
    file:close()
    c.store:model("Post", { id = t.integer { primary = true } }, { table = "posts" })
    c.store:bind()
    c:set("posts", { id = 1 }, { title = "a" })
    local before = writes.state(c)
    local said, code = capture(("NEAP_DRY_RUN=1 %s %s '%s'"):format(bin, script, c.text_url))
    os.remove(script)
    assert.equal(0, code, said)
    assert.same(before, writes.state(c))
    assert.matches('not sent: CreateTable {[^\n]*_User"', said)
    assert.matches('not sent: DeleteTable {"TableName":"[^\n]*_posts"}', said)
    for _, operation in ipairs { "UpdateItem", "PutItem" } do
      assert.matches("not sent: " .. operation .. " User\n", said)
    end
    assert.matches("\n1\n", said)
    assert.is_nil(said:find("geheim", 1, true))
  end)
end)

contract.only("postgres", "a dry run", function(c)
  it("sends no COPY that writes", function()
    c.store:sql "CREATE TABLE numbers (n INTEGER)"
    c.store:sql "INSERT INTO numbers VALUES (7)"
    c.store:with({ dry_run = true }, function(view)
      view:copy_in("COPY numbers FROM STDIN", "1\n2\n")
      local lines = {}
      for line in view:copy_out("COPY numbers TO STDOUT"):each() do lines[#lines + 1] = line end
      for line in view:copy_out("COPY (DELETE FROM numbers RETURNING n) TO STDOUT"):each() do lines[#lines + 1] = line end
      assert.same({ "7\n" }, lines)
      view:transaction(function() view:copy_in("COPY numbers FROM STDIN", "1\n") end)
    end)
    assert.same({ "7" }, c:client "SELECT n FROM numbers")
  end)

  it("reads rows for an update without keeping others from them", function()
    local m = writes.prepare(c)
    c.store:with({ dry_run = true }, function()
      c.store:transaction(function()
        assert.equal(2, #m.Post:for_update():all())
        c:client "SET lock_timeout = 100; UPDATE posts SET views = 5"
        assert.equal(5, m.Post:first().views)
      end)
    end)
  end)

  it("does not send what a function would write", function()
    c.store:sql "CREATE TABLE numbers (n INTEGER)"
    c.store:sql "CREATE FUNCTION put() RETURNS integer LANGUAGE sql AS 'INSERT INTO numbers VALUES (1) RETURNING n'"
    c.store:with({ dry_run = true }, function(view) assert.equal(0, view:sql "SELECT put()") end)
    assert.same({ "0" }, c:client "SELECT count(*) FROM numbers")
  end)
end)
