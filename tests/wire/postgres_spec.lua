-- What is PostgreSQL's alone: values on the wire, its URLs, the pool, pipelining, streams, transactions that fail.
local fails = require "tests.fails"
local neap = require "neap"

local URL = os.getenv "NEAP_TEST_POSTGRES"

describe("postgres", function()
  local store, name

  local function url(options, of)
    return ((of or URL):gsub("/postgres$", "/" .. name)) .. (options and "?" .. options or "")
  end

  local function administer(statement)
    local admin = neap.open(URL)
    admin:sql(statement)
    admin:close()
  end

  setup(function()
    name = "neap_" .. neap.uuid():gsub("-", "")
    administer("CREATE DATABASE " .. name)
    store = neap.open(url())
    store:sql "DROP SCHEMA public"
    store:close()
  end)

  teardown(function() administer("DROP DATABASE " .. name .. " WITH (FORCE)") end)

  before_each(function()
    store = neap.open(url())
    store:sql "CREATE SCHEMA public"
  end)

  after_each(function()
    store:sql "DROP SCHEMA public CASCADE"
    store:close()
  end)

  -- One value as SQL spells it.
  local function value(expression)
    return store:sql("SELECT " .. expression .. " AS v")[1].v
  end

  describe("values", function()
    it("come as what they are", function()
      assert.equal(5, value "5")
      assert.equal(math.mininteger, value "-9223372036854775807 - 1")
      assert.equal(-3, value "-3::smallint")
      assert.equal(1.5, value "1.5::float8")
      assert.equal(0.25, value "0.25::real")
      assert.is_true(value "true")
      assert.is_nil(value "NULL")
      assert.equal("hé", value "'hé'::text")
      assert.equal("\0\255", value "'\\x00ff'::bytea")
      assert.equal("12345678-1234-5678-1234-567812345678", value "'12345678-1234-5678-1234-567812345678'::uuid")
      assert.equal(neap.datetime "2024-02-29T12:00:00.5Z", value "timestamptz '2024-02-29 13:00:00.5+01'")
      assert.equal(neap.datetime "2024-02-29T12:00:00Z", value "timestamp '2024-02-29 12:00'")
      assert.equal("2024-02-29", tostring(value "date '2024-02-29'"))
      assert.same({ a = { 1, 2 } }, value [['{"a": [1, 2]}'::jsonb]])
    end)

    for _, text in ipairs { "0", "0.00", "-12.50", "0.0001", "100000000.5", "12345678901234567890.123456789", "-0.00010", "10000" } do
      it("keep the decimal " .. text, function() assert.equal(text, tostring(value(text .. "::numeric"))) end)
    end

    it("of arrays are lists", function()
      assert.same({ 1, 2, neap.null }, value "ARRAY[1, 2, NULL]")
      assert.same({ 'a"b', "c\\\n" }, value [[ARRAY['a"b', E'c\\\n']::text[] ]])
      assert.same({ { 1 }, { 2 } }, value "ARRAY[[1], [2]]")
      assert.same({}, value "'{}'::int[]")
      assert.same({ true, false }, value "ARRAY[true, false]")
      assert.same({ 1.5, 2.0 }, value "ARRAY[1.5, 2]::float8[]")
    end)

    it("beside one of a type that is not known come through text as the same", function()
      local row = store:sql [[SELECT inet '127.0.0.1' AS ip, 5 AS i, 1.10::numeric AS d, true AS b, '\x00ff'::bytea AS y,
        timestamptz '2024-02-29 12:00Z' AS t, date '2024-02-29' AS day, 0.1::float8 AS f, '[1]'::json AS j]][1]
      assert.equal("127.0.0.1", row.ip)
      assert.equal(5, row.i)
      assert.equal("1.10", tostring(row.d))
      assert.is_true(row.b)
      assert.equal("\0\255", row.y)
      assert.equal(neap.datetime "2024-02-29T12:00:00Z", row.t)
      assert.equal("2024-02-29", tostring(row.day))
      assert.equal(0.1, row.f)
      assert.same({ 1 }, row.j)
    end)

    it("of arrays are lists beside such a type, too", function()
      for _, expression in ipairs {
        "ARRAY[1, 2, NULL]", "ARRAY[true, false]", "ARRAY[1.5, 2]::float8[]", "'{}'::text[]", "ARRAY[[1, 2], [3, 4]]::bigint[]",
        "'[0:1]={1,2}'::int[]", [[ARRAY['a', 'NULL', NULL, 'b "q" \ , {x}', '', E'c\n']::text[] ]],
        "ARRAY['1.50', '-2']::numeric[]", "ARRAY[date '2024-02-29']", "ARRAY[timestamptz '2024-02-29 12:00Z']",
        [[ARRAY['{"a": [1]}', '"}"']::jsonb[] ]], "ARRAY['12345678-1234-5678-1234-567812345678']::uuid[]",
      } do
        local row = store:sql(("SELECT inet '127.0.0.1' AS ip, %s AS v"):format(expression))[1]
        assert.same(neap.json.encode(value(expression)), neap.json.encode(row.v))
      end
      fails("protocol", function() store:sql "SELECT inet '127.0.0.1' AS ip, ARRAY['NaN']::float8[] AS v" end)
    end)

    it("that neap does not have are refused, not bent", function()
      for _, v in ipairs { "'NaN'::float8", "'NaN'::numeric", "'infinity'::timestamptz", "'4000-01-01 BC'::date" } do
        fails("protocol", value, v)
      end
    end)

    it("go there and come back", function()
      local at, day = neap.datetime "2024-02-29T12:00:00.000001Z", neap.decimal "-1.50"
      local row = store:sql("SELECT ? AS i, ? AS f, ? AS b, ? AS t, ?::text AS s, ?::numeric AS d, ? AS y, ?::jsonb AS j",
        { 7, 0.1, true, at, "é", day, neap.bytes "\0\1", { a = 1 } })[1]
      assert.equal(7, row.i)
      assert.equal(0.1, row.f)
      assert.is_true(row.b)
      assert.equal(at, row.t)
      assert.equal("é", row.s)
      assert.equal(day, row.d)
      assert.equal("\0\1", row.y)
      assert.same({ a = 1 }, row.j)
    end)

    it("are not looked for in quoted text, comments, casts and slices", function()
      assert.same({ { a = "it's ?", b = "?:x", c = "$ ?", d = 1, e = { 2, 3 } } }, store:sql([[
        SELECT E'it\'s ?' AS a, $q$?:x$q$ AS b, '$ ?' AS c, /* ? /* :y */ :z */ :n::int8 AS d, ('{1,2,3}'::int8[])[2:3] AS e]],
        { n = 1 }))
    end)

    it("leave the operator ? to ??", function()
      assert.same({ { has = true, any = false } },
        store:sql([[SELECT ?::jsonb ?? ? AS has, '{}'::jsonb ??| array['a'] AS any]], { '{"a":1}', "a" }))
    end)

    it("keep their type when the same place was NULL before", function()
      assert.is_nil(store:sql("SELECT ? AS v", { neap.null })[1].v)
      assert.equal(5, store:sql("SELECT ? AS v", { 5 })[1].v)
      assert.equal("5", store:sql("SELECT ? AS v", { "5" })[1].v)
      store:sql "CREATE TABLE n (i int)"
      for _, v in ipairs { neap.null, 5, neap.null } do store:sql("INSERT INTO n VALUES (?)", { v }) end
      assert.same({ { c = 3, s = 5 } }, store:sql "SELECT count(*) AS c, sum(i)::int AS s FROM n")
    end)

    it("with a NUL in a text are refused before they are cut", function()
      fails("usage", store.sql, store, "SELECT ?::text", { "a\0b" })
    end)
  end)

  describe("statements", function()
    it("tell how many rows they changed", function()
      assert.equal(0, store:sql "CREATE TABLE t (n int)")
      assert.equal(3, store:sql "INSERT INTO t SELECT generate_series(1, 3)")
      assert.equal(2, store:sql("DELETE FROM t WHERE n > :least", { least = 1 }))
      assert.same({ { n = 1 } }, store:sql "SELECT * FROM t")
    end)

    it("that say nothing, or two things, are refused", function()
      fails("usage", store.sql, store, "")
      fails("usage", store.sql, store, "SELECT 1; SELECT 2")
      assert.equal(1, value "1")
    end)

    it("that COPY are refused, and the store goes on", function()
      fails("unsupported", store.sql, store, "COPY (SELECT 1) TO STDOUT")
      assert.equal(1, value "1")
    end)

    it("are prepared anew when the server has forgotten them", function()
      for _, forget in ipairs { "DEALLOCATE ALL", "DISCARD ALL", "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$" } do
        assert.equal(1, store:sql("SELECT 1 AS v")[1].v)
        store:sql(forget)
        for _ = 1, 4 do assert.equal(1, store:sql("SELECT 1 AS v")[1].v) end
      end
      store:transaction(function(tx)
        for _ = 1, 2 do
          assert.equal(1, tx:sql("SELECT 1 AS v")[1].v)
          tx:sql "DEALLOCATE ALL"
        end
      end)
    end)

    it("are not compiled, unless the URL says so, whatever was reset", function()
      local settings = "SELECT current_setting('jit') AS jit, current_setting('statement_timeout') AS timeout"
      local one = neap.open(url "pool=1&timeout=7")
      local fields = { jit = neap.types.string { primary = true }, timeout = neap.types.string() }
      local Settings = one:model("Settings", fields, { table = "settings" })
      one:sql("CREATE VIEW settings AS " .. settings)
      for _, reset in ipairs { "SELECT 1", "DISCARD ALL", "RESET ALL", "RESET statement_timeout" } do
        one:sql(reset)
        assert.same({ { jit = "off", timeout = "0" } }, one:sql(settings))
        assert.equal("7s", Settings:get("off").timeout)
        one:transaction(function(tx) if reset ~= "DISCARD ALL" then tx:sql(reset) end end)
        assert.equal("7s", Settings:get("off").timeout)
      end
      one:close()
      local compiled = neap.open(url "options=-c%20jit%3Don")
      assert.equal("on", compiled:sql(settings)[1].jit)
      compiled:close()
    end)

    it("are prepared anew when a table changes under them", function()
      store:sql "CREATE TABLE t (n int)"
      store:sql "INSERT INTO t VALUES (1)"
      assert.same({ { n = 1 } }, store:sql "SELECT * FROM t")
      store:sql "ALTER TABLE t ADD m int DEFAULT 2"
      assert.same({ { n = 1, m = 2 } }, store:sql "SELECT * FROM t")
    end)

    it("may be more than a connection keeps prepared", function()
      for i = 1, 600 do assert.equal(i, value(tostring(i))) end
      assert.equal(3, store:sql("SELECT count(*)::int / 100 AS v FROM pg_prepared_statements")[1].v // 1 + 1)
    end)

    it("say in their errors what is wrong", function()
      assert.equal("42601", fails("usage", store.sql, store, "SELEC 1").code)
      assert.equal("42P01", fails("mismatch", store.sql, store, "SELECT * FROM nix").code)
      assert.equal("22012", fails("validation", store.sql, store, "SELECT 1/0").code)
      store:sql "CREATE TABLE t (a int UNIQUE, b int NOT NULL CHECK (b > 0))"
      store:sql "INSERT INTO t VALUES (1, 1)"
      assert.matches("t.a", fails("conflict", store.sql, store, "INSERT INTO t VALUES (1, 1)").message, 1, true)
      assert.matches("t.b must have a value", fails("validation", store.sql, store, "INSERT INTO t VALUES (2, NULL)").message, 1, true)
      assert.equal("23514", fails("validation", store.sql, store, "INSERT INTO t VALUES (2, -1)").code)
    end)

    it("that fail at their end, where deferred constraints are checked, fail", function()
      store:sql "CREATE TABLE t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)"
      store:sql "INSERT INTO t VALUES (1)"
      assert.equal("23505", fails("conflict", store.sql, store, "INSERT INTO t VALUES (1)").code)
      assert.equal(1, value "(SELECT count(*) FROM t)")
    end)
  end)

  describe("transactions", function()
    before_each(function() store:sql "CREATE TABLE t (n int UNIQUE)" end)

    it("commit, and roll back", function()
      store:transaction(function(tx) tx:sql "INSERT INTO t VALUES (1)" end)
      assert.is_false(pcall(store.transaction, store, function(tx)
        tx:sql "INSERT INTO t VALUES (2)"
        error "no"
      end))
      assert.same({ { n = 1 } }, store:sql "SELECT * FROM t")
    end)

    it("are doomed by a statement that failed: nothing of them is committed", function()
      local e = fails("server", store.transaction, store, function(tx)
        tx:sql "INSERT INTO t VALUES (1)"
        pcall(tx.sql, tx, "INSERT INTO t VALUES (1)")
      end)
      assert.matches("undone", e.message)
      assert.same({}, store:sql "SELECT * FROM t")
    end)

    it("survive what failed in a nested one", function()
      store:transaction(function(tx)
        tx:sql "INSERT INTO t VALUES (1)"
        fails("conflict", tx.transaction, tx, function(inner) inner:sql "INSERT INTO t VALUES (1)" end)
        tx:sql "INSERT INTO t VALUES (2)"
      end)
      assert.equal(2, value "(SELECT count(*) FROM t)")
    end)

    it("that a raw statement begins are rolled back, and told of", function()
      fails("usage", store.sql, store, "BEGIN")
      for _ = 1, 5 do store:sql "INSERT INTO t (n) SELECT count(*) FROM t" end
      assert.equal(5, value "(SELECT count(*) FROM t)")
      assert.equal(0, store:sql("SELECT count(*) AS c FROM pg_stat_activity WHERE datname = ? AND state LIKE 'idle in%'", { name })[1].c)
    end)

    it("that two tasks have locked against each other are run again", function()
      store:sql "INSERT INTO t VALUES (1), (2)"
      local runs, locked = 0, 0
      local function locks(first, second)
        return function()
          store:transaction(function(tx)
            runs = runs + 1
            tx:sql("UPDATE t SET n = n WHERE n = ?", { first })
            locked = locked + 1
            while locked < 2 do neap.sleep(0.001) end
            tx:sql("UPDATE t SET n = n WHERE n = ?", { second })
          end, { retries = 20 })
        end
      end
      neap.all { locks(1, 2), locks(2, 1) }
      assert.is_true(runs >= 3)
    end)
  end)

  describe("channels", function()
    local function notify(payload) store:sql("SELECT pg_notify('jobs', ?)", { payload }) end

    it("give what is sent to them, from the moment on that one listens", function()
      notify "too early"
      local listener = store:listen "jobs"
      for _, payload in ipairs { "a", "b", "" } do notify(payload) end
      local heard = {}
      for n in listener:each { wait = 0.2 } do
        assert.equal("jobs", n.channel)
        heard[#heard + 1] = n.payload
      end
      assert.same({ "a", "b", "" }, heard)
    end)

    it("are waited for beside other tasks", function()
      neap.spawn(function()
        neap.sleep(0.05)
        notify "late"
      end)
      assert.equal("late", store:listen "jobs":each()().payload)
    end)

    it("take a connection only as long as one listens", function()
      for i = 1, 20 do store:listen("c" .. i):close() end
      assert.equal(0, value "(SELECT count(*) FROM pg_listening_channels())")
    end)

    it("are no part of transactions", function()
      fails("usage", store.transaction, store, function(tx) tx:listen "jobs" end)
    end)
  end)

  describe("streams", function()
    local t = neap.types
    local Item

    before_each(function()
      Item = store:model("Item", { id = t.integer { primary = true }, n = t.integer() })
      store:bind()
      store:sql [[INSERT INTO "Item" SELECT i, i FROM generate_series(1, 1000) i]]
    end)

    it("whose rows are saved back see each row once, and do not wait for themselves", function()
      local seen = 0
      for item in Item:order "id":each() do
        seen = seen + 1
        item.n = item.n + 1
        item:save()
      end
      assert.equal(1000, seen)
      assert.equal(501500, Item:sum "n")
    end)

    it("do the same inside a transaction, nested too", function()
      store:transaction(function()
        for item in Item:order "id":limit(300):each() do
          item.n = 0
          item:save()
          if item.id % 100 == 0 then
            local inner = 0
            for _ in Item:where { id__lte = 250 }:each() do inner = inner + 1 end
            assert.equal(250, inner)
          end
        end
      end)
      assert.equal(500500 - 45150, Item:sum "n")
    end)

    it("end with the transaction that they were begun in", function()
      local each
      store:transaction(function() each = Item:each() each() end)
      fails("usage", function() while each() do end end)
      assert.equal(1000, Item:count())
    end)
  end)
end)
