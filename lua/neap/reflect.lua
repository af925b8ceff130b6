-- reflect.lua: models of a database that is there already: what neap.reflect declares and `neap models` prints.
--
-- Each model is described first, as data: name, table, and for each field its name, the word of its type, what that
-- takes and its options. Names stay as they are in the database but where Lua or neap takes them for something else.
local host = require "neap.host"
local model = require "neap.model"
local schema = require "neap.schema"
local types = require "neap.types"
local usage = require "neap.fail".usage
local view = require "neap.view"

local reflect = {}

local MOST_KEYS = 4
local own_tables = { neap_migrations = true, neap_migration_batches = true }
local lua_words = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat return then true until
  while]]):gmatch "%a+" do lua_words[word] = true end

-- ---- Names ----

--- A name that a field may bear and that no other has.
local function field_name(taken, name)
  name = name:gsub("__+", "_"):gsub("[%z.]", "_"):gsub("^[$-]+", "")
  if name == "" or not utf8.len(name) then name = "column" end
  if lua_words[name] or model.reserved[name] then name = name .. "_" end
  while taken[name] do name = name .. "_" end
  taken[name] = true
  return name
end

--- blog_posts -> BlogPosts; shop.orders -> ShopOrders.
local function model_name(path)
  local name = ("_" .. path):gsub("[^%w\x80-\xff]+([%w\x80-\xff]?)", function(first) return first:upper() end)
  return name ~= "" and name or "Table"
end

local function last_part(path) return path:match "([^.]+)$" or path end

-- ---- Which tables ----

