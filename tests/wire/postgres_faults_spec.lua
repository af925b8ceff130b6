-- What happens around a PostgreSQL that is not there, goes away, is slow, or is asked for more than it gives: an error that
-- says so or a safe retry, nothing lost or done twice, and a store that works again when the server is back.
local neap = require "neap"
local t = neap.types

local SERVICE = "tests/services/postgres"
local folder, URL, PORT

local function sh(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

local function start() URL = sh(SERVICE .. " start " .. folder) end
local function kill() sh(SERVICE .. " kill " .. folder) end

local function fails(kind, f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok, "an error was expected")
  assert.is_true(neap.is(e, kind), tostring(e))
  return e
end

-- A URL that leads through a proxy, and a function that ends it.
local function through(mode, bytes, once)
  local port, pid = sh(("%s/tests/services/proxy %s %s %d %s & :"):format(os.getenv "BUILD" or "build", PORT, mode, bytes,
    once and "once" or "")):match "(%d+) (%d+)"
  return (URL:gsub(":" .. PORT, ":" .. port)), setmetatable({}, { __close = function() os.execute("kill " .. pid) end })
end

describe("postgres, when something gives way,", function()
  local store, Item

  local function open(url)
    store = neap.open(url)
    Item = store:model("Item", { id = t.integer { primary = true }, name = t.string { unique = true }, n = t.integer() })
    return store
  end

  local function count() return store:sql("SELECT count(*) AS c FROM \"Item\"")[1].c end

  local function sleeping()
    return store:sql([[SELECT count(*) AS c FROM pg_stat_activity
      WHERE state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()]])[1].c
  end

  -- Waits until f() is true: what another process does has no moment of its own.
  local function eventually(f)
    for _ = 1, 200 do
      if f() then return true end
      neap.sleep(0.02)
    end
    return false
  end

  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    folder = folder .. "/cluster"
    start()
    PORT = URL:match ":(%d+)/"
  end)

  teardown(function()
    sh(SERVICE .. " stop " .. folder)
    os.remove((folder:gsub("/cluster$", "")))
  end)

  before_each(function()
    start()
    open(URL)
    store:sql "DROP SCHEMA IF EXISTS public CASCADE"
    store:sql "CREATE SCHEMA public"
    store:bind()
  end)

  after_each(function() store:close() end)

  describe("a connection", function()
    it("that is refused says so", function()
      local e = fails("connection", function() neap.open("postgres://nobody:hush@127.0.0.1:1/x"):sql "SELECT 1" end)
      assert.matches("refused", e.message)
      assert.is_nil(tostring(e):find("hush", 1, true))
    end)

    it("by a URL that cannot be read names the option, and no password", function()
      local function message(url) return fails("usage", function() neap.open(url):sql "SELECT 1" end).message end
      assert.matches('parameter: "colour"', message "postgres://nobody:hush@127.0.0.1/x?colour=1")
      for _, url in ipairs { "postgres://nobody:hu%zzsh@127.0.0.1/x", "postgres://nobody:hush@[::1/x" } do
        assert.is_nil(message(url):find("hu", 1, true))
      end
    end)

    it("with a wrong password is no secret kept badly", function()
      local e = fails("auth", function()
        neap.open(("postgres://guarded:open-says-me@127.0.0.1:%s/postgres"):format(PORT)):sql "SELECT 1"
      end)
      assert.equal("28P01", e.code)
      assert.is_nil((tostring(e) .. tostring(e.detail)):find("open-says-me", 1, true))
      assert.equal(1, neap.open { url = ("postgres://guarded@127.0.0.1:%s/postgres"):format(PORT), password = "open sesame" }
        :sql("SELECT 1 AS v")[1].v)
    end)

    it("to a database that is not there names it", function()
      local e = fails("connection", function() neap.open((URL:gsub("postgres$", "nix"))):sql "SELECT 1" end)
      assert.equal("3D000", e.code)
      assert.matches("nix", e.message)
    end)

    it("tries the next host", function()
      local s = neap.open(("postgres://postgres@127.0.0.1:1,localhost:%s/postgres"):format(PORT))
      assert.equal(1, s:sql("SELECT 1 AS v")[1].v)
      s:close()
    end)

    it("goes to the host that is what target_session_attrs asks for", function()
      local hosts = ("postgres://postgres@127.0.0.1:1,localhost:%s,127.0.0.1:%s/postgres?target_session_attrs="):format(PORT, PORT)
      for _, attribute in ipairs { "any", "read-write", "primary", "prefer-standby" } do
        local s = neap.open(hosts .. attribute)
        assert.equal(1, s:sql("SELECT 1 AS v")[1].v)
        s:close()
      end
      local s = neap.open(hosts .. "standby")
      assert.matches("standby", fails("connection", s.sql, s, "SELECT 1").message)
      s:close()
    end)

    it("that ends while it is made says so, and the next one is made", function()
      for _, bytes in ipairs { 0, 1, 50, 300 } do
        local url, _ <close> = through("reset", bytes, true)
        local s = neap.open(url)
        fails("connection", s.sql, s, "SELECT 1")
        assert.equal(1, s:sql("SELECT 1 AS v")[1].v)
        s:close()
      end
    end)

    it("to a server that says nothing is given up", function()
      local url, _ <close> = through("hang", 0)
      local s = neap.open(url .. "?connect_timeout=0.2")
      assert.matches("0.2 s", fails("timeout", s.sql, s, "SELECT 1").message)
      s:close()
    end)

    it("that is reset while rows come is replaced: nobody has seen them", function()
      store:sql [[INSERT INTO "Item" SELECT i, 'name' || i, i FROM generate_series(1, 1000) i]]
      for _, bytes in ipairs { 600, 2000, 9000, 20000 } do
        local url, _ <close> = through("reset", bytes, true)
        store:close()
        open(url)
        assert.equal(1000, Item:count())
        assert.equal(500, Item:get(500).n)
        store:close()
        open(URL)
      end
    end)

    it("that falls silent is given up: reads go to another one, and nobody knows of writes", function()
      store:sql [[INSERT INTO "Item" SELECT i, 'name' || i, i FROM generate_series(1, 1000) i]]
      for _, bytes in ipairs { 900, 1500 } do
        local url, _ <close> = through("hang", bytes, true)
        local s = neap.open(url .. "?timeout=0.1")
        local model = s:model("Item", { id = t.integer { primary = true }, name = t.string { unique = true }, n = t.integer() })
        for i = 1, 50 do assert.equal(i, model:get(i).n) end
        s:close()
      end
      local url, _ <close> = through("hang", 900, true)
      local s = neap.open(url .. "?timeout=0.1")
      local model = s:model("Item", { id = t.integer { primary = true }, name = t.string { unique = true }, n = t.integer() })
      local e = fails("timeout", function() for i = 2001, 2050 do model { id = i }:save() end end)
      assert.equal("unknown", e.outcome)
      s:close()
    end)

    it("that is reset in the middle of a stream ends it with an error", function()
      store:sql [[INSERT INTO "Item" SELECT i, 'name' || i, i FROM generate_series(1, 10000) i]]
      local url, _ <close> = through("reset", 30000, true)
      store:close()
      open(url)
      local n = 0
      fails("connection", function() for _ in Item:order "id":each() do n = n + 1 end end)
      assert.is_true(n < 10000)
      assert.equal(10000, Item:count())
    end)
  end)

  describe("a server", function()
    it("killed while it computes: the error says so, and the store works when it is back", function()
      neap.spawn(function()
        assert.is_true(eventually(function() return sleeping() == 1 end))
        kill()
      end)
      fails("connection", store.sql, store, "SELECT pg_sleep(60)")
      fails("connection", store.sql, store, "SELECT 1")
      start()
      assert.equal(0, count())
    end)

    it("killed while it writes: nobody knows", function()
      neap.spawn(function()
        assert.is_true(eventually(function() return sleeping() == 1 end))
        kill()
      end)
      local e = fails("connection", store.sql, store, [[INSERT INTO "Item" (id) SELECT 1 FROM pg_sleep(60)]])
      assert.is_true(e.outcome == "unknown" or e.code == "57P01" or e.code == "57P02")
      start()
      assert.equal(0, count())
    end)

    it("restarted while nobody asks it anything is not noticed", function()
      for i = 1, 3 do
        kill()
        start()
        neap.sleep(0.01)
        Item { id = i, name = "x" .. i }:save()
        assert.equal(i, Item:count())
      end
    end)

    it("killed inside a transaction takes it along", function()
      fails("connection", store.transaction, store, function(tx)
        Item { id = 1 }:save()
        kill()
        start()
        tx:sql "SELECT 1"
      end)
      assert.equal(0, count())
      Item { id = 1 }:save()
      assert.equal(1, count())
    end)

    it("killed under a listener ends its loop, and may be listened to again", function()
      local listener = store:listen "jobs"
      kill()
      fails("connection", function() for _ in listener:each() do error "a notification" end end)
      start()
      listener = store:listen "jobs"
      store:sql "NOTIFY jobs, 'back'"
      assert.equal("back", listener:each()().payload)
      listener:close()
    end)

    it("killed under a COPY ends it, and nothing of it is written", function()
      local given = 0
      local e = fails("connection", store.copy_in, store, 'COPY "Item" (id) FROM STDIN', function()
        given = given + 1
        if given == 50000 then kill() end
        return given .. "\n"
      end)
      assert.is_nil(e.outcome)
      start()
      assert.equal(0, count())
      local n = 0
      fails("connection", function()
        for _ in store:copy_out("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 1000000)) TO STDOUT"):each() do
          n = n + 1
          if n == 10 then kill() end
        end
      end)
      assert.is_true(n < 1000000)
      start()
      assert.equal(0, count())
    end)

    it("killed under a stream ends it", function()
      store:sql [[INSERT INTO "Item" SELECT i, repeat('x', 1000) || i, i FROM generate_series(1, 20000) i]]
      local n = 0
      fails("connection", function()
        for _ in Item:each() do
          n = n + 1
          if n == 10 then kill() end
        end
      end)
      assert.is_true(n < 20000)
      start()
      assert.equal(20000, count())
    end)
  end)

  describe("a connection that died while nobody looked", function()
    -- As another program would; the loop does not turn meanwhile.
    local function terminate()
      assert.equal("t", sh(([[psql -XAtq %s -c "SELECT bool_and(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
        WHERE application_name = 'neap'"]]):format(URL)))
    end

    local function rows() return sh(([[psql -XAtq %s -c 'SELECT id, name, n FROM "Item" ORDER BY id']]):format(URL)) end

    it("is replaced by one that saves, once", function()
      local item = Item { id = 1, name = "a", n = 1 }
      item:save()
      terminate()
      Item { id = 2, name = "b", n = 2 }:save()
      terminate()
      item.n = 10
      item:save()
      terminate()
      item:increment("n", 1)
      item:save()
      terminate()
      assert.equal(11, Item:get(1).n)
      terminate()
      assert.equal(1, Item:where { id = 2 }:update { n = 20 })
      terminate()
      assert.equal("1|a|11\n2|b|20", rows())
      item:delete()
      assert.equal("2|b|20", rows())
    end)

    it("is replaced by one that saves lists, transactions, statements of scripts, streams", function()
      store:save { Item { id = 1 }, Item { id = 2 } }
      terminate()
      store:save { Item { id = 3 }, Item { id = 4 } }
      terminate()
      store:transaction(function() Item { id = 5 }:save() end)
      terminate()
      store:sql [[INSERT INTO "Item" (id) VALUES (6)]]
      terminate()
      local n = 0
      for _ in Item:each() do n = n + 1 end
      assert.equal(6, n)
    end)
  end)

  describe("a save whose connection is reset after any number of bytes", function()
    -- What is in the table afterwards, when the save is told to have worked, failed, or be unknown.
    local function outcomes(save)
      local seen = { done = 0, failed = 0, unknown = 0 }
      for bytes = 400, 700, 7 do
        store:sql [[TRUNCATE "Item"]]
        local url, _ <close> = through("reset", bytes, true)
        local s = neap.open(url .. "?pool=1")
        local model = s:model("Item", { id = t.integer { primary = true }, name = t.string { unique = true }, n = t.integer() })
        local ok, e = pcall(save, s, model)
        s:close()
        local outcome = ok and "done" or e.outcome == "unknown" and "unknown" or "failed"
        if not ok then assert.is_true(neap.is(e, "connection"), tostring(e)) end
        seen[outcome] = seen[outcome] + 1
        local n = count()
        assert.is_true(outcome == "unknown" or n == (ok and 2 or 0), ("%s, and %d rows, %d bytes"):format(outcome, n, bytes))
        assert.is_true(n == 0 or n == 2, n)
      end
      return seen
    end

    it("is done, or not, or says that nobody knows", function()
      local seen = outcomes(function(s) s:sql [[INSERT INTO "Item" (id) VALUES (1), (2)]] end)
      assert.is_true(seen.unknown > 0)
      assert.is_true(seen.done > 0)
    end)

    it("does not half a COPY, and is only unknown when all was given", function()
      local given
      local seen = outcomes(function(s)
        given = false
        s:copy_in('COPY "Item" (id) FROM STDIN', coroutine.wrap(function()
          coroutine.yield "1\n"
          coroutine.yield "2\n"
          given = true
        end))
      end)
      assert.is_true(given)
      assert.is_true(seen.done > 0)
    end)

    it("does not half a list, and is only unknown while it is committed", function()
      local seen = outcomes(function(s, model) s:save { model { id = 1, n = 1 }, model { id = 2, n = 2 } } end)
      assert.is_true(seen.done > seen.unknown)
    end)
  end)

  describe("a pool", function()
    it("that one's own loops have used up says so at once", function()
      store:close()
      open(URL .. "?pool=2")
      store:sql [[INSERT INTO "Item" SELECT i, 'name' || i, i FROM generate_series(1, 1000) i]]
      local e = fails("usage", function()
        for _ in Item:each() do
          for _ in Item:each() do Item:count() end
        end
      end)
      assert.matches("pool=N", e.message, 1, true)
      assert.equal(1000, Item:count())
    end)

    it("that others have used up is waited for, and names who has it", function()
      store:close()
      open(URL .. "?pool=1&wait=0.2")
      local task = neap.spawn(function() store:transaction(function() neap.sleep(1) end) end)
      neap.sleep(0.05)
      local e = fails("timeout", function() Item:count() end)
      assert.matches("a transaction of task %d+ for %d", e.message)
      assert.is_nil(e.message:find("for 0.0 s", 1, true))
      task:cancel()
      pcall(task.await, task)
      assert.equal(0, Item:count())
    end)

    it("forgets who waited for a connection of his own and was stopped", function()
      store:close()
      open(URL .. "?pool=1&wait=3")
      assert.equal(0, Item:count())
      for i = 1, 20 do
        local reads = neap.spawn(neap.gather, { 1, 2, 3 }, 3, function() return Item:count() end)
        for _ = 1, i % 4 do neap.sleep(0) end
        local alone = neap.spawn(function() return store:sql "SELECT 1" end)
        for _ = 1, i % 3 do neap.sleep(0) end
        alone:cancel()
        pcall(alone.await, alone)
        assert.same({ 0, 0, 0 }, reads:await())
      end
      assert.equal(0, Item:count())
    end)

    it("closes what nobody uses for a while, but for one", function()
      local function connected() return store:sql [[SELECT count(*) AS c FROM pg_stat_activity WHERE application_name = 'idle']][1].c end
      for _, idle in ipairs { 0.01, 0 } do
        local s = neap.open(URL .. "?pool=3&application_name=idle&idle=" .. idle)
        local together = {}
        for i = 1, 3 do together[i] = function() s:transaction(function() s:sql "SELECT pg_sleep(0.05)" end) end end
        neap.all(together)
        if idle == 0 then assert.equal(3, connected()) else assert.is_true(eventually(function() return connected() == 1 end)) end
        neap.all(together)
        s:close()
      end
    end)

    it("of one lets a stream in that waits for statements that share it, and them after it", function()
      store:close()
      open(URL .. "?pool=1")
      store:sql [[INSERT INTO "Item" SELECT i, 'name' || i, i FROM generate_series(1, 1000) i]]
      local fs = {}
      for i = 1, 20 do
        fs[i] = i % 4 > 0 and function() return Item:get(i).n end or function()
          local n = 0
          for _ in Item:each() do n = n + 1 end
          return n
        end
      end
      for i, n in ipairs(neap.all(fs)) do assert.equal(i % 4 > 0 and i or 1000, n) end
    end)
  end)

  describe("a wait", function()
    it("that is over ends the statement on the server too", function()
      fails("timeout", function() store:with({ timeout = 0.1 }, function(s) s:sql "SELECT pg_sleep(60)" end) end)
      assert.is_true(eventually(function() return sleeping() == 0 end))
    end)

    it("that is cancelled at any place leaves nothing behind", function()
      store:sql [[INSERT INTO "Item" SELECT i, 'name' || i, i FROM generate_series(1, 500) i]]
      local works = {
        function() store:sql "SELECT pg_sleep(60)" end,
        function() store:transaction(function(tx) tx:sql [[DELETE FROM "Item"]] tx:sql "SELECT pg_sleep(60)" end) end,
        function() while true do Item:get(7) end end,
        function() while true do for _ in Item:each() do neap.sleep(0) end end end,
        function() store:transaction(function() while true do for p in Item:each() do p.n = 0 p:save() end end end) end,
        function()
          while true do
            pcall(store.transaction, store, function(tx)
              tx:transaction(function() tx:sql [[DELETE FROM "Item"]] end)
              error "no"
            end)
            neap.sleep(0)
          end
        end,
      }
      for round = 1, 8 do
        for _, work in ipairs(works) do
          local task = neap.spawn(work)
          for _ = 1, round * 3 do neap.sleep(0) end
          task:cancel()
          pcall(task.await, task)
        end
      end
      assert.equal(500, count())
      assert.equal(125250, Item:sum "n")
      assert.is_true(eventually(function() return sleeping() == 0 end))
      assert.is_true(eventually(function()
        return store:sql("SELECT count(*) AS c FROM pg_stat_activity WHERE state LIKE 'idle in%'")[1].c == 0
      end))
    end)

    it("for a statement that shares its connection is limited by the server", function()
      store:close()
      open(URL .. "?timeout=0.2")
      store:sql [[ALTER TABLE "Item" RENAME TO real]]
      store:sql [[CREATE VIEW "Item" AS SELECT * FROM real WHERE pg_sleep(60) IS NOT NULL]]
      store:sql "INSERT INTO real VALUES (1)"
      assert.equal("57014", fails("timeout", function() Item:count() end).code)
      assert.equal(1, store:sql("SELECT count(*) AS c FROM real, pg_sleep(0.4)")[1].c)
    end)
  end)

  describe("neighbours on one connection", function()
    it("never undo what was answered, and never mix", function()
      store:close()
      open(URL .. "?pool=1")
      local saved, refused, fs = {}, 0, {}
      for round = 1, 10 do
        for i = 1, 50 do
          local id = round * 100 + i
          fs[i] = function()
            if i % 5 == 0 then
              local ok, e = pcall(function() Item { id = id, name = "taken" }:save() end)
              if ok then saved[id] = true else refused = refused + (neap.is(e, "conflict") and 1 or 0) end
            elseif i % 7 == 0 then
              assert.is_false(pcall(function() Item:where { id__gt = id }:where(Item.n:gt(0)):sum "name" end))
            elseif i % 2 == 0 then
              assert.equal(nil, Item:find(-id))
            else
              Item { id = id, name = "n" .. id, n = id }:save()
              saved[id] = true
              assert.equal(id, Item:get(id).n)
            end
          end
        end
        neap.all(fs)
      end
      local n = 0
      for id in pairs(saved) do
        assert.is_truthy(Item:find(id), id)
        n = n + 1
      end
      assert.equal(n, count())
      assert.equal(99, refused)
    end)

    it("are asked again when a reader before them has failed", function()
      store:close()
      open(URL .. "?pool=1")
      store:sql [[INSERT INTO "Item" SELECT i, 'name' || i, i FROM generate_series(1, 50) i]]
      store:sql [[CREATE VIEW broken AS SELECT id, 1 / (id - id) AS n FROM "Item"]]
      local Broken = store:model("Broken", { id = t.integer { primary = true }, n = t.integer() }, { table = "broken" })
      for _ = 1, 5 do
        local fs = {}
        for i = 1, 50 do
          fs[i] = i % 10 == 0 and function() fails("validation", function() Broken:get(i) end) end
            or function() assert.equal(i, Item:get(i).n) end
        end
        neap.all(fs)
      end
    end)
  end)
end)
