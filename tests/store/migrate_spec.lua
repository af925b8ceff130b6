-- Migrations: numbered files that bring a database from one schema to the next.
local contract = require "tests.store.contract"
local neap = require "neap"
local migrate = require "neap.migrate"
local t = neap.types

contract.sql("migrations", function(c)
  local dir

  before_each(function()
    dir = os.tmpname()
    os.remove(dir)
    assert(os.execute("mkdir " .. dir))
  end)

  after_each(function() os.execute("rm -r " .. dir) end)

  local function write(name, text)
    local file = assert(io.open(dir .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end

  local function write_posts()
    write("0001_posts.lua", [[return {
      up = { "CREATE TABLE posts (id INTEGER PRIMARY KEY, titel TEXT)", "INSERT INTO posts VALUES (1, 'a')" },
      down = "DROP TABLE posts",
    }]])
    write("0002_rename_title.lua", [[return {
      up = function(tx) tx:sql "ALTER TABLE posts RENAME COLUMN titel TO title" end,
      down = function(tx) tx:sql "ALTER TABLE posts RENAME COLUMN title TO titel" end,
    }]])
  end

  local function versions()
    return c:client "SELECT version, name FROM neap_migrations ORDER BY version"
  end

  local function refused(kind, pattern, ...)
    local ok, e = pcall(migrate.run, c.store, dir, ...)
    assert.is_false(ok)
    assert.matches(pattern, tostring(e))
    assert.equal(kind, e.kind)
    return e
  end

  local function fill(n)
    c.store:sql "CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT)"
    for i = 1, n do c.store:sql("INSERT INTO posts VALUES (?, 'a')", { i }) end
  end

  local POST = [[
    local neap = require "neap"
    local migrate, t = require "neap.migrate", neap.types
    local function posts(store)
      return store:model("Post", { id = t.integer { primary = true }, title = t.string() }, { table = "posts" })
    end
  ]]

  describe("up", function()
    it("run in order, each once", function()
      write_posts()
      assert.same({ { "0001_posts.lua", "0002_rename_title.lua" }, 2 }, { migrate.run(c.store, dir) })
      assert.same({ {}, 2 }, { migrate.run(c.store, dir) })
      assert.same({ "a" }, c:client "SELECT title FROM posts")
      assert.same({ "1|0001_posts.lua", "2|0002_rename_title.lua" }, versions())
    end)

    it("run to a number", function()
      write_posts()
      assert.same({ { "0001_posts.lua" }, 1 }, { migrate.run(c.store, dir, { to = 1 }) })
      assert.same({ "a" }, c:client "SELECT titel FROM posts")
    end)

    it("may be a plain list of statements", function()
      write("1_a.lua", 'return { "CREATE TABLE a (x INTEGER)", "CREATE TABLE b (x INTEGER)" }')
      migrate.run(c.store, dir)
      assert.same({ "0" }, c:client "SELECT count(*) FROM b")
    end)

    it("tell what was run, one after the other", function()
      write_posts()
      local told = {}
      migrate.run(c.store, dir, { each = function(step) told[#told + 1] = step.direction .. " " .. step.name end })
      assert.same({ "up 0001_posts.lua", "up 0002_rename_title.lua" }, told)
    end)

    it("that fail leave everything as it was before them, and say where", function()
      write_posts()
      write("0003_broken.lua", 'return {\n  "INSERT INTO posts VALUES (2, \'b\')",\n  [[UPDATE nowhere\n SET x = 1]],\n}')
      local e = refused("mismatch", "^" .. dir:gsub("%p", "%%%0") .. "/0003_broken.lua:3: mismatch: 0003_broken.lua, up: ")
      assert.matches("the statement: UPDATE nowhere SET x = 1; nothing of it was kept, the database is at version 2", e.message)
      assert.equal("0003_broken.lua", e.migration)
      assert.same({ "a" }, c:client "SELECT title FROM posts")
      assert.same({ "1|0001_posts.lua", "2|0002_rename_title.lua" }, versions())
    end)

    it("that fail in a function say where, and which statement", function()
      write("0001_broken.lua", 'return {\n  up = function(tx)\n    tx:sql "UPDATE nowhere SET x = 1"\n  end,\n}')
      local e = refused("mismatch", "/0001_broken.lua:3: ")
      assert.matches("the statement: UPDATE nowhere SET x = 1; ", e.message)
    end)

    it("that raise by themselves say so", function()
      write("0001_broken.lua", 'return {\n  up = function()\n    error "no"\n  end,\n}')
      local ok, e = pcall(migrate.run, c.store, dir)
      assert.is_false(ok)
      assert.matches("/0001_broken.lua:3: no; nothing of it was kept, the database is at version 0", e.message)
    end)

    it("give a transaction that saves objects and nests", function()
      fill(2)
      write("0001_titles.lua", POST .. [[return { up = function(tx)
        local Post = posts(tx)
        tx:transaction(function(inner)
          inner:sql "UPDATE posts SET title = 'x' WHERE id = 1"
          Post { id = 3, title = "c" }:save()
        end)
      end }]])
      migrate.run(c.store, dir)
      assert.same({ "x", "a", "c" }, c:client "SELECT title FROM posts ORDER BY id")
    end)
  end)

  describe("down", function()
    it("undo the last ones in reverse", function()
      write_posts()
      migrate.run(c.store, dir)
      assert.same({ { "0002_rename_title.lua" }, 1 }, { migrate.run(c.store, dir, { down = 1 }) })
      assert.same({ "a" }, c:client "SELECT titel FROM posts")
      assert.same({ { "0001_posts.lua" }, 0 }, { migrate.run(c.store, dir, { down = 1 }) })
      assert.same({}, versions())
      assert.equal(2, #migrate.run(c.store, dir))
      assert.same({ "0002_rename_title.lua", "0001_posts.lua" }, migrate.run(c.store, dir, { down = 2 }))
    end)

    it("refuse before anything is sent if one of them has none", function()
      write("0001_a.lua", 'return { "CREATE TABLE a (x INTEGER)" }')
      write("0002_b.lua", 'return { up = "CREATE TABLE b (x INTEGER)", down = "DROP TABLE b" }')
      migrate.run(c.store, dir)
      refused("usage", "0001_a.lua has no down", { down = 2 })
      assert.equal(2, #versions())
    end)

    it("refuse more than there were", function()
      write_posts()
      refused("usage", "down = 1, but the database has seen only 0 migrations", { down = 1 })
    end)
  end)

  describe("files", function()
    it("that were changed since are refused", function()
      write_posts()
      migrate.run(c.store, dir)
      write("0002_rename_title.lua", "return { 'SELECT 1' }")
      local e = refused("mismatch", "0002_rename_title.lua has changed since the database saw it: put it back")
      assert.equal(1, #e.errors)
    end)

    it("may change the ends of their lines", function()
      write("1_a.lua", 'return {\n"CREATE TABLE a (x INTEGER)" }\n')
      migrate.run(c.store, dir)
      write("1_a.lua", 'return {\r\n"CREATE TABLE a (x INTEGER)" }\r\n')
      assert.same({}, migrate.run(c.store, dir))
    end)

    it("that are gone or renamed are refused, all at once", function()
      write_posts()
      migrate.run(c.store, dir)
      os.remove(dir .. "/0002_rename_title.lua")
      os.rename(dir .. "/0001_posts.lua", dir .. "/0001_notes.lua")
      local e = refused("mismatch", "the database has seen 0001_posts.lua, which is not in .* any more.*; 1 more in e.errors")
      assert.equal(2, #e.errors)
    end)

    it("leave no gaps and have no number twice", function()
      write_posts()
      write("0004_late.lua", "return { 'SELECT 1' }")
      refused("usage", "0004_late.lua comes where number 3 was expected")
      write("0003_a.lua", "return { 'SELECT 1' }")
      write("0003_b.lua", "return { 'SELECT 1' }")
      refused("usage", "0003_a.lua and 0003_b.lua have the same number")
    end)

    it("are called by number and words; what is no Lua is left alone", function()
      write_posts()
      write("README.md", "what these are")
      assert.equal(2, #migrate.run(c.store, dir))
      write("third.lua", "return { 'SELECT 1' }")
      refused("usage", "third.lua: a migration is called NUMBER_WORDS.lua")
    end)

    it("are all looked at before the first is run", function()
      for text, pattern in pairs {
        ["return {"] = "0002_b.lua:1: unexpected symbol near <eof>",
        ["return 1"] = "0002_b.lua returned 1; a migration returns { up",
        ["return {}"] = "0002_b.lua has no up",
        ["return { up = 1 }"] = "0002_b.lua: up is a function of the transaction, or a list of statements, not 1",
        ["return { up = { 1 } }"] = "0002_b.lua: statement 1 of up is a text, not 1",
        ["return { up = 'x', dwn = 'y' }"] = "0002_b.lua: dwn is no part of a migration",
      } do
        write("0001_a.lua", 'return { "CREATE TABLE a (x INTEGER)" }')
        write("0002_b.lua", text)
        refused("usage", pattern)
        assert.same({}, versions())
      end
    end)

    it("need a folder", function()
      local ok, e = pcall(migrate.run, c.store, dir .. "/nowhere")
      assert.is_false(ok)
      assert.equal("not_found", e.kind)
    end)
  end)

  describe("options", function()
    it("are checked", function()
      write_posts()
      refused("usage", "upto is no option of migrations; they are to, down and each", { upto = 1 })
      refused("usage", "to and down are two directions", { to = 1, down = 1 })
      refused("usage", "to = 3, but the last migration is number 2", { to = 3 })
      migrate.run(c.store, dir)
      refused("usage", "to = 1, but the database is at version 2 already; down = 1 would undo", { to = 1 })
    end)
  end)

  describe("a plan", function()
    it("shows the statements and sends none", function()
      write_posts()
      local plan = migrate.plan(c.store, dir)
      assert.same({ "0001_posts.lua", "0002_rename_title.lua" }, { plan[1].name, plan[2].name })
      assert.same({ sql = "ALTER TABLE posts RENAME COLUMN titel TO title", params = {} }, plan[2].statements[1])
      assert.equal(2, #plan[1].statements)
      local rows = neap.try(c.store.sql, c.store, "SELECT * FROM neap_migrations")
      assert.is_nil(rows)
    end)

    it("shows the way down", function()
      write_posts()
      migrate.run(c.store, dir)
      assert.equal("DROP TABLE posts", migrate.plan(c.store, dir, { down = 2 })[2].statements[1].sql)
      assert.same({}, migrate.plan(c.store, dir))
    end)

    it("says where a function does what cannot be told without doing it", function()
      write("0001_a.lua", POST .. [[return { up = function(tx)
        tx:transaction(function(inner) inner:sql("UPDATE posts SET title = ?", { "x" }) end)
        posts(tx):delete { all = true }
      end }]])
      local plan = migrate.plan(c.store, dir)
      assert.same({ { sql = "UPDATE posts SET title = ?", params = { "x" } } }, plan[1].statements)
      assert.matches("0001_a.lua:%d+: unsupported: store:model is not sent in a plan", plan[1].unknown)
    end)
  end)

  describe("runs", function()
    it("never work at the same time", function()
      write("0001_wait.lua", "return { up = function() coroutine.yield_here() end }")
      local began, over
      rawset(coroutine, "yield_here", function()
        began = true
        while not over do neap.sleep(0.001) end
      end)
      local first = neap.spawn(migrate.run, c.store, dir)
      while not began do neap.sleep(0) end
      local other = neap.open(c.url)
      local ok, e = pcall(migrate.run, other, dir)
      over = true
      first:await()
      rawset(coroutine, "yield_here", nil)
      assert.is_false(ok)
      assert.same({ "conflict", "locked", true }, { e.kind, e.code, e.retryable })
      assert.same({}, migrate.run(other, dir))
      other:close()
    end)
  end)

  it("are remembered in a table that is named as the store names tables", function()
    write("0001_a.lua", "return { up = function() end, down = function() end }")
    write("0002_b.lua", POST .. [[return { transaction = false, up = function(store)
      store:model("Post", { id = t.integer { primary = true } }, { table = "posts" })
      store:bind()
      migrate.batches(store:model "Post", 3, function() end)
    end }]])
    local store = neap.open { url = c.url, table_template = "blog_{table}" }
    local _, version = migrate.run(store, dir)
    assert.equal(2, version)
    assert.same({ "blog_neap_migration_batches", "blog_neap_migrations", "blog_posts" }, c:tables())
    assert.same({}, migrate.run(store, dir))
    assert.same({}, migrate.plan(store, dir))
    store:close()
    assert.equal(2, #migrate.plan(c.store, dir))
  end)

  describe("outside of transactions", function()
    it("are recorded when they have ended", function()
      fill(1)
      write("0001_a.lua", 'return { transaction = false, up = { "UPDATE posts SET title = \'b\'", "UPDATE nowhere SET x = 1" } }')
      local e = refused("mismatch", "what it had done stays: mend it and run it again")
      assert.matches("version 0", e.message)
      assert.same({ "b" }, c:client "SELECT title FROM posts")
      write("0001_a.lua", 'return { transaction = false, up = { "UPDATE posts SET title = \'c\'" } }')
      migrate.run(c.store, dir)
      assert.same({ "1|0001_a.lua" }, versions())
    end)

    it("go on behind the last batch that was kept", function()
      fill(10)
      local function up(stop)
        return POST .. ([[return { transaction = false, up = function(store)
          local n = migrate.batches(posts(store), 3, function(list, tx)
            if list[1].id == %d then error "stop" end
            for _, post in ipairs(list) do post.title = post.title .. "!" end
            tx:save(list)
          end)
          assert(n == 10)
        end }]]):format(stop)
      end
      write("0001_a.lua", up(7))
      assert.is_false(pcall(migrate.run, c.store, dir))
      assert.same({ "6" }, c:client "SELECT count(*) FROM posts WHERE title = 'a!'")
      write("0001_a.lua", up(0))
      migrate.run(c.store, dir)
      assert.same({ "10" }, c:client "SELECT count(*) FROM posts WHERE title = 'a!'")
      assert.same({ "0" }, c:client "SELECT count(*) FROM neap_migration_batches")
    end)

    it("do not run batches again that had ended", function()
      fill(4)
      local function up(more)
        return POST .. [[return { transaction = false, up = function(store)
          migrate.batches(posts(store), 3, function(_, tx) tx:sql "UPDATE posts SET title = title || '!' WHERE id = 1" end)
        ]] .. more .. " end }"
      end
      write("0001_a.lua", up 'store:sql "UPDATE nowhere SET x = 1"')
      assert.is_false(pcall(migrate.run, c.store, dir))
      write("0001_a.lua", up "")
      migrate.run(c.store, dir)
      assert.same({ "a!!" }, c:client "SELECT title FROM posts WHERE id = 1")
    end)
  end)

  describe("batches", function()
    local function declare()
      return c.store:model("Post", { id = t.integer { primary = true }, title = t.string() }, { table = "posts" })
    end

    it("give all rows of a query, so many at a time, in the order of the keys", function()
      fill(5)
      local seen = {}
      local n = migrate.batches(declare():where { id__gt = 1 }, 2, function(list)
        seen[#seen + 1] = list[1].id .. "+" .. #list
      end)
      assert.same({ "2+2", "4+2" }, seen)
      assert.equal(4, n)
    end)

    it("may change what the query looks for", function()
      fill(5)
      local n = migrate.batches(declare():where { title = "a" }, 2, function(list, tx)
        for _, post in ipairs(list) do post.title = "b" end
        tx:save(list)
      end)
      assert.equal(5, n)
      assert.same({ "5" }, c:client "SELECT count(*) FROM posts WHERE title = 'b'")
    end)

    it("are undone with the transaction around them", function()
      fill(5)
      write("0001_a.lua", POST .. [[return { up = function(tx)
        migrate.batches(posts(tx), 2, function(list, inner)
          for _, post in ipairs(list) do post.title = "b" end
          inner:save(list)
        end)
        error "no"
      end }]])
      assert.is_false(pcall(migrate.run, c.store, dir))
      assert.same({ "0" }, c:client "SELECT count(*) FROM posts WHERE title = 'b'")
    end)
  end)
end)
