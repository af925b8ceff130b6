-- Bad input: every fault is an error object that names model, field and value and says what is allowed, and nothing is
-- written. The sqlite3 command looks at the file as another client.
local neap = require "neap"
local t = neap.types

local path, store, User

local function client(sql)
  local pipe = assert(io.popen(('sqlite3 -batch %s "%s" 2>&1'):format(path, sql)))
  local text = pipe:read "a"
  pipe:close()
  return (text:gsub("\n$", ""))
end

--- The error that f raises.
local function fault(f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok, "nothing was raised")
  assert.equal("table", type(e), tostring(e))
  assert.truthy(e.kind)
  return e
end

--- The text of the error and of what it lists has every one of the words.
local function says(e, ...)
  local text = tostring(e)
  for field, message in pairs(e.errors or {}) do text = text .. " " .. tostring(field) .. " " .. tostring(message) end
  for _, word in ipairs { ... } do assert.truthy(text:find(word, 1, true), ("no %q in: %s"):format(word, text)) end
  return text
end

local function nothing_written()
  assert.equal("1", client "SELECT count(*) FROM User")
  assert.equal("Ada|36|pw|1.50", client "SELECT name, age, password, balance FROM User")
end

describe("bad input", function()
  before_each(function()
    path = os.tmpname()
    store = neap.open("sqlite:" .. path)
    User = store:model("User", {
      id = t.integer { primary = true, auto = true },
      name = t.string { required = true, max = 10, match = "^[A-Z]" },
      age = t.integer { min = 0, max = 150 },
      role = t.string { one_of = { "reader", "writer" } },
      password = t.string { secret = true, max = 8 },
      balance = t.decimal { scale = 2 },
      score = t.number(),
      born = t.date(),
      data = t.json(),
    })
    store:bind()
    User:create { name = "Ada", age = 36, password = "pw", balance = "1.50" }
  end)

  after_each(function()
    store:close()
    for _, suffix in ipairs { "", "-wal", "-shm" } do os.remove(path .. suffix) end
  end)

  describe("in an object", function()
    after_each(nothing_written)

    it("names the nearest field for an unknown one, in a constructor and in an assignment", function()
      local e = fault(User, { nmae = "Ben" })
      assert.is_true(neap.is(e, "usage") or neap.is(e, "validation"))
      says(e, "User", "nmae", "name")
      says(fault(function() User:first().agee = 3 end), "User", "agee", "age")
    end)

    it("refuses values of another type, each with what would do", function()
      says(fault(User, { name = "Ben", age = "20" }), "User", "age", "20", "integer")
      says(fault(User, { name = "Ben", age = 5.5 }), "User", "age", "5.5", "integer")
      says(fault(User, { name = 7 }), "User", "name", "7", "string")
      says(fault(User, { name = "Ben", balance = 1.5 }), "User", "balance", "1.5", "decimal")
      says(fault(User, { name = "Ben", born = "yesterday" }), "User", "born", "yesterday", "date")
      says(fault(User, { name = "Ben", score = 0 / 0 }), "User", "score", "nan")
      says(fault(User, { name = "Ben", data = print }), "User", "data", "function")
    end)

    it("reports all faults together, the first field's in the message", function()
      local e = fault(User, { age = 200, name = "Bartholomew", nmae = 1, role = "king" })
      assert.matches('^User.name: "Bartholomew" is wrong; .*; 3 more in e.errors$', e.message)
      assert.matches("^User.age: 200 is wrong", e.errors.age)
      assert.matches("^User has no field nmae; did you mean name?", e.errors.nmae)
      e = fault(function() User:where { id = 1 }:update { age = 200, name = neap.null, role = "king" } end)
      assert.equal("User.name must have a value (required); 2 more in e.errors", e.message)
      says(e, "User.age: 200 is wrong", "User.role")
    end)

    it("refuses text that is too long, does not match, is no UTF-8 or has a NUL", function()
      local e = fault(User, { name = "Bartholomew" })
      assert.is_true(neap.is(e, "validation"))
      says(e, "User", "name", "Bartholomew", "10")
      says(fault(User, { name = "ben" }), "User", "name", "ben", "^[A-Z]")
      says(fault(User, { name = "B\xff" }), "User", "name", "UTF-8")
      says(fault(User, { name = "B\0n" }), "User", "name", "NUL")
    end)

    it("refuses numbers out of range and words that are not on the list", function()
      says(fault(User, { name = "Ben", age = 151 }), "User", "age", "151", "150")
      says(fault(User, { name = "Ben", age = -1 }), "User", "age", "-1", "0")
      says(fault(User, { name = "Ben", role = "king" }), "User", "role", "king", "reader", "writer")
    end)

    it("tells at save what is required and missing", function()
      local e = fault(function() User { age = 3 }:save() end)
      assert.is_true(neap.is(e, "validation"), tostring(e))
      says(e, "User", "name", "required")
      says(fault(function() local u = User:first() u.name = nil u:save() end), "User", "name")
    end)

    it("knows no options but those of the manual", function()
      local ada = User:first()
      says(fault(ada.save, ada, { forse = true }), "forse", "force")
      says(fault(ada.delete, ada, { forse = true }), "forse", "force")
      says(fault(ada.save, ada, "x"), "options", "x")
      says(fault(store.bind, store, { upate = true }), "upate", "update")
      says(fault(User.page, User, { siz = 10 }), "siz", "size")
      says(fault(User.each, User, { bach = 10 }), "bach", "batch")
      says(fault(User.update, User, { name = "x" }, { al = true }), "al", "all")
    end)

    it("never shows the value of a secret field", function()
      local text = says(fault(User, { name = "Ben", password = "correct horse" }), "User", "password", "***", "8")
      assert.is_nil(text:find("correct", 1, true))
      text = says(fault(User, { name = "Ben", password = 12345 }), "User", "password", "***")
      assert.is_nil(text:find("12345", 1, true))
    end)

    it("never shows what a secret map, a secret key or a condition on them holds", function()
      local Vault = store:model("Vault", {
        token = t.string { primary = true, secret = true },
        pins = t.map(t.integer(), { secret = true }),
        data = t.json { secret = true },
      })
      store:bind()
      for _, e in ipairs {
        fault(Vault, { pins = { hunter2 = "x" } }), fault(Vault, { data = { hunter2 = print } }),
        fault(Vault.get, Vault, "hunter2"), fault(Vault.where, Vault, { token__in = "hunter2" }),
        fault(function() Vault:where { token = "hunter2" }:one() end),
      } do
        assert.is_nil(says(e, "Vault", "***"):find("hunter", 1, true))
      end
    end)

    it("refuses nesting without end", function()
      local deep = {}
      for _ = 1, 10000 do deep = { deep } end
      says(fault(User, { name = "Ben", data = deep }), "data")
      local loop = {}
      loop[1] = loop
      says(fault(User, { name = "Ben", data = loop }), "data")
    end)

    it("refuses numbers that nothing can hold, and gigantic exponents cost nothing", function()
      says(fault(User, { name = "Ben", balance = "1e99999999999" }), "User", "balance", "1e99999999999")
      says(fault(neap.decimal, "1e99999999999"), "1e99999999999")
      assert.has_error(function() neap.json.decode(("["):rep(100000)) end)
    end)
  end)

  describe("in a query", function()
    after_each(nothing_written)

    it("names the nearest operator and the nearest field", function()
      says(fault(User.where, User, { age__gtee = 3 }), "gtee", "gte")
      says(fault(User.where, User, { aeg = 3 }), "User", "aeg", "age")
      says(fault(User.where, User, { age = { ["$gtt"] = 3 } }), "$gtt")
      says(fault(User.order, User, "-agee"), "User", "agee", "age")
    end)

    it("takes nil for no value at all", function()
      says(fault(User.where, User, "name", nil), "name")
      says(fault(User.where, User, { age__in = { 1, nil, 3 } }), "User.age in got nil")
    end)

    it("says how many values an operator takes", function()
      says(fault(User.where, User, { age__between = { 1 } }), "User.age between takes two values", "not 1")
    end)

    it("changes no whole table by mistake", function()
      says(fault(function() User:update { age = 1 } end), "User", "all")
      says(fault(function() User:where {}:delete() end), "User", "all")
    end)

    it("checks what a set-based update would write", function()
      says(fault(function() User:where { name = "Ada" }:update { age = 1000 } end), "User", "age", "1000", "150")
      says(fault(function() User:where { name = "Ada" }:update { agee = 1 } end), "User", "agee", "age")
    end)

    it("binds values: text is never SQL", function()
      assert.equal(0, User:where { name = "x'; DROP TABLE User; --" }:count())
    end)

    it("says what is wrong with raw SQL", function()
      assert.is_true(neap.is(fault(store.sql, store, "SELEKT 1"), "usage"))
      says(fault(store.sql, store, "SELECT ?", {}), "value")
      says(fault(store.sql, store, "SELECT 1; DELETE FROM User"), "one statement")
    end)
  end)

  describe("in a declaration", function()
    local function declare(name, fields, options)
      return fault(store.model, store, name, fields, options)
    end

    it("refuses a field that bears the name of a method", function()
      local e = declare("Bad", { id = t.integer { primary = true }, save = t.string() })
      assert.is_true(neap.is(e, "usage"))
      says(e, "Bad", "save", "column")
    end)

    it("refuses NUL in every name", function()
      says(declare("Bad\0", { id = t.integer { primary = true } }), "NUL")
      says(fault(store.model, store, "User\0"), "NUL")
      says(declare("Bad", { id = t.integer { primary = true }, ["a\0b"] = t.string() }), "NUL")
      says(declare("Bad", { id = t.integer { primary = true }, a = t.string { column = "a\0b" } }), "NUL")
      says(declare("Bad", { id = t.integer { primary = true } }, { table = "a\0b" }), "NUL")
    end)

    it("refuses empty names for the store, and SQL about columns that are not there", function()
      says(declare("Bad", { id = t.integer { primary = true, column = "" } }), "Bad", "column of id", "empty")
      says(declare("Bad", { id = t.integer { primary = true } }, { table = "" }), "Bad", "table", "empty")
      says(declare("Bad", { id = t.integer { primary = true }, c = t.computed(t.integer(), { sql = "{idd} + 1" }) }),
        "Bad.c", "{idd}", "did you mean id?")
    end)

    it("refuses __ in a name, unknown options and a model without a key", function()
      says(declare("Bad", { id = t.integer { primary = true }, a__b = t.string() }), "a__b", "__")
      says(declare("Bad", { id = t.integer { primary = true }, a = t.string { requird = true } }), "requird", "required")
      says(declare("Bad", { a = t.string() }), "Bad", "primary")
    end)
  end)

  describe("in a URL", function()
    it("says how URLs look", function()
      says(fault(neap.open, "shop.db"), "shop.db", "sqlite:")
      says(fault(neap.open, "sqlit:shop.db"), "sqlit", "sqlite")
      says(fault(neap.open, "sqlite:"), "sqlite:")
      says(fault(neap.open, "sqlite:a.db?tiemout=3"), "tiemout", "timeout")
      says(fault(neap.open, "sqlite:a\0b.db"), "NUL")
      says(fault(neap.open, 7), "URL")
      says(fault(neap.open, { url = "sqlite:a.db", tiemout = 3 }), "tiemout", "timeout")
    end)

    it("has options of the right type", function()
      says(fault(neap.open, { url = "sqlite::memory:", timeout = "soon" }), "timeout", '"soon"')
      says(fault(neap.open, { url = "sqlite::memory:", table_template = "test" }), "table_template", "{table}", '"test"')
      says(fault(store.with, store), "options must be a table")
      says(fault(store.with, store, { scope = "User" }), "scope must be a table")
      says(fault(store.transaction, store, print, 5), "options must be a table")
      says(fault(store.transaction, store, print, { retries = "x" }), "retries must be an integer")
    end)

    it("shows no password", function()
      local text = says(fault(neap.open, "nosuch://user:hunter2@host/db"), "nosuch")
      assert.is_nil(text:find("hunter2", 1, true))
    end)

    it("says what cannot be opened", function()
      local e = fault(neap.open, "sqlite:/nowhere/at/all.db")
      assert.is_true(neap.is(e, "connection"))
      says(e, "/nowhere/at/all.db")
    end)

    it("finds no server where the URL names none", function()
      for _, url in ipairs { "postgres://ada@/shop?hostaddr=127.0.0.1&port=1", "postgres:///shop?port=1" } do
        local e = fault(function() return neap.open(url):sql "SELECT 1" end)
        assert.is_true(neap.is(e, "connection"), tostring(e))
      end
    end)
  end)

  describe("from a file", function()
    it("that is no database", function()
      local name = os.tmpname()
      local file = assert(io.open(name, "w"))
      file:write(("this is not a database\n"):rep(100))
      file:close()
      local e = fault(neap.open, "sqlite:" .. name)
      assert.is_true(neap.is(e, "connection"))
      says(e, name, "not an SQLite database")
      assert.equal("this is not a database", io.lines(name)())
      os.remove(name)
    end)

    it("that another program has locked", function()
      store:close()
      assert(os.execute("mkfifo " .. path .. ".fifo"))
      local locker = assert(io.popen(("sqlite3 %s"):format(path), "w"))
      locker:write("BEGIN IMMEDIATE;\n.shell echo locked > ", path, ".fifo\n")
      locker:flush()
      assert.equal("locked", io.lines(path .. ".fifo")())
      store = neap.open { url = "sqlite:" .. path, timeout = 0 }
      local Locked = store:model("User", { id = t.integer { primary = true, auto = true }, name = t.string() })
      local e = fault(function() Locked { name = "Ben" }:save() end)
      assert.is_true(neap.is(e, "conflict"), tostring(e))
      assert.is_true(e.retryable)
      says(e, path, "locked")
      locker:write "ROLLBACK;\n"
      locker:close()
      nothing_written()
      os.remove(path .. ".fifo")
    end)

    it("that is opened for reading only", function()
      store:close()
      store = neap.open("sqlite:" .. path .. "?mode=ro")
      local Reader = store:model("User", { id = t.integer { primary = true, auto = true }, name = t.string() })
      assert.equal(1, Reader:count())
      local e = fault(function() Reader { name = "Ben" }:save() end)
      assert.is_true(neap.is(e, "forbidden"), tostring(e))
      nothing_written()
    end)

    it("that is full, and nothing of a list is written", function()
      store:sql "PRAGMA max_page_count = 1"  -- SQLite takes it as: not one page more
      local list = {}
      for i = 1, 5000 do list[i] = User { name = "Ben", age = i % 100, data = { text = ("x"):rep(200) } } end
      local e = fault(function() store:transaction(function() store:save(list) end) end)
      assert.equal("SQLITE_FULL", e.code, tostring(e))
      says(e, path, "full")
      assert.is_true(list[1]:is_new())
      nothing_written()
      User:create { name = "Cleo" }
      assert.equal("2", client "SELECT count(*) FROM User")
    end)
  end)
end)
