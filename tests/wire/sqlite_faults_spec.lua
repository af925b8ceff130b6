-- What happens to data when the file, the disk, another program or the script itself gives way in the middle.
local neap = require "neap"
local t = neap.types

local ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

describe("sqlite, when something gives way,", function()
  local path, store, Item

  local function fails(kind, f, ...)
    local ok, e = pcall(f, ...)
    assert.is_false(ok, "an error was expected")
    assert.is_true(neap.is(e, kind), tostring(e))
    return e
  end

  -- What another program sees.
  local function client(sql)
    local pipe = assert(io.popen(("sqlite3 %s '%s' 2>&1"):format(path, sql)))
    local text = pipe:read "a"
    pipe:close()
    return (text:gsub("\n$", ""))
  end

  local function remove()
    for _, suffix in ipairs { "", "-wal", "-shm" } do os.remove(path .. suffix) end
  end

  before_each(function()
    path = os.tmpname()
    store = neap.open("sqlite:" .. path .. "?timeout=0")
    Item = store:model("Item", { id = t.integer { primary = true, auto = true }, v = t.string() })
    store:bind()
    local list = {}
    for i = 1, 500 do list[i] = Item { v = "v" .. i } end
    store:save(list)
  end)

  after_each(function()
    store:close()
    remove()
  end)

  describe("a program that holds the file for itself", function()
    it("lets nothing be written, and everything again once it is gone", function()
      assert(os.execute("mkfifo " .. path .. ".fifo"))
      local locker = assert(io.popen("sqlite3 " .. path, "w"))
      locker:write("BEGIN EXCLUSIVE;\n.shell echo locked > ", path, ".fifo\n")
      locker:flush()
      assert.equal("locked", io.lines(path .. ".fifo")())
      local late = Item { v = "late" }
      assert.is_true(fails("conflict", late.save, late).retryable)
      assert.is_true(fails("conflict", store.save, store, { Item { v = "a" }, Item { v = "b" } }).retryable)
      assert.is_true(fails("conflict", store.transaction, store, function() late:save() end).retryable)
      assert.is_true(late:is_new())
      locker:write ".quit\n"
      locker:close()
      os.remove(path .. ".fifo")
      late:save()
      assert.equal("501", client "SELECT count(*) FROM Item")
    end)
  end)

  describe("a transaction in which a statement found the disk full, and went on,", function()
    it("is committed whole or not at all", function()
      local page = store:sql "PRAGMA page_count"[1].page_count
      local first, second = Item { v = "first" }, Item { v = "second" }
      local done = pcall(store.transaction, store, function()
        store:sql("PRAGMA max_page_count = " .. page)
        first:save()
        fails("server", store.sql, store, "UPDATE Item SET v = printf('%.*c', 10000, 'x')")
        second:save()
      end)
      assert.equal(done and "2" or "0", client "SELECT count(*) FROM Item WHERE v IN (\"first\", \"second\")")
      assert.equal("0", client "SELECT count(*) FROM Item WHERE length(v) > 9")
      assert.equal(not done, first:is_new())
      assert.equal(not done, second:is_new())
    end)
  end)

  describe("a file that is damaged", function()
    it("is said to be so, and the store still closes", function()
      store:close()
      local file = assert(io.open(path, "r+"))
      file:seek("set", 4096)
      file:write(("\xff"):rep(8192))
      file:close()
      store = neap.open("sqlite:" .. path)
      Item = store:model("Item", { id = t.integer { primary = true, auto = true }, v = t.string() })
      local e = fails("server", Item.all, Item)
      assert.equal("SQLITE_CORRUPT", e.code)
      assert.truthy(e.message:find(path, 1, true))
      fails("server", function() Item { v = "x" }:save() end)
    end)
  end)

  describe("a statement without end", function()
    it("ends with the neap.timeout around it, and the connection serves on", function()
      fails("timeout", neap.timeout, 0.05, function() store:sql(ENDLESS) end)
      assert.equal(500, Item:count())
    end)

    it("inside a transaction undoes it", function()
      fails("timeout", neap.timeout, 0.05, function()
        store:transaction(function()
          Item { v = "undone" }:save()
          store:sql(ENDLESS)
        end)
      end)
      assert.equal("500", client "SELECT count(*) FROM Item")
      Item { v = "next" }:save()
      assert.equal("501", client "SELECT count(*) FROM Item")
    end)
  end)

  describe("a loop over rows", function()
    it("that an error leaves closes its cursor", function()
      assert.has_error(function()
        for _ in Item:each() do error("left", 0) end
      end, "left")
      store:sql "DROP TABLE Item"  -- fails while a statement reads the table
    end)

    it("that a coroutine abandons is closed when it is collected", function()
      for _ = 1, 20 do
        local step = coroutine.wrap(function()
          for item in Item:each() do coroutine.yield(item.id) end
        end)
        assert.equal(1, step())
      end
      collectgarbage()
      collectgarbage()
      store:sql "DROP TABLE Item"
    end)

    it("that a cancelled task runs is closed", function()
      local seen = 0
      local task = neap.spawn(function()
        for _ in Item:each() do
          seen = seen + 1
          neap.sleep(0)
        end
      end)
      while seen == 0 do neap.sleep(0) end
      task:cancel()
      fails("cancelled", task.await, task)
      assert.is_true(seen < 500)
      store:sql "DROP TABLE Item"
    end)
  end)
end)
