-- schema/sql.lua: store:bind and store:drop for SQL: makes the tables, columns and indexes that models declare and
-- compares the rest with what is there. Nothing is written while anything differs that bind may not change.
--
-- C describes a model (neap.sql.schema), one statement reads the whole schema of the database; here the two meet.
local host = require "neap.host"
local kernel = require "neap.save_kernel"
local describe = require "neap.sql.schema".describe
local mismatch = require "neap.schema.mismatch"
local types = require "neap.types"
local usage = require "neap.fail".usage
local view = require "neap.view"

local schema = {}

-- ---- What the database has ----

-- How each is read and compared.
local dialects = { sqlite = require "neap.schema.sqlite", postgres = require "neap.schema.postgres" }

-- Rows of what is read, one a table, column, reference and part of an index; `place` orders what has an order.
local take = {}

--- A table is known by its name; where there are schemas also by "schema.table", which stands first.
function take.table(tables, row, fold)
  local t = { name = row.name, kind = row.type, columns = {}, order = {}, keys = {}, references = {}, indexes = {} }
  t.path, t.part, t.text = row.place == 1 and row.name or row.table, row.key == 1, row.text
  tables[#tables + 1] = t
  tables[fold(row.table)] = t
  if row.place == 1 then tables[fold(row.name)] = t end
end

function take.column(tables, row, fold)
  local t = tables[fold(row.table)]
  local column = { name = row.name, type = row.type, required = row.required == 1, place = row.place }
  column.key = row.key > 0
  column.generated = row.action ~= nil
  column.fallback = row.fallback or row.action
  column.base, column.values = row.target, row.text
  t.columns[fold(row.name)] = column
  t.order[#t.order + 1] = column
  if column.key then t.keys[row.key] = row.name end
end

function take.reference(tables, row, fold)
  local t = tables[fold(row.table)]
  table.insert(t.references, {
    column = row.name, table = row.type, to = row.target, on_delete = row.action, constraint = row.text,
  })
end

function take.part(tables, row, fold)
  local t, name = tables[fold(row.table)], fold(row.name)
  local index = t.indexes[name] or { unique = row.unique == 1, parts = {}, text = row.text }
  index.broken, index.method = row.required == 0, row.action
  t.indexes[name] = index
  local plain = index.parts and row.type and not (row.text and row.text:upper():find "%)%s*WHERE%s")
  if plain then table.insert(index.parts, (row.descending == 1 and "-" or "") .. row.type) else index.parts = nil end
end

--- Everything that the database has: a list of tables and views, which are found by their names as well.
local function read(store, db)
  local tables = {}
  local rows = store:sql(db.read)
  for _, row in ipairs(rows) do if row.what == "table" then take.table(tables, row, db.fold) end end
  for _, row in ipairs(rows) do if row.what ~= "table" then take[row.what](tables, row, db.fold) end end
  for _, t in ipairs(tables) do table.sort(t.order, function(a, b) return a.place < b.place end) end
  return tables
end

--- The same for others.
---@return table tables, table dialect
function schema.read(store)
  local db = dialects[view.kind(store)]
  return read(store, db), db
end

-- ---- Comparing ----

local function same_list(a, b, fold)
  return a and b and fold(table.concat(a, "\0")) == fold(table.concat(b, "\0")) or false
end

local function nullability(required)
  return required and "NOT NULL" or "may be NULL"
end

local function show(column)
  return column.type .. (column.required and " NOT NULL" or "")
end

--- What is found out about one model: statements to run, those to run when all tables are there, indexes that may be
--- made while others write, and differences that bind may not change.
local Comparison = {}
Comparison.__index = Comparison

function Comparison:differ(what, expected, actual)
  table.insert(self.plan.differences, { model = self.model.model, what = what, expected = expected, actual = actual })
end

function Comparison:run(statement)
  table.insert(self.plan.statements, statement)
end

function Comparison:run_later(statement)
  table.insert(self.plan.later, statement)
end

function Comparison:column(declared, actual)
  local what = "column " .. declared.name
  if not actual then
    if declared.add then return self:run(declared.add) end
    return self:differ(what, show(declared), "missing; it cannot be added: rows that are there would lack a value")
  end
  if not self.db.same_type(declared, actual) then self:differ(what .. ": type", declared.type, actual.type) end
  local made = actual.fallback ~= nil and actual.required  -- a new row has a value, whoever makes it
  if not declared.rowid and not actual.key and not made and declared.required ~= actual.required then
    self:differ(what, nullability(declared.required), nullability(actual.required))
  end
end

--- Columns that only the database knows do no harm unless a new row must have a value for them.
function Comparison:extra_columns(actual)
  local known = {}
  for _, column in ipairs(self.model.columns) do known[self.db.fold(column.name)] = true end
  for _, column in ipairs(actual.order) do
    if not known[self.db.fold(column.name)] and column.required and not column.fallback then
      self:differ("column " .. column.name, "a default, or may be NULL: it is not declared", show(column))
    end
  end
end

local refuses = { [""] = true, ["NO ACTION"] = true, RESTRICT = true }

--- Whether two names of tables mean the same one, there or not.
function Comparison:same_table(a, b)
  local fold, tables = self.db.fold, self.tables
  return fold(a) == fold(b) or tables[fold(a)] ~= nil and tables[fold(a)] == tables[fold(b)]
end

--- A reference that is there without any being asked for on deletion may be missing in tables that others made.
function Comparison:reference(declared, actual)
  local found
  local fold = self.db.fold
  for _, reference in ipairs(actual.references) do
    if fold(reference.column) == fold(declared.column) then found = reference end
  end
  local what = "column " .. declared.column
  local expected = ("REFERENCES %s (%s)"):format(declared.table, declared.to)
  if not found then
    if declared.on_delete == "" then return end
    return self:differ(what, expected .. " ON DELETE " .. declared.on_delete, "no reference")
  end
  if not self:same_table(found.table, declared.table) or fold(found.to or declared.to) ~= fold(declared.to) then
    self:differ(what, expected, ("REFERENCES %s (%s)"):format(found.table, found.to or "its key"))
  end
  if found.on_delete ~= declared.on_delete and not (refuses[found.on_delete] and refuses[declared.on_delete]) then
    self:differ(what .. ": on_delete", declared.on_delete == "" and "NO ACTION" or declared.on_delete, found.on_delete)
  end
end

function Comparison:same_index(declared, actual)
  if declared.unique ~= actual.unique or actual.broken then return false end
  if declared.parts then return same_list(declared.parts, actual.parts, self.db.fold) end
  return declared.create == actual.text
end

--- An index does its work under any name.
function Comparison:index(declared, actual)
  for _, index in pairs(actual.indexes) do
    if self:same_index(declared, index) then return end
  end
  local name = self.db.fold(declared.name)
  local taken = actual.indexes[name]
  if taken and not taken.broken then
    return self:differ("index " .. declared.name, declared.create, taken.text or "a constraint of the table")
  end
  actual.indexes[name] = declared
  table.insert(self.plan.indexes, {
    create = declared.create,
    remember = self.db.remember and self.db.remember(self.model, declared),
    broken = taken and self.db.discard(declared),
  })
end

function Comparison:columns(actual)
  local fold, added = self.db.fold, {}
  for _, column in ipairs(self.model.columns) do
    local there = actual.columns[fold(column.name)]
    added[column.name] = not there
    self:column(column, there)
  end
  return added
end

--- A unique index of columns that are never empty is a key as well.
function Comparison:is_key(columns, actual)
  local fold = self.db.fold
  if same_list(columns, actual.keys, fold) then return true end
  for _, index in pairs(#actual.keys == 0 and actual.indexes or {}) do
    local serves = index.unique and not index.broken and same_list(columns, index.parts, fold)
    for _, name in ipairs(columns) do serves = serves and actual.columns[fold(name)].required end
    if serves then return true end
  end
  return false
end

--- Of a view only the columns count.
function Comparison:view(actual)
  local model = self.model
  local expected = { "table " .. model.table, "a view" }
  if not actual then return self:differ(expected[1], expected[2], "missing; a view is made by a migration") end
  if actual.kind == "table" then return self:differ(expected[1], expected[2], "a table") end
  self.db.read_view(self.store, actual)
  for _, column in ipairs(model.columns) do
    local there = actual.columns[self.db.fold(column.name)]
    if not there or not self.db.same_type(column, there) then
      self:differ("column " .. column.name, column.type, there and there.type or "missing")
    end
  end
end

function Comparison:table(actual)
  local model = self.model
  if actual.kind ~= "table" then return self:differ("table " .. model.table, "a table", "a " .. actual.kind) end
  local added = self:columns(actual)
  self:extra_columns(actual)
  if not self:is_key(model.keys, actual) then
    self:differ("key", table.concat(model.keys, ", "), #actual.keys > 0 and table.concat(actual.keys, ", ") or "none")
  end
  for _, reference in ipairs(model.references) do
    if not added[reference.column] then
      self:reference(reference, actual)
    elseif reference.create then
      self:run_later(reference.create)
    end
  end
  for _, index in ipairs(model.indexes) do self:index(index, actual) end
end

function Comparison:create()
  local model = self.model
  local create_schema = self.db.schema_of and self.db.schema_of(model)
  if create_schema and not self.plan.schemas[create_schema] then self:run(create_schema) end
  if create_schema then self.plan.schemas[create_schema] = true end
  self:run(model.create)
  for _, reference in ipairs(model.references) do
    if reference.create then self:run_later(reference.create) end
  end
  for _, index in ipairs(model.indexes) do self:index(index, { indexes = {} }) end
end

--- What brings the database to what the models declare, and the differences that nothing of it can remove.
local function compare(models, store, db)
  local tables = read(store, db)
  local plan, made = { statements = {}, later = {}, indexes = {}, schemas = {}, differences = {} }, {}
  for _, model in ipairs(models) do
    local self = setmetatable({ model = model, plan = plan, db = db, tables = tables, store = store }, Comparison)
    local name = db.fold(model.table)
    if model.view then
      self:view(tables[name])
    elseif tables[name] then
      self:table(tables[name])
    elseif not made[name] then  -- two models of one table: the second is compared with it once it is there
      made[name] = true
      self:create()
    end
  end
  table.move(plan.later, 1, #plan.later, #plan.statements + 1, plan.statements)
  return plan
end

--- The statements to run, and the indexes to make.
local function plan(models, store, db)
  local found = compare(models, store, db)
  mismatch(found.differences, "the database is", "the tables by a migration (neap migrate)")
  return found.statements, found.indexes
end

-- ---- The work ----

--- The fields of a link table that nobody declared; each side is { name, model }.
function schema.link(here, there)
  return {
    { here[1], types.pointer(here[2], { primary = true, on_delete = "cascade" }) },
    { there[1], types.pointer(there[2], { primary = true, on_delete = "cascade", index = true }) },
  }
end

local function describe_all(models)
  local described = {}
  for i, model in ipairs(models) do
    described[i] = describe(model.class, model.wheres)
    described[i].view = model.options.view
  end
  return described
end

--- The statements that make an index; where it stands for a broken one, that goes first.
local function statements_of(index, concurrent)
  local list = { index.broken or nil }
  list[#list + 1] = concurrent and concurrent(index.create) or index.create
  list[#list + 1] = index.remember
  return list
end

--- Runs what is missing in the transaction, again until all is found as declared: tables of two models take two rounds.
local function run_all(models, tx, db, done, leave_indexes)
  local before = {}
  local statements, indexes = plan(models, tx, db)
  while #statements > 0 or (#indexes > 0 and not leave_indexes) do
    for _, index in ipairs(leave_indexes and {} or indexes) do
      local list = statements_of(index)
      table.move(list, 1, #list, #statements + 1, statements)
    end
    for _, statement in ipairs(statements) do
      if before[statement] and view.dry_run(tx) then return {} end
      if before[statement] then
        error(host.error { kind = "mismatch", message = "bind ran this and does not find it done: " .. statement }, 0)
      end
      before[statement] = true
      tx:sql(statement)
      done[#done + 1] = statement
    end
    statements, indexes = plan(models, tx, db)
  end
  return indexes
end

-- update is for stores whose tables need to be told.
schema.options = { update = true, concurrently = true, names = "update and concurrently" }

--- Creates tables, columns (nullable, or with a default) and indexes that are declared and missing, in one transaction,
--- and compares everything else.
---@return string[] statements  what was run
function schema.bind(store, declared, options)
  local models, done = describe_all(declared), {}
  local db = dialects[models[1].dialect]
  local concurrent = options.concurrently and db.concurrent or nil
  if concurrent and kernel.in_transaction(store) then
    usage "indexes are made concurrently outside of transactions only"
  end
  local statements, indexes = plan(models, store, db)
  if #statements > 0 or (#indexes > 0 and not concurrent) then
    store:transaction(function(tx)
      if db.lock then tx:sql(db.lock) end
      indexes = run_all(models, tx, db, done, concurrent ~= nil)
    end)
  end
  for _, index in ipairs(indexes) do
    for _, statement in ipairs(statements_of(index, concurrent)) do
      store:sql(statement)
      done[#done + 1] = statement
    end
  end
  return done
end

function schema.drop(store, class)
  local model = describe(class)
  store:sql(dialects[model.dialect].drop(model))
end

return schema
