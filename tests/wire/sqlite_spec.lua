-- SQLite itself: files, locks, options, and what its failures say.
local fails = require "tests.fails"
local neap = require "neap"
local t = neap.types

describe("sqlite", function()
  local path, store

  local function model(s)
    return s:model("Item", { id = t.integer { primary = true, auto = true }, v = t.string() }, { table = "items" })
  end

  before_each(function()
    path = os.tmpname()
    store = neap.open("sqlite:" .. path)
  end)

  after_each(function()
    store:close()
    for _, suffix in ipairs { "", "-wal", "-shm" } do os.remove(path .. suffix) end
  end)

  describe("opens", function()
    it("a file, in WAL mode, with foreign keys on", function()
      assert.equal("wal", store:sql "PRAGMA journal_mode"[1].journal_mode)
      assert.equal(1, store:sql "PRAGMA foreign_keys"[1].foreign_keys)
    end)

    it("a database in memory", function()
      local memory = neap.open "sqlite::memory:"
      local Item = model(memory)
      memory:bind()
      Item { v = "a" }:save()
      assert.equal(1, Item:count())
      memory:close()
    end)

    it("only to read with mode=ro, and says so when one writes", function()
      model(store)
      store:bind()
      local ro = neap.open("sqlite:" .. path .. "?mode=ro")
      local e = fails("forbidden", ro.sql, ro, "INSERT INTO items (v) VALUES ('a')")
      assert.truthy(e.message:find("mode=ro", 1, true))
      ro:close()
    end)

    it("no file that is no database", function()
      local file = assert(io.open(path .. "-text", "w"))
      file:write(("this is not a database. "):rep(100))
      file:close()
      local e = fails("connection", neap.open, "sqlite:" .. path .. "-text")
      assert.equal("SQLITE_NOTADB", e.code)
      os.remove(path .. "-text")
    end)

    it("nothing in a folder that is not there", function()
      fails("connection", neap.open, "sqlite:/nowhere/at/all.db")
    end)

    it("no URL that makes no sense, and says what does", function()
      for url, part in pairs {
        ["shop.db"] = "sqlite:shop.db", ["sqlite:"] = "names no file", ["mysql://x"] = "known: sqlite",
        ["sqlite:x.db?mode=fast"] = "ro", ["sqlite:x.db?speed=1"] = "timeout", ["sqlite:x.db?timeout=soon"] = "seconds",
      } do
        local e = fails("usage", neap.open, url)
        assert.truthy(e.message:find(part, 1, true), e.message)
      end
    end)
  end)

  describe("raw SQL", function()
    it("gives rows as tables, or the number of rows changed", function()
      assert.equal(0, store:sql "CREATE TABLE a (x, y)")
      assert.equal(2, store:sql("INSERT INTO a VALUES (?, ?), (3, 'z')", { 1, "it's" }))
      assert.equal(0, store:sql "CREATE TABLE b (x UNIQUE)")
      assert.equal(0, store:sql "UPDATE a SET x = 1 WHERE x = 9")
      assert.same({ { x = 1, y = "it's" }, { x = 3, y = "z" } }, store:sql "SELECT * FROM a ORDER BY x")
    end)

    it("takes values by name", function()
      assert.same({ { sum = 3 } }, store:sql("SELECT :a + :b AS sum", { a = 1, b = 2 }))
    end)

    it("leaves question marks and colons in texts and comments alone", function()
      assert.same({ { a = "?", b = ":x", c = 1 } }, store:sql("SELECT '?' AS a, ':x' AS b, ? AS c -- ? :y", { 1 }))
      assert.same({ { ["?"] = "it's :x", [":y"] = 2 } },
        store:sql([[SELECT 'it''s :x' AS [?], /* ? /* :z */ ? AS ":y"]], { 2 }))
    end)

    it("raises usage for wrong numbers of values", function()
      fails("usage", store.sql, store, "SELECT ?", { 1, 2 })
      fails("usage", store.sql, store, "SELECT ?")
      fails("usage", store.sql, store, "SELECT :a", { b = 1 })
    end)

    it("takes one statement at a time", function()
      fails("usage", store.sql, store, "SELECT 1; SELECT 2")
      assert.equal(1, store:sql "SELECT 1 AS one;  "[1].one)
    end)

    it("does not let a transaction leak", function()
      store:sql "CREATE TABLE a (x)"
      fails("usage", store.sql, store, "BEGIN")
      store:sql "INSERT INTO a VALUES (1)"
      assert.equal(1, #store:sql "SELECT * FROM a")
      local e = fails("usage", store.transaction, store, function() store:sql "COMMIT" end)
      assert.truthy(e.message:find("store:transaction", 1, true))
    end)

    it("sees the columns that a table has now", function()
      store:sql "CREATE TABLE a (x)"
      store:sql "INSERT INTO a VALUES (1)"
      assert.same({ { x = 1 } }, store:sql "SELECT * FROM a")
      store:sql "ALTER TABLE a ADD COLUMN y DEFAULT 2"
      assert.same({ { x = 1, y = 2 } }, store:sql "SELECT * FROM a")
    end)

    it("says of a missing table how it comes about", function()
      local e = fails("mismatch", store.sql, store, "SELECT * FROM missing")
      assert.truthy(e.message:find("bind", 1, true))
    end)
  end)

  describe("that is locked by another program", function()
    it("waits as long as it was told and then raises a conflict that may be tried again", function()
      model(store)
      store:bind()
      local other = neap.open("sqlite:" .. path .. "?timeout=0")
      store:transaction(function()
        store:sql "INSERT INTO items (v) VALUES ('a')"
        local e = fails("conflict", other.sql, other, "INSERT INTO items (v) VALUES ('b')")
        assert.is_true(e.retryable)
        assert.equal("SQLITE_BUSY", e.code)
      end)
      other:close()
    end)
  end)

  describe("that is full", function()
    it("says so and keeps what was committed", function()
      local Item = model(store)
      store:bind()
      Item { v = "kept" }:save()
      store:sql("PRAGMA max_page_count = " .. store:sql "PRAGMA page_count"[1].page_count)
      local big = Item { v = ("x"):rep(100000) }
      local e = fails("server", big.save, big)
      assert.equal("SQLITE_FULL", e.code)
      assert.is_true(big:is_new())
      assert.equal(1, Item:count())
    end)

    it("undoes the whole transaction", function()
      local Item = model(store)
      store:bind()
      store:sql("PRAGMA max_page_count = " .. store:sql "PRAGMA page_count"[1].page_count)
      local small = Item { v = "small" }
      fails("server", store.transaction, store, function()
        small:save()
        Item { v = ("x"):rep(100000) }:save()
      end)
      assert.is_true(small:is_new())
      assert.equal(0, Item:count())
    end)
  end)

  describe("streams", function()
    before_each(function()
      model(store)
      store:bind()
      store:sql "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO items (v) SELECT i FROM n"
    end)

    it("go on over what they began to read while others write", function()
      local Item, seen = store:model "Item", 0
      for item in Item:each() do
        if seen == 0 then store:sql "DELETE FROM items WHERE id > 500" end
        seen = seen + 1
        item.v = "seen"
        if item.id <= 500 then item:save() end
      end
      assert.equal(1000, seen)
    end)

    it("close when a loop is left", function()
      local Item = store:model "Item"
      for item in Item:each() do
        if item.id == 3 then break end
      end
      store:sql "DROP TABLE items"  -- fails while a statement reads the table
    end)

    it("inside a transaction see it as it was when they began", function()
      local Item, seen = store:model "Item", 0
      store:transaction(function()
        for item in Item:each() do
          if seen == 0 then store:sql "DELETE FROM items WHERE id > 500" end
          seen = seen + 1
          assert.truthy(item.v)
        end
      end)
      assert.equal(1000, seen)
    end)
  end)

  it("keeps values so that other programs read them", function()
    local Item = store:model("Kept", {
      id = t.uuid { primary = true, auto = true }, at = t.datetime(), d = t.decimal(), ok = t.boolean(), l = t.list(t.integer()),
      day = t.date(),
    })
    store:bind()
    Item {
      at = neap.datetime "2024-02-29T12:00:00Z", d = neap.decimal "1.50", ok = false, l = { 1, 2 },
      day = neap.date "2024-02-29",
    }:save()
    local row = store:sql "SELECT * FROM Kept"[1]
    assert.equal("2024-02-29T12:00:00.000000+00:00", row.at)
    assert.equal("1.50", row.d)
    assert.equal(0, row.ok)
    assert.equal("[1,2]", row.l)
    assert.equal("2024-02-29", row.day)
    assert.equal(36, #row.id)
  end)

  it("says in which column it found what it cannot read", function()
    local Item = store:model("Odd", { id = t.integer { primary = true }, at = t.datetime() })
    store:bind()
    store:sql "INSERT INTO Odd VALUES (1, 'yesterday')"
    local e = fails("protocol", Item.get, Item, 1)
    assert.truthy(e.message:find("at", 1, true) and e.message:find("yesterday", 1, true))
  end)

  describe("stops a statement that takes longer", function()
    local endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

    it("than its store may", function()
      local hasty = store:with { timeout = 0.05 }
      local e = fails("timeout", hasty.sql, hasty, endless)
      assert.equal("timed out after 0.05 s", e.message)
    end)

    it("than the neap.timeout around its task allows", function()
      fails("timeout", neap.timeout, 0.05, function() return neap.all { function() return store:sql(endless) end } end)
    end)
  end)

  it("refuses everything once it is closed", function()
    store:close()
    store:close()
    fails("usage", store.sql, store, "SELECT 1")
  end)

  it("puts a template around the names of tables", function()
    local templated = neap.open { url = "sqlite:" .. path, table_template = "test_{table}" }
    local Item = model(templated)
    templated:bind()
    Item { v = "a" }:save()
    assert.equal("a", Item:get(1).v)
    assert.equal(1, #store:sql "SELECT * FROM test_items")
    templated:close()
  end)
end)
