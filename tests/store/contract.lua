-- contract.lua: one set of specs over every store: a fresh database each, its capability table, and another client that
-- sees what is really there.
--
--   contract.each("saving", function(c)
--     it("keeps what was saved", function()
--       local Post = c.store:model("Post", { ... })
--       c.store:bind()
--       Post{ id = 1 }:save()
--       assert.same({ "1" }, c:rows("Post", "id"))
--     end)
--   end)
--
-- c:rows, c:set and c:erase are that client's on every store; what asks it in SQL is a set for contract.sql.
local busted = require "busted"
local neap = require "neap"

local contract = { stores = {} }

--- What a command prints when it reads the text, line by line.
local function lines_of(command, text)
  local input = os.tmpname()
  local file = assert(io.open(input, "w"))
  file:write(text, ";\n")
  file:close()
  local pipe = assert(io.popen(("%s < %s 2>&1"):format(command, input)))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  pipe:close()
  os.remove(input)
  return lines
end

local function quoted(names)
  return '"' .. table.concat(names, '", "') .. '"'
end

-- What the other client does on every store, here in SQL.
local in_sql = {
  --- The values of columns, "a|b", one line a row, in their order.
  rows = function(self, name, ...)
    local places = {}
    for i = 1, select("#", ...) do places[i] = i end
    return self:client(('SELECT %s FROM "%s" ORDER BY %s'):format(quoted { ... }, name, table.concat(places, ", ")))
  end,
  --- Changes one row, as others might do meanwhile, whatever it points to then: set("posts", { id = 1 }, { views = 5 }).
  set = function(self, name, key, values)
    local function pairs_of(list, between)
      local parts = {}
      for column, value in pairs(list) do
        local text = type(value) == "table" and neap.json.encode(value) or tostring(value)
        if value == neap.null then text = "NULL" elseif type(value) ~= "number" then text = "'" .. text .. "'" end
        parts[#parts + 1] = ('"%s" = %s'):format(column, text)
      end
      return table.concat(parts, between)
    end
    self:unchecked(('UPDATE "%s" SET %s WHERE %s'):format(name, pairs_of(values, ", "), pairs_of(key, " AND ")))
  end,
  --- Deletes one row, whatever points to it.
  remove = function(self, name, key)
    local column, value = next(key)
    self:unchecked(('DELETE FROM "%s" WHERE "%s" = %s'):format(name, column, value))
  end,
  --- Deletes a table.
  take_away = function(self, name) self:unchecked(('DROP TABLE "%s"'):format(name)) end,
  --- All that is in these tables, a line each row.
  dump = function(self, names)
    local selects = {}
    for i, name in ipairs(names) do selects[i] = ('SELECT * FROM "%s"'):format(name) end
    return self:client(table.concat(selects, "; "))
  end,
  --- Deletes all rows.
  erase = function(self, name) self:client(('DELETE FROM "%s"'):format(name)) end,
}

--- A key that is counted up: by the store, or by the spec where the store counts nothing.
local function counted_by_store() return neap.types.integer { primary = true, auto = true } end

contract.stores.sqlite = {
  sql = true,
  counted = counted_by_store,
  rows = in_sql.rows, set = in_sql.set, erase = in_sql.erase, remove = in_sql.remove, take_away = in_sql.take_away,
  dump = in_sql.dump,
  --- Makes an empty database and gives its URL, or options and the URL that says the same.
  fresh = function(self)
    self.path = os.tmpname()
    return "sqlite:" .. self.path
  end,
  drop = function(self)
    for _, suffix in ipairs { "", "-wal", "-shm", "-journal" } do os.remove(self.path .. suffix) end
  end,
  one_writer = true,  -- who writes has the database for himself
  client = function(self, sql) return lines_of("sqlite3 -batch " .. self.path, sql) end,
  --- A list of texts as the client shows it.
  list = function(_, text) return text end,
  --- The same where rows may be left that point to nothing.
  unchecked = function(self, sql) return self:client("PRAGMA foreign_keys = OFF; " .. sql) end,
  --- The columns of a table, in order.
  columns = function(self, name) return self:client(("SELECT name FROM pragma_table_info('%s')"):format(name)) end,
  --- All tables.
  tables = function(self) return self:client "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1" end,
  --- The columns of its key, in order.
  keys = function(self, name)
    return self:client(("SELECT name FROM pragma_table_info('%s') WHERE pk > 0 ORDER BY pk"):format(name))
  end,
  --- The references of a table: column|table|column|what deleting does.
  references = function(self, name)
    return self:client(([[SELECT "from", "table", "to", on_delete FROM pragma_foreign_key_list('%s') ORDER BY 1]]):format(name))
  end,
  --- Its indexes, but for that of its key: unique|columns.
  indexes = function(self, name)
    return self:client(([[SELECT i."unique", group_concat(x.name || iif(x."desc", ' desc', ''), ', ')
      FROM pragma_index_list('%s') i, pragma_index_xinfo(i.name) x WHERE x.key = 1 AND i.origin = 'c'
      GROUP BY i.name ORDER BY 1, 2]]):format(name))
  end,
  -- Design, section 4: what store:supports must say.
  capabilities = {
    transactions = true, savepoints = true, joins = true, aggregates = true, conditions = true, sql = true, unique = true,
    returning = true, streams = false, for_update = false, null = false, checks = false, commands = false, requests = false,
    functions = false, push = false, channels = false, copy = false,
  },
}

-- A neap of the tests' own takes SQLite for a store that only has rows: memory_test.sh.
if os.getenv "NEAP_TEST_PLAIN" then contract.stores.sqlite.plain = true end

-- ---- PostgreSQL: a database for each set of specs, emptied before every spec, in the server of NEAP_TEST_POSTGRES ----

local server = os.getenv "NEAP_TEST_POSTGRES"

local function psql(url, sql)
  return lines_of("psql -qAtX -v VERBOSITY=terse " .. url, sql)
end

--- Runs what must not say anything.
local function quietly(url, sql)
  local said = psql(url, "SET client_min_messages = error; " .. sql)
  assert(#said == 0, said[1])
end

--- Names of models stand in the statements of specs without quotes.
local function quote_models(sql)
  return (sql:gsub("%f[%w_'\"]%u[%w_]*%l[%w_]*%f[^%w_]", '"%0"'))
end

contract.stores.postgres = server and {
  sql = true,
  counted = counted_by_store,
  rows = in_sql.rows, set = in_sql.set, erase = in_sql.erase, remove = in_sql.remove, take_away = in_sql.take_away,
  dump = in_sql.dump,
  setup = function(self)
    self.database = "spec_" .. os.tmpname():gsub("%W", "")
    self.path = server:gsub("[^/]*$", self.database)
    quietly(server, ('CREATE DATABASE "%s"'):format(self.database))
  end,
  fresh = function(self)
    quietly(self.path, "DROP SCHEMA IF EXISTS public, shop CASCADE; CREATE SCHEMA public")
    return self.path
  end,
  drop = function() end,
  teardown = function(self) quietly(server, ('DROP DATABASE "%s" WITH (FORCE)'):format(self.database)) end,
  client = function(self, sql) return psql(self.path, quote_models(sql)) end,
  list = function(_, text) return (text:gsub("%[(.-)%]", "{%1}"):gsub('"', "")) end,
  unchecked = function(self, sql) return self:client("SET session_replication_role = replica; " .. sql) end,
  columns = function(self, name)
    return psql(self.path, ([[SELECT attname FROM pg_attribute WHERE attrelid = '"%s"'::regclass AND attnum > 0
      ORDER BY attnum]]):format(name:gsub('"', '""')))
  end,
  keys = function(self, name)
    return psql(self.path, ([[SELECT attname FROM pg_constraint k, unnest(conkey) WITH ORDINALITY c (n, place), pg_attribute
      WHERE contype = 'p' AND conrelid = '"%s"'::regclass AND attrelid = conrelid AND attnum = c.n ORDER BY place]]):format(name))
  end,
  references = function(self, name)
    return psql(self.path, ([[SELECT a.attname, f.relname, b.attname, CASE confdeltype WHEN 'c' THEN 'CASCADE'
        WHEN 'r' THEN 'RESTRICT' WHEN 'n' THEN 'SET NULL' ELSE 'NO ACTION' END
      FROM pg_constraint JOIN pg_class f ON f.oid = confrelid JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = conkey[1]
        JOIN pg_attribute b ON b.attrelid = confrelid AND b.attnum = confkey[1]
      WHERE contype = 'f' AND conrelid = '"%s"'::regclass ORDER BY 1]]):format(name))
  end,
  indexes = function(self, name)
    return psql(self.path, ([[SELECT indisunique::int, string_agg(attname || CASE WHEN indoption[n] & 1 = 1 THEN ' desc' ELSE '' END,
        ', ' ORDER BY n)
      FROM pg_index, generate_series(0, indnkeyatts - 1) n, pg_attribute
      WHERE indrelid = '"%s"'::regclass AND NOT indisprimary AND attrelid = indrelid AND attnum = indkey[n]
      GROUP BY indexrelid, indisunique ORDER BY 1, 2]]):format(name))
  end,
  tables = function(self)
    return psql(self.path, "SELECT tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information)' ORDER BY 1")
  end,
  capabilities = {
    transactions = true, savepoints = true, joins = true, aggregates = true, conditions = true, sql = true, unique = true,
    returning = true, streams = false, for_update = true, null = false, checks = false, commands = false, requests = false,
    functions = false, push = false, channels = true, copy = true,
  },
}
if not server then print "postgres: left out, NEAP_TEST_POSTGRES names no server" end

-- ---- DynamoDB: tables with names of their own for each spec, in the server of NEAP_TEST_DYNAMODB ----

local endpoint = os.getenv "NEAP_TEST_DYNAMODB"
local prefixes = 0

--- What the other client prints.
local function dynamodb(...)
  local words = { "tests/services/dynamodb_client", endpoint, ... }
  for i, word in ipairs(words) do words[i] = "'" .. word:gsub("'", "'\\''") .. "'" end
  return lines_of(table.concat(words, " "), "")
end

local function quietly_dynamodb(...)
  local said = dynamodb(...)
  assert(#said == 0, said[1])
end

contract.stores.dynamodb = endpoint and {
  setup = function(self) self.set_prefix = "spec_" .. os.tmpname():gsub("%W", "") end,
  fresh = function(self)
    prefixes = prefixes + 1
    self.prefix = ("%s_%d_"):format(self.set_prefix, prefixes)
    local url, template = "dynamodb://us-east-1?endpoint=" .. endpoint, self.prefix .. "{table}"
    local options = { url = url, access_key = "spec", secret_key = "spec", scan = true, table_template = template }
    return options, ("%s&access_key=spec&secret_key=spec&scan=true&table_template=%s"):format(url, template)
  end,
  drop = function() end,
  teardown = function(self) quietly_dynamodb("drop", self.set_prefix) end,
  counted = function()
    local n = 100
    return neap.types.integer { primary = true, default = function()
      n = n + 1
      return n
    end }
  end,
  rows = function(self, name, ...) return dynamodb("rows", self.prefix .. name, ...) end,
  set = function(self, name, key, values)
    quietly_dynamodb("set", self.prefix .. name, neap.json.encode(key), neap.json.encode(values))
  end,
  erase = function(self, name) quietly_dynamodb("erase", self.prefix .. name) end,
  remove = function(self, name, key) quietly_dynamodb("remove", self.prefix .. name, neap.json.encode(key)) end,
  take_away = function(self, name) quietly_dynamodb("drop", self.prefix .. name) end,
  tables = function(self) return dynamodb("tables", self.prefix) end,
  dump = function(self, names)
    local tables = {}
    for i, name in ipairs(names) do tables[i] = self.prefix .. name end
    return dynamodb("dump", table.unpack(tables))
  end,
  --- An operation and its reply, as the wire has them.
  call = function(_, operation, request)
    local input = os.tmpname()
    local file <close> = assert(io.open(input, "w"))
    file:write(neap.json.encode(request))
    file:flush()
    local pipe <close> = assert(io.popen(("tests/services/dynamodb_client %s call %s < %s"):format(endpoint, operation, input)))
    local reply = pipe:read "a"
    os.remove(input)
    return neap.json.decode(reply)
  end,
  list = function(_, text) return text end,
  capabilities = {
    transactions = true, savepoints = false, joins = true, aggregates = true, conditions = true, sql = false,
    unique = false, returning = true, streams = true, for_update = false, null = true, checks = true, commands = false,
    requests = true, functions = false, push = false, channels = false, copy = false,
  },
}
if not endpoint then print "dynamodb: left out, NEAP_TEST_DYNAMODB names no server" end

--- `it`, or what leaves a spec out: c.can "joins" ("follows pointers", function() ... end).
local function can(c)
  return function(capability)
    return c.capabilities[capability] and busted.it or function() end
  end
end

local function describe(store, name, body)
  local c = setmetatable({ name = store }, { __index = contract.stores[store] })
  c.can = can(c)
  busted.describe(name .. " on " .. store, function()
    if c.setup then busted.setup(function() c:setup() end) end
    if c.teardown then busted.teardown(function() c:teardown() end) end
    busted.before_each(function()
      local url, text = c:fresh()
      c.url, c.text_url = url, text or url
      c.store = neap.open(c.url)
    end)
    busted.after_each(function()
      c.store:close()
      c:drop()
    end)
    body(c)
  end)
end

local function over(name, body, only)
  local names = {}
  for store, one in pairs(contract.stores) do
    if not only or one[only] then names[#names + 1] = store end
  end
  table.sort(names)
  for _, store in ipairs(names) do describe(store, name, body) end
end

--- Runs the specs in body(c) over each store. c.store and c.url are new in every spec; c.text_url is
--- the same as c.url, for a command.
---@param name string
---@param body fun(c: table)
function contract.each(name, body) over(name, body) end

--- Runs them over each store that speaks SQL; c:client(text) asks another program in it.
function contract.sql(name, body) over(name, body, "sql") end

--- Runs them over one store, if it is there.
function contract.only(store, name, body)
  if contract.stores[store] then describe(store, name, body) end
end

return contract