--- The name that a declaration gives a table: without what the store's template puts around it.
local function strip(store, path)
  local given = view.shared(store).given
  local template = type(given) == "table" and given.table_template
  if not template then return path end
  local before, after = template:match "^(.-){table}(.*)$"
  local place, name = path:match "^(.-%.?)([^.]+)$"
  if #name <= #before + #after or name:sub(1, #before) ~= before then return nil end
  if after ~= "" and name:sub(-#after) ~= after then return nil end
  return place .. name:sub(#before + 1, -#after - 1)
end

local Reflection = {}
Reflection.__index = Reflection

function Reflection:leave(table, column, reason)
  self.left[#self.left + 1] = { table = table, column = column, reason = reason }
end

--- What keeps a virtual table of SQLite, and the table itself.
local function virtuals(tables)
  local found = {}
  for _, t in ipairs(tables) do
    if t.text and t.text:upper():find "^CREATE%s+VIRTUAL" then found[#found + 1] = t.name .. "_" end
  end
  return function(t)
    for _, prefix in ipairs(found) do
      if t.name .. "_" == prefix or t.name:sub(1, #prefix) == prefix then return true end
    end
    return false
  end
end

--- The tables to reflect: not those that neap or the database keeps for itself.
function Reflection:choose(only)
  local virtual, wanted, seen = virtuals(self.tables), {}, {}
  for _, path in ipairs(only or {}) do wanted[self.db.fold(path)] = true end
  for _, t in ipairs(self.tables) do
    local path = strip(self.store, t.path)
    local system = t.part or own_tables[t.name] or t.name:find "^sqlite_"
    if path and not system and (not only or wanted[self.db.fold(path)]) then
      seen[self.db.fold(path)] = true
      self:choose_one(t, path, virtual(t))
    end
  end
  for _, path in ipairs(only or {}) do
    if not seen[self.db.fold(path)] then usage("there is no table %s in the database", host.show_key(path)) end
  end
end

function Reflection:choose_one(t, path, virtual)
  local lower = path:lower()
  local _, dots = path:gsub("%.", "")
  if virtual then return self:leave(path, nil, "a virtual table; store:sql reads it") end
  local most = not self.db.schema_of and math.huge or t.path == t.name and 0 or 1
  if dots > most then return self:leave(path, nil, "a point in its name") end
  if self.paths[lower] then return self:leave(path, nil, "its name and " .. self.paths[lower] .. " are one in neap") end
  self.paths[lower] = path
  t.wire = path
  self.chosen[#self.chosen + 1] = t
end

-- ---- Keys ----

--- The columns of the unique index that serves as a key: the shortest, then the first by name.
local function unique_key(t, fold)
  local found = {}
  for name, index in pairs(t.indexes) do
    local serves = index.unique and not index.broken and index.parts and #index.parts <= MOST_KEYS
    for _, part in ipairs(index.parts or {}) do
      local column = t.columns[fold(part)]
      serves = serves and column and column.required
    end
    if serves then found[#found + 1] = { name = name, parts = index.parts } end
  end
  table.sort(found, function(a, b) return #a.parts < #b.parts or #a.parts == #b.parts and a.name < b.name end)
  return found[1] and found[1].parts
end

--- The names of the columns that tell one row from another, nil where nothing says so.
function Reflection:keys_of(t, given)
  local fold = self.db.fold
  if given then
    local keys = type(given) == "table" and given or { given }
    for i, name in ipairs(keys) do
      local column = t.columns[fold(name)] or usage("%s has no column %s", t.wire, host.show_key(name))
      keys[i] = column.name
    end
    return keys
  end
  if #t.keys > 0 then return #t.keys <= MOST_KEYS and t.keys or nil end
  local id = t.kind ~= "table" and t.columns[fold "id"]
  return unique_key(t, fold) or id and { id.name } or nil
end

-- ---- Fields ----

--- A default as the value that the kind takes.
local function value_of(kind, text)
  if kind == "integer" then return math.tointeger(tonumber(text)) end
  if kind == "number" then return tonumber(text) end
  if kind == "boolean" then return text == "true" or text == "1" or text == "t" end
  if kind == "decimal" then return tonumber(text) and text end
  if kind == "string" then return text end
end

local times = { datetime = true, date = true }

--- What a new object has: the column's default where neap knows it; else the database fills in what is not given.
local function set_default(db, field, column)
  local text, now = db.default_of(column.fallback)
  local options = field.options
  if now and times[field.kind] then
    options.auto_now_add = true
  elseif text then
    options.default = value_of(field.kind, text)
  end
  local allowed = not options.one_of
  for _, value in ipairs(options.one_of or {}) do allowed = allowed or value == options.default end
  local length = utf8.len(tostring(options.default or "")) or math.huge
  if not allowed or length > (options.max or math.huge) then options.default = nil end
  options.required = options.required and (options.default ~= nil or options.auto_now_add) or nil
end

function Reflection:field(m, column)
  local t, db = m.source, self.db
  local kind, options, of = db.type_of(column, t)
  local field = { column = column, kind = kind, of = of, options = options }
  if m.is_key[column.name] then
    options.primary = true
    local alone = #m.keys == 1 and t.kind == "table"
    local counts = alone and kind == "integer" and db.counts(column, t)
    options.auto = (counts or alone and kind == "uuid" and column.fallback ~= nil) or nil
    if kind == "decimal" and not options.scale then field.kind, options.type = "string", column.type end
  elseif t.kind == "table" and not column.generated then
    options.required = column.required or nil
    if column.fallback then set_default(db, field, column) end
  end
  return field
end

--- Whether a declaration may name the type.
local function is_type_name(text)
  return not (text:find "[;'\\\n\r]" or text:find("--", 1, true) or text:find("/*", 1, true))
end

--- The columns that a declaration can name, each known by its name as well.
function Reflection:columns(t)
  local usable, seen = {}, {}
  for _, column in ipairs(t.order) do
    local lower = column.name:lower()
    if seen[lower] then
      self:leave(t.wire, column.name, ("its name and %s are one in neap"):format(seen[lower]))
    elseif not is_type_name(column.type) then
      self:leave(t.wire, column.name, "its type has no name that a declaration takes")
    else
      seen[lower] = column.name
      usable[#usable + 1], usable[column.name] = column, column
    end
  end
  return usable
end

--- Fields in the order of the columns; where the key is several they come first, in the order of the key.
function Reflection:fields(m)
  local place = {}
  for i, column in ipairs(m.columns) do
    local field = self:field(m, column)
    m.by_column[self.db.fold(column.name)] = field
    m.fields[i], place[field] = field, #m.keys + i
  end
  if #m.keys == 1 then return end
  for i, name in ipairs(m.keys) do place[m.by_column[self.db.fold(name)]] = i end
  table.sort(m.fields, function(a, b) return place[a] < place[b] end)
end

-- ---- References ----

--- The references that a pointer can be, by their columns: one column that holds the whole key of a model.
function Reflection:references(m)
  local t, columns = m.source, {}
  for _, reference in ipairs(t.references) do
    local list = columns[reference.constraint] or {}
    columns[reference.constraint] = list
    list[#list + 1] = reference
  end
  for _, reference in ipairs(t.references) do
    local field = m.by_column[self.db.fold(reference.column)]
    if field and not field.target then self:reference(m, field, reference, #columns[reference.constraint]) end
  end
end

local actions = { CASCADE = "cascade", ["SET NULL"] = "set_null", RESTRICT = "restrict" }

function Reflection:reference(m, field, reference, width)
  local fold = self.db.fold
  local source = self.tables[fold(reference.table)]
  local target = source and self.models[source]
  local function leave(reason) self:leave(m.table, reference.column, reason .. ": no pointer") end
  if width > 1 then return leave "a reference of several columns" end
  if not target then return leave(("it refers to %s, which has no model"):format(reference.table)) end
  if #target.keys ~= 1 or reference.to and fold(reference.to) ~= fold(target.keys[1]) then
    return leave(("it does not refer to the key of %s"):format(reference.table))
  end
  local key = target.by_column[fold(target.keys[1])]
  local set_null = reference.on_delete == "SET NULL"
  if reference.on_delete == "SET DEFAULT" or set_null and (field.options.required or field.options.primary) then
    return leave("neap has no ON DELETE " .. reference.on_delete .. " for it")
  end
  if (key.base or key).kind ~= field.kind or key.options.type ~= field.options.type then
    return leave(("%s is of another type"):format(reference.table))
  end
  field.target, field.base = target, { kind = field.kind }
  field.on_delete = actions[reference.on_delete]
end

--- author_id, AuthorId -> author, Author; others keep their name.
local function pointer_name(column)
  return column:match "^(.+)_[iI][dD]$" or column:match "^(.*%l)I[dD]$" or column
end

--- A name for each field; what cannot have it twice goes by its column's.
local function name_fields(m)
  for _, field in ipairs(m.fields) do
    if not field.target then field.name = field_name(m.taken, field.column.name) end
  end
  for _, field in ipairs(m.fields) do
    if field.target then
      local column = field.column.name
      local name = pointer_name(column)
      field.name = field_name(m.taken, m.taken[name] and column or name)
      local options = { primary = field.options.primary, required = field.options.required }
      options.default, options.on_delete = nil, field.on_delete
      field.kind, field.options, field.args = "pointer", options, { field.target.name }
    end
    local usual = field.target and field.name .. "_id" or field.name
    if usual ~= field.column.name then field.options.column = field.column.name end
  end
end

-- ---- Indexes ----

local function same_columns(a, b)
  return #a == #b and table.concat(a, "\0") == table.concat(b, "\0")
end

function Reflection:index(m, index)
  local names, columns = {}, {}
  for i, part in ipairs(index.parts) do
    local down, column = part:match "^(%-?)(.*)$"
    local field = m.by_column[self.db.fold(column)] or m.by_column[self.db.fold(part)]
    if not field then return end
    names[i], columns[i] = (field.column.name == part and "" or down) .. field.name, field.column.name
  end
  if index.unique and same_columns(columns, m.keys) then return end
  local field = #names == 1 and m.by_column[self.db.fold(columns[1])]
  local loose = field and field.kind == "decimal" and not field.options.scale
  if field and names[1] == field.name and not (index.unique and loose) then
    field.options[index.unique and "unique" or "index"] = true
    return
  end
  local word = index.unique and "unique" or "by"
  local name = field_name(m.taken, word .. "_" .. table.concat(columns, "_"))
  m.indexes[#m.indexes + 1] = { name = name, kind = index.unique and "unique" or "index", args = { names },
    options = {} }
end

function Reflection:add_indexes(m)
  local names = {}
  for name, index in pairs(m.source.indexes) do
    local tree = not index.method or index.method == "btree"
    if index.parts and tree and not index.broken then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do self:index(m, m.source.indexes[name]) end
end

-- ---- Relations ----

--- Whether one value of the pointer stands in one row at most.
local function is_single(m, field)
  return field.options.unique or #m.keys == 1 and m.is_key[field.column.name]
end

local function add_relation(m, names, kind, args, options)
  local name
  for i = #names, 1, -1 do name = m.taken[names[i]] and name or names[i] end
  m.relations[#m.relations + 1] = { name = field_name(m.taken, name or names[1]), kind = kind, args = args,
    options = options or {} }
end

--- What is pointed to knows who points to it.
local function add_inverse(m)
  local count = {}
  for _, field in ipairs(m.fields) do
    if field.target then count[field.target] = (count[field.target] or 0) + 1 end
  end
  for _, field in ipairs(m.fields) do
    if field.target and not field.target.declared then
      local plain = last_part(m.table)
      local by = plain .. "_by_" .. field.name
      local names = count[field.target] > 1 and { by } or { plain, by }
      add_relation(field.target, names, is_single(m, field) and "has_one" or "has_many", { m.name, field.name })
    end
  end
end

--- The two pointers of a table that does nothing but tie rows of two others: they are its key, or unique together.
local function link_of(m)
  local pointers = {}
  for _, field in ipairs(m.fields) do
    if field.target then pointers[#pointers + 1] = field end
  end
  if #pointers ~= 2 or m.declared then return nil end
  local a, b = pointers[1].column.name, pointers[2].column.name
  local function ties(columns)
    return #columns == 2 and (columns[1] == a and columns[2] == b or columns[1] == b and columns[2] == a)
  end
  if ties(m.keys) then return pointers[1], pointers[2] end
  for _, index in pairs(m.source.indexes) do
    if index.unique and index.parts and ties(index.parts) and pointers[1].options.required
      and pointers[2].options.required then return pointers[1], pointers[2] end
  end
end

local function add_links(m)
  local a, b = link_of(m)
  if not a then return end
  local function tie(from, to)
    if from.declared then return end
    local plain = last_part(to.table)
    add_relation(from, { plain, plain .. "_by_" .. last_part(m.table) }, "many_to_many", { to.name },
      { through = m.name })
  end
  tie(a.target, b.target)
  if a.target ~= b.target then tie(b.target, a.target) end
end

-- ---- The whole ----

--- Models that the script has declared stay as they are; others may point to them.
function Reflection:declared(wire)
  for _, name in ipairs(view.shared(self.store).order or {}) do
    local found = view.shared(self.store).options[name].table
    if found and found:lower() == wire:lower() then return name end
  end
end

--- Reads what only a look at a view tells. Nil and the reason where it cannot be read.
function Reflection:look(t)
  return host.try(function()
    if t.kind ~= "table" then self.db.read_view(self.store, t) end
    self.db.look(self.store, t)
    return true
  end)
end

--- Why a table with these keys and columns can have no model.
local function why_not(t, keys, columns)
  if not keys then
    local many = ("a key of more than %d columns"):format(MOST_KEYS)
    return ("a %s with %s"):format(t.kind, #t.keys > MOST_KEYS and many or "no key; name one with keys =")
  end
  for _, name in ipairs(keys) do
    if not columns[name] then return "its key is left out" end
  end
end

function Reflection:model(t, given)
  local declared = self:declared(t.wire)
  local _, e = self:look(t)
  if e then return self:leave(t.wire, nil, e.message) end
  local keys, columns = self:keys_of(t, given), self:columns(t)
  local reason = why_not(t, keys, columns)
  if reason then return self:leave(t.wire, nil, reason) end
  local name = declared or model_name(t.wire)
  while not declared and self.names[name] do name = name .. "2" end
  local m = {
    name = name, table = t.wire, source = t, keys = keys, is_key = {}, columns = columns, by_column = {}, taken = {},
    fields = {}, indexes = {}, relations = {}, view = t.kind ~= "table" or nil, declared = declared ~= nil,
  }
  for _, key in ipairs(keys) do m.is_key[key] = true end
  self.names[name], self.models[t] = true, m
  self.list[#self.list + 1] = m
  self:fields(m)
end

local known = { only = true, keys = true }

--- Describes the models of a database, { name =, table =, view =, declared =, fields =, indexes =, relations = } each,
--- in the order of their names; and what has no model or is no pointer: { table =, column =, reason = }.
---@param store table
---@param options? table  only = { tables }, keys = { table = column or columns }
---@return table[] models, table[] left
function reflect.describe(store, options)
  options = options or {}
  host.check("table", options, "options")
  for name in pairs(options) do
    if not known[name] then usage("%s is no option of neap.reflect; they are only and keys", host.show_key(name)) end
  end
  local tables, db = schema.read(store)
  local self = setmetatable({ store = store, tables = tables, db = db, chosen = {}, paths = {}, models = {}, names = {},
    list = {}, left = {} }, Reflection)
  for _, name in ipairs(view.shared(store).order or {}) do self.names[name] = true end
  self:choose(options.only)
  for _, t in ipairs(self.chosen) do self:model(t, (options.keys or {})[t.wire]) end
  for _, m in ipairs(self.list) do if not m.declared then self:references(m) end end
  for _, m in ipairs(self.list) do name_fields(m) end
  for _, m in ipairs(self.list) do self:add_indexes(m) end
  for _, m in ipairs(self.list) do add_inverse(m) end
  for _, m in ipairs(self.list) do add_links(m) end
  table.sort(self.left, function(a, b)
    return a.table < b.table or a.table == b.table and (a.column or "") < (b.column or "")
  end)
  return self.list, self.left
end

--- Fields, indexes and relations in the order in which they are declared.
function reflect.each(m)
  local all = {}
  for _, list in ipairs { m.fields, m.indexes, m.relations } do table.move(list, 1, #list, #all + 1, all) end
  return ipairs(all)
end

local function declare(store, m)
  local fields = {}
  for i, field in reflect.each(m) do
    local args = field.args and table.move(field.args, 1, #field.args, 1, {}) or {}
    if field.of then args[1] = types[field.of]() end
    if next(field.options) then args[#args + 1] = field.options end
    fields[i] = { field.name, types[field.kind](table.unpack(args)) }
  end
  return store:model(m.name, fields, { table = m.table, view = m.view })
end

--- Declares models for the tables and views of a database; those that are declared already stay as they are.
---@param store table
---@param options? table  only = { tables }, keys = { table = column or columns }
---@return table<string, table> models by their names
---@return table[] left what was left out: { table =, column =, reason = }
---@return table[] described as reflect.describe gives them
function reflect.declare(store, options)
  local models, left = reflect.describe(store, options)
  local classes = {}
  for _, m in ipairs(models) do classes[m.name] = m.declared and store:model(m.name) or declare(store, m) end
  return classes, left, models
end

return reflect
