-- What neap says to PostgreSQL and keeps there: types, statements, indexes; as psql sees it.
local contract = require "tests.store.contract"
local neap = require "neap"
local t = neap.types

local function id()
  return t.integer { primary = true, auto = true }
end

contract.only("postgres", "PostgreSQL's SQL", function(c)
  local function mismatch()
    local ok, e = pcall(c.store.bind, c.store)
    assert.is_false(ok)
    assert.equal("mismatch", e.kind, tostring(e))
    local lines = {}
    for i, d in ipairs(e.errors) do lines[i] = ("%s | %s | %s"):format(d.what, d.expected, d.actual) end
    table.sort(lines)
    return lines
  end

  local function plan_of(query)
    local explained, params = query:explain(), {}
    local text = explained.sql:gsub("%$(%d+)", function(n)
      params[#params + 1] = explained.params[tonumber(n)]
      return "?"
    end)
    local lines = c.store:sql("EXPLAIN " .. text, params)
    for i, line in ipairs(lines) do lines[i] = line["QUERY PLAN"] end
    return table.concat(lines, "\n")
  end

  describe("bind", function()
    it("gives every type a column of the server's own", function()
      c.store:model("Everything", {
        { "id", t.uuid { primary = true, auto = true } }, { "s", t.string() }, { "i", t.integer() }, { "n", t.number() },
        { "d", t.decimal() }, { "price", t.decimal { scale = 2 } }, { "b", t.boolean() }, { "at", t.datetime() },
        { "ts", t.timestamp() }, { "day", t.date() }, { "blob", t.bytes() }, { "j", t.json() }, { "l", t.list(t.string()) },
        { "li", t.list(t.integer()) }, { "sn", t.set(t.number()) }, { "lj", t.list() }, { "ld", t.list(t.decimal()) },
        { "m", t.map(t.integer()) }, { "g", t.geopoint() },
      })
      c.store:bind()
      assert.same({
        "id|uuid", "s|text", "i|bigint", "n|double precision", "d|numeric", "price|numeric(1000,2)", "b|boolean",
        "at|timestamp with time zone", "ts|bigint", "day|date", "blob|bytea", "j|jsonb", "l|text[]", "li|bigint[]",
        "sn|double precision[]", "lj|jsonb", "ld|jsonb", "m|jsonb", "g|jsonb",
      }, c:client [[SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
        WHERE attrelid = '"Everything"'::regclass AND attnum > 0 ORDER BY attnum]])
      assert.same({ "C" }, c:client [[SELECT collname FROM pg_collation c JOIN pg_attribute a ON a.attcollation = c.oid
        WHERE attrelid = '"Everything"'::regclass AND attname = 's']])
      assert.same({}, c.store:bind())
    end)

    it("makes keys that count up of identities, and defaults of every kind", function()
      c.store:model("Post", {
        id = id(), title = t.string { required = true, default = "it's" }, views = t.integer { default = 0 },
        ok = t.boolean { default = true }, tags = t.list(t.string(), { default = { 'a "b"' } }),
      })
      c.store:bind()
      assert.same({ [[1|it's|0|t|{"a \"b\""}]] },
        c:client "INSERT INTO Post DEFAULT VALUES; SELECT id, title, views, ok, tags FROM Post")
    end)

    it("lists every difference, and then changes nothing", function()
      c:client [[CREATE TABLE User (id bigint PRIMARY KEY, name text NOT NULL);
        CREATE TABLE posts (id text PRIMARY KEY, author_id bigint, views bytea, secret text NOT NULL, price numeric(10,2))]]
      c.store:model("User", { id = id(), name = t.string { required = true } })
      c.store:model("Post", {
        id = id(), author = t.pointer("User", { index = true, on_delete = "cascade" }), title = t.string { required = true },
        views = t.integer { default = 0 }, price = t.decimal(),
      }, { table = "posts" })
      assert.same({
        "column author_id | REFERENCES User (id) ON DELETE CASCADE | no reference",
        "column id: type | bigint | text",
        "column price: type | numeric | numeric(10,2)",
        "column secret | a default, or may be NULL: it is not declared | text NOT NULL",
        "column title | text NOT NULL | missing; it cannot be added: rows that are there would lack a value",
        "column views: type | bigint | bytea",
      }, mismatch())
      assert.same({}, c:indexes "posts")
    end)

    it("takes what other programs call their types", function()
      c:client [[CREATE TABLE Track (id serial PRIMARY KEY, name varchar(200) NOT NULL, code char(3), length real, ms integer,
        price numeric(10,2))]]
      c.store:model("Track", {
        id = id(), name = t.string { required = true }, code = t.string(), length = t.number(), ms = t.integer(),
        price = t.decimal { scale = 2 },
      })
      assert.same({}, c.store:bind())
    end)

    it("knows its partial and expression indexes again", function()
      local function declare(state)
        c.store:model("Job", {
          id = id(), state = t.string(), at = t.integer(), waiting = t.index { "at", where = { state = state } },
          by_state = t.index { "lower({state})" },
        })
      end
      declare "waiting"
      c.store:bind()
      assert.same({}, c.store:bind())
      assert.same({ [[(state = 'waiting'::text)]] },
        c:client "SELECT pg_get_expr(indpred, indrelid) FROM pg_index WHERE indpred IS NOT NULL")
    end)

    it("sorts descending indexes as queries do", function()
      local Post = c.store:model("Post", { id = id(), at = t.integer(), by_at = t.index { "-at" } })
      c.store:bind()
      c:client "INSERT INTO Post (at) SELECT generate_series(1, 20000); ANALYZE Post"
      assert.matches("Index Scan using", plan_of(Post:order "-at":limit(3)))
      assert.matches("Index Scan using", plan_of(Post:where { at__lt = 5000 }:order "-at":limit(3)))
      assert.matches("Index Scan Backward using", plan_of(Post:where { at__gt = 5 }:order "at":limit(3)))
    end)

    it("puts tables into schemas", function()
      local User = c.store:model("User", { id = id(), name = t.string { unique = true } }, { table = "shop.users" })
      local Order = c.store:model("Order", { id = id(), user = t.pointer "User", lower = t.index { "lower({note})" },
        note = t.string() }, { table = "shop.orders" })
      c.store:bind()
      assert.same({}, c.store:bind())
      assert.same({ "orders", "users" }, c:client "SELECT tablename FROM pg_tables WHERE schemaname = 'shop' ORDER BY 1")
      Order { user = User { name = "Ada" }, note = "x" }:save()
      assert.equal("Ada", Order:include "user":first().user.name)
      c.store:drop(Order)
      c.store:drop(User)
    end)

    it("makes indexes concurrently on request, and those anew whose making has failed", function()
      c:client "CREATE TABLE Item (id bigint PRIMARY KEY, a text); INSERT INTO Item VALUES (1, 'x'), (2, 'x')"
      local Item = c.store:model("Item", {
        id = t.integer { primary = true }, a = t.string { unique = true }, b = t.string { index = true },
      })
      local ok, e = pcall(c.store.bind, c.store, { concurrently = true })
      assert.is_false(ok)
      assert.equal("conflict", e.kind, tostring(e))
      Item:where { id = 2 }:update { a = "y" }
      local ran = table.concat(c.store:bind { concurrently = true }, "\n")
      assert.matches("DROP INDEX", ran)
      assert.matches('CREATE UNIQUE INDEX CONCURRENTLY "Item_a_key"', ran, 1, true)
      assert.same({}, c.store:bind())
      assert.same({ "t", "t", "t" }, c:client "SELECT indisvalid FROM pg_index WHERE indrelid = '\"Item\"'::regclass")
    end)

    it("makes no indexes concurrently inside a transaction, where PostgreSQL would refuse it", function()
      c.store:model("Item", { id = t.integer { primary = true }, a = t.string { index = true } })
      local ok, e = pcall(c.store.transaction, c.store, function() c.store:bind { concurrently = true } end)
      assert.is_false(ok)
      assert.matches("usage: indexes are made concurrently outside of transactions only", tostring(e))
      assert.same({}, c:tables())
    end)
  end)

  describe("conditions", function()
    local Note

    before_each(function()
      Note = c.store:model("Note", {
        id = id(), text = t.string { index = true }, n = t.integer(), tags = t.list(t.string()), data = t.json(),
      })
      c.store:bind()
      c.store:save {
        Note { text = "one\ntwo", n = 1, tags = { "a", "b" }, data = { k = 5 } }, Note { text = "Tide 12", n = 2, tags = {} },
        Note { text = "x", n = 9007199254740993 },
      }
    end)

    it("take regular expressions that mean the same, and refuse others", function()
      for pattern, found in pairs {
        ["^one$"] = 0, ["two$"] = 1, ["one.two"] = 0, ["[^x]two"] = 1, ["\\bTide\\b"] = 1, ["T(?:i|o)de \\d{2}"] = 1,
        ["^(?=T).*?2$"] = 1, ["***=x"] = false, ["{x"] = 0,
      } do
        local ok, e = pcall(function() assert.equal(found, Note:where { text__regex = pattern }:count(), pattern) end)
        assert.equal(found ~= false, ok, pattern .. ": " .. tostring(e))
      end
      for _, pattern in ipairs { "(?i)tide", "(a)\\1", "(?<=a)b", "a++", "[[:alpha:]]", "(?<n>a)", "\\x41", "\\p{L}" } do
        local ok, e = pcall(function() return Note:where { text__regex = pattern }:count() end)
        assert.is_false(ok, pattern)
        assert.equal("unsupported", e.kind, tostring(e))
      end
    end)

    it("give all operands of in as one array", function()
      local explained = Note:where { n__in = { 1, 2.0, 2.5 } }:explain()
      assert.matches('t0."n" = ANY ($1::bigint[])', explained.sql, 1, true)
      assert.equal("{1,2}", explained.params[1])
      assert.equal(2, Note:where { n__in = { 1, 2.0, 2.5 } }:count())
    end)

    it("compare integers and floats exactly, and by the index", function()
      assert.equal(0, Note:where { n = 9007199254740992.0 }:count())
      assert.equal(1, Note:where { n__gt = 9007199254740992.0 }:count())
      assert.equal(1, Note:where { n__lt = 1.5 }:count())
      assert.equal(3, Note:where { n__lt = 1e300 }:count())
    end)

    it("find what holds a NUL nowhere, for the server keeps none", function()
      assert.equal(0, Note:where { text = "x\0" }:count())
      assert.equal(3, Note:where { text__ne = "x\0" }:count())
      assert.equal(0, Note:where { text__contains = "\0" }:count())
      assert.equal(1, Note:where { text__in = { "x", "x\0" } }:count())
      assert.equal(0, Note:where { tags__has = "\0" }:count())
      assert.equal(0, Note:where { data = { k = "\0" } }:count())
      for _, key in ipairs { "data.k", "data.k.0" } do
        assert.equal(0, Note:where { [key .. "\0"] = { ["$exists"] = true } }:count())
        assert.equal(0, Note:where { [key .. "\0"] = 5 }:count())
        assert.equal(3, Note:order(key .. "\0"):count())
      end
    end)

    it("use GIN indexes of lists and of JSON, and the index of a prefix", function()
      c:client [[CREATE INDEX ON Note USING gin (tags); CREATE INDEX ON Note USING gin (data);
        INSERT INTO Note (text, tags, data) SELECT 'n' || i, ARRAY['t' || i], jsonb_build_array(i) FROM generate_series(1, 20000) i;
        ANALYZE Note]]
      assert.matches("Bitmap Index Scan on", plan_of(Note:where { tags__has = "t77" }))
      assert.matches("Bitmap Index Scan on", plan_of(Note:where { data__has = 77 }))
      assert.matches("Index", plan_of(Note:where { text__prefix = "n777" }))
    end)
  end)

  describe("writes", function()
    it("send lists of like objects as one statement", function()
      local User = c.store:model("User", { id = id(), mail = t.string { unique = true }, tags = t.list(t.string()), data = t.json(),
        by = t.bytes(), version = t.integer { version = true } })
      c.store:bind()
      local list = {}
      for i = 1, 300 do
        list[i] = User { mail = "m" .. i, tags = { 'a "q" \\ {},', "é" }, data = { i = i, s = "\n\"" }, by = neap.bytes "\0\xff" }
      end
      c.store:save(list)
      for i, user in ipairs(list) do assert.equal(i, user.id) end
      local last = User:get(300)
      assert.same({ 'a "q" \\ {},', "é" }, { table.unpack(last.tags) })
      assert.same({ 300, "\n\"" }, { last.data.i, last.data.s })
      assert.equal("\0\xff", last.by)
      for _, user in ipairs(list) do user.mail = user.mail .. "!" end
      c.store:save(list)
      assert.same({ "300" }, c:client "SELECT count(*) FROM User WHERE mail = 'm' || id || '!' AND version = 2")
    end)

    it("write lists as they write single objects, whatever type a value has", function()
      local Everything = c.store:model("Everything", {
        { "id", t.integer { primary = true } }, { "s", t.string() }, { "i", t.integer() }, { "n", t.number() }, { "d", t.decimal() },
        { "b", t.boolean() }, { "at", t.datetime() }, { "ts", t.timestamp() }, { "day", t.date() }, { "u", t.uuid() },
        { "blob", t.bytes() }, { "j", t.json() }, { "l", t.list(t.string()) }, { "m", t.map(t.integer()) }, { "g", t.geopoint() },
      })
      c.store:bind()
      local values = {
        { s = "", i = math.mininteger, n = 3, d = "-1.50", b = false, at = "1900-01-01T00:00:00.000001Z", ts = "1970-01-01T00:00:00Z",
          day = "1999-12-31", u = "00000000-0000-0000-0000-0000000000ff", blob = neap.bytes "\0\255", j = 1, l = {}, m = {},
          g = { latitude = 1.5, longitude = -2 } },
        { s = 'a "b" {c}, é', i = 5, n = math.huge, d = "12345678901234567890.5", b = true, at = "2024-05-01T10:00:00Z",
          ts = "2024-05-01T10:00:09Z", day = "0001-01-01", u = "FFFFFFFF-0000-4000-8000-ABCDEFABCDEF",
          blob = neap.bytes "", j = neap.null, l = { "x", "NULL" },
          m = { a = 1 } },
        {},
        { s = "last", j = { a = { 1, "two" } }, n = -0.5 },
      }
      local function object(i, first)
        local fields = { id = first + i }
        for name, value in pairs(values[i]) do fields[name] = value end
        return Everything(fields)
      end
      local list = {}
      for i = 1, #values do
        object(i, 10):save()
        list[i] = object(i, 20)
      end
      c.store:save(list)
      local rest = "s, i, n, d, b, at, ts, day, u, blob, j, l, m, g FROM Everything WHERE id"
      local single = c:client("SELECT id - 10, " .. rest .. " < 20 ORDER BY id")
      assert.equal(4, #single)
      assert.same(single, c:client("SELECT id - 20, " .. rest .. " > 20 ORDER BY id"))
      for i = 1, 2 do list[i].i, list[i].at, list[i].u, list[i].j = nil, nil, nil, nil end
      c.store:save { list[1], list[2] }
      assert.same({ "21|t", "22|t" },
        c:client "SELECT id, num_nulls(i, at, u, j) = 4 FROM Everything WHERE id IN (21, 22) ORDER BY id")
    end)

    it("find each object that fails among many; the others stand", function()
      local User = c.store:model("User", { id = id(), mail = t.string { unique = true } })
      c.store:bind()
      User { mail = "m7" }:save()
      User { mail = "m90" }:save()
      local list = {}
      for i = 1, 100 do list[i] = User { mail = "m" .. i } end
      local ok, e = pcall(c.store.save, c.store, list)
      assert.is_false(ok)
      assert.equal("batch", e.kind, tostring(e))
      assert.same({ 7, 90 }, { e.errors[1].index, e.errors[2].index })
      assert.equal(2, #e.errors)
      assert.same({ mail = "is taken by another row" }, e.errors[1].error.errors)
      assert.equal(100, User:count())
    end)

    it("tell what an upsert has made from what was there, in one statement", function()
      local User = c.store:model("User", { id = id(), mail = t.string { unique = true }, n = t.integer() })
      c.store:bind()
      local a, new = User:upsert({ mail = "a", n = 1 }, { "mail" })
      local b, newer = User:upsert({ mail = "a", n = 2 }, { "mail" })
      assert.same({ true, false }, { new, newer })
      assert.equal(a.id, b.id)
      assert.same({ "a|2" }, c:client "SELECT mail, n FROM User")
    end)

    it("of a list in which one fails leave the transaction as it was before them", function()
      local User = c.store:model("User", { id = id(), mail = t.string { unique = true } })
      c.store:bind()
      c.store:transaction(function()
        local ok, e = pcall(c.store.save, c.store, { User { mail = "a" }, User { mail = "b" }, User { mail = "a" } })
        assert.is_false(ok)
        assert.equal("batch", e.kind, tostring(e))
        User { mail = "c" }:save()
      end)
      assert.same({ "c" }, c:client "SELECT mail FROM User ORDER BY 1")
    end)
  end)
end)
