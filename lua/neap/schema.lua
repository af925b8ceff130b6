-- schema.lua: store:bind and store:drop for SQL: makes the tables, columns and indexes that models declare and compares
-- the rest with what is there. Nothing is written while anything differs that bind may not change.
--
-- C describes a model (neap.sql.schema), one statement reads the whole schema of the database; here the two meet.
local host = require "neap.host"
local describe = require "neap.sql.schema".describe
local types = require "neap.types"
local view = require "neap.view"

local schema = {}

-- ---- What the database has ----

-- One row a table, column, reference and part of an index. `place` orders what has an order.
local READ = [[
SELECT 'table' AS what, name AS "table", name, type, 0 AS place, NULL AS required, NULL AS key, NULL AS fallback,
  NULL AS target, NULL AS action, NULL AS "unique", NULL AS descending, sql AS text
  FROM sqlite_master WHERE type IN ('table', 'view')
UNION ALL
SELECT 'column', m.name, c.name, c.type, c.cid, c."notnull", c.pk, c.dflt_value, NULL, NULL, NULL, NULL, NULL
  FROM sqlite_master m, pragma_table_xinfo(m.name) c WHERE m.type = 'table'
UNION ALL
SELECT 'reference', m.name, f."from", f."table", f.seq, NULL, NULL, NULL, f."to", f.on_delete, NULL, NULL, NULL
  FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'
UNION ALL
SELECT 'part', m.name, i.name, x.name, x.seqno, NULL, NULL, NULL, NULL, NULL, i."unique", x."desc", s.sql
  FROM sqlite_master m, pragma_index_list(m.name) i, pragma_index_xinfo(i.name) x
  LEFT JOIN sqlite_master s ON s.type = 'index' AND s.name = i.name WHERE m.type = 'table' AND x.key = 1
ORDER BY 1, 2, 3, 5]]

local take = {}

function take.table(tables, row)
  tables[row.table:lower()] = { kind = row.type, columns = {}, order = {}, keys = {}, references = {}, indexes = {} }
end

function take.column(tables, row)
  local t = tables[row.table:lower()]
  local column = { name = row.name, type = row.type, required = row.required == 1, key = row.key > 0 }
  column.fallback = row.fallback
  t.columns[row.name:lower()] = column
  t.order[#t.order + 1] = column
  if column.key then t.keys[row.key] = row.name end
end

function take.reference(tables, row)
  local t = tables[row.table:lower()]
  table.insert(t.references, { column = row.name, table = row.type, to = row.target, on_delete = row.action })
end

function take.part(tables, row)
  local t, name = tables[row.table:lower()], row.name:lower()
  local index = t.indexes[name] or { unique = row.unique == 1, parts = {}, text = row.text }
  t.indexes[name] = index
  local plain = index.parts and row.type and not (row.text and row.text:upper():find "%)%s*WHERE%s")
  if plain then table.insert(index.parts, (row.descending == 1 and "-" or "") .. row.type) else index.parts = nil end
end

local function read(store)
  local tables = {}
  local rows = store:sql(READ)
  for _, row in ipairs(rows) do if row.what == "table" then take.table(tables, row) end end
  for _, row in ipairs(rows) do if row.what ~= "table" then take[row.what](tables, row) end end
  return tables
end

-- ---- Comparing ----

--- The rules of https://sqlite.org/datatype3.html, section 3.1: what a column makes of the values put into it.
local function affinity(type)
  type = type:upper()
  if type:find "INT" then return "INTEGER" end
  if type:find "CHAR" or type:find "CLOB" or type:find "TEXT" then return "TEXT" end
  if type == "" or type:find "BLOB" then return "BLOB" end
  if type:find "REAL" or type:find "FLOA" or type:find "DOUB" then return "REAL" end
  return "NUMERIC"
end

-- What a NUMERIC column (BOOLEAN, DATETIME, NUMERIC(10,2) ...) keeps as it is. Of decimals it would make floats.
local numeric_keeps = { integer = true, number = true, boolean = true, timestamp = true, datetime = true, date = true }

local function same_type(declared, actual)
  if declared.rowid then return actual.type:upper() == "INTEGER" end
  local is = affinity(actual.type)
  return is == declared.type or is == "NUMERIC" and numeric_keeps[declared.kind] or false
end

local function same_list(a, b)
  return a and b and table.concat(a, "\0"):lower() == table.concat(b, "\0"):lower() or false
end

local function same_name(a, b)
  return a:lower() == b:lower()
end

local function nullability(required)
  return required and "NOT NULL" or "may be NULL"
end

local function show(column)
  return column.type .. (column.required and " NOT NULL" or "")
end

--- What is found out about one model: statements to run, and differences that bind may not change.
local Comparison = {}
Comparison.__index = Comparison

function Comparison:differ(what, expected, actual)
  table.insert(self.differences, { model = self.model.model, what = what, expected = expected, actual = actual })
end

function Comparison:run(statement)
  table.insert(self.statements, statement)
end

function Comparison:column(declared, actual)
  local what = "column " .. declared.name
  if not actual then
    if declared.add then return self:run(declared.add) end
    return self:differ(what, show(declared), "missing; it cannot be added: rows that are there would lack a value")
  end
  if not same_type(declared, actual) then self:differ(what .. ": type", declared.type, actual.type) end
  if not declared.rowid and not actual.key and declared.required ~= actual.required then
    self:differ(what, nullability(declared.required), nullability(actual.required))
  end
end

--- Columns that only the database knows do no harm unless a new row must have a value for them.
function Comparison:extra_columns(actual)
  local known = {}
  for _, column in ipairs(self.model.columns) do known[column.name:lower()] = true end
  for _, column in ipairs(actual.order) do
    if not known[column.name:lower()] and column.required and not column.fallback then
      self:differ("column " .. column.name, "a default, or may be NULL: it is not declared", show(column))
    end
  end
end

local refuses = { [""] = true, ["NO ACTION"] = true, RESTRICT = true }

--- A reference that is there without any being asked for on deletion may be missing in tables that others made.
function Comparison:reference(declared, actual)
  local found
  for _, reference in ipairs(actual.references) do
    if same_name(reference.column, declared.column) then found = reference end
  end
  local what = "column " .. declared.column
  local expected = ("REFERENCES %s (%s)"):format(declared.table, declared.to)
  if not found then
    if declared.on_delete == "" then return end
    return self:differ(what, expected .. " ON DELETE " .. declared.on_delete, "no reference")
  end
  if not same_name(found.table, declared.table) or not same_name(found.to or declared.to, declared.to) then
    self:differ(what, expected, ("REFERENCES %s (%s)"):format(found.table, found.to or "its key"))
  end
  if found.on_delete ~= declared.on_delete and not (refuses[found.on_delete] and refuses[declared.on_delete]) then
    self:differ(what .. ": on_delete", declared.on_delete == "" and "NO ACTION" or declared.on_delete, found.on_delete)
  end
end

local function same_index(declared, actual)
  if declared.unique ~= actual.unique then return false end
  if declared.parts then return same_list(declared.parts, actual.parts) end
  return declared.create == actual.text
end

--- An index does its work under any name.
function Comparison:index(declared, actual)
  for _, index in pairs(actual.indexes) do
    if same_index(declared, index) then return end
  end
  local taken = actual.indexes[declared.name:lower()]
  if taken then
    return self:differ("index " .. declared.name, declared.create, taken.text or "a constraint of the table")
  end
  actual.indexes[declared.name:lower()] = declared
  self:run(declared.create)
end

function Comparison:table(actual)
  local model = self.model
  if actual.kind ~= "table" then return self:differ("table " .. model.table, "a table", "a " .. actual.kind) end
  for _, column in ipairs(model.columns) do self:column(column, actual.columns[column.name:lower()]) end
  self:extra_columns(actual)
  if not same_list(model.keys, actual.keys) then
    self:differ("key", table.concat(model.keys, ", "), #actual.keys > 0 and table.concat(actual.keys, ", ") or "none")
  end
  for _, reference in ipairs(model.references) do
    if actual.columns[reference.column:lower()] then self:reference(reference, actual) end
  end
  for _, index in ipairs(model.indexes) do self:index(index, actual) end
end

--- The statements that bring the database to what the models declare, and the differences that none of them can remove.
local function compare(models, tables)
  local statements, differences, made = {}, {}, {}
  for _, model in ipairs(models) do
    local self = setmetatable({ model = model, statements = statements, differences = differences }, Comparison)
    local name = model.table:lower()
    if tables[name] then
      self:table(tables[name])
    elseif not made[name] then  -- two models of one table: the second is compared with it once it is there
      made[name] = true
      self:run(model.create)
      for _, index in ipairs(model.indexes) do self:index(index, { indexes = {} }) end
    end
  end
  return statements, differences
end

local function mismatch(differences)
  local lines = {}
  for i, d in ipairs(differences) do
    if i > 3 then break end
    lines[i] = ("%s, %s: declared %s, found %s"):format(d.model, d.what, d.expected, d.actual)
  end
  local more = #differences > 3 and ("; and %d more in e.errors"):format(#differences - 3) or ""
  error(host.error {
    kind = "mismatch",
    message = ("the database is not what the models declare: %s%s; change the models, or the tables with store:sql")
      :format(table.concat(lines, "; "), more),
    errors = differences,
  }, 0)
end

local function plan(models, store)
  local statements, differences = compare(models, read(store))
  if #differences > 0 then mismatch(differences) end
  return statements
end

-- ---- The work ----

--- Declares the model of a link table that nobody declared: two pointers, together its key, in the order of the first
--- relation that names it, whoever asks.
function schema.link(store, through)
  for _, link in ipairs(view.shared(store).links) do
    if link.through == through then
      local here, there = link.model:lower(), link.target:lower()
      if here == there then there = "other_" .. there end
      return store:model(through, {
        { here, types.pointer(link.model, { primary = true, on_delete = "cascade" }) },
        { there, types.pointer(link.target, { primary = true, on_delete = "cascade", index = true }) },
      })
    end
  end
end

local function declare_links(store, shared)
  for _, link in ipairs(shared.links or {}) do
    if not shared.models[link.through] then schema.link(store, link.through) end
  end
end

--- The description of every model that the store knows, in the order of declaration.
local function models_of(store)
  local shared, models, seen = view.shared(store), {}, {}
  declare_links(store, shared)
  for _, name in ipairs(shared.order or {}) do
    if not seen[name] then models[#models + 1] = describe(store:model(name), shared.wheres[name]) end
    seen[name] = true
  end
  return models
end

--- Creates tables, columns (nullable, or with a default) and indexes that are declared and missing, in one transaction,
--- and compares everything else. Raises `mismatch` with every difference in e.errors, and then changes nothing.
---@param options? { update: boolean }  for stores whose tables need to be told; SQL has no use for it
---@return string[] statements  what was run; empty when all was there
function schema.bind(store, options)
  host.check("table", options or {}, "options")
  for name in pairs(options or {}) do
    if name ~= "update" then
      local message = ("bind has no option %s; it knows update"):format(host.show_key(name))
      error(host.error { kind = "usage", message = message }, 0)
    end
  end
  local models = models_of(store)
  local done, before = {}, {}
  if #plan(models, store) == 0 then return done end
  store:transaction(function(tx)
    local statements = plan(models, tx)
    while #statements > 0 do  -- again until all is found as declared: tables of two models take two rounds
      for _, statement in ipairs(statements) do
        if before[statement] then
          error(host.error { kind = "mismatch", message = "bind ran this and does not find it done: " .. statement }, 0)
        end
        before[statement] = true
        tx:sql(statement)
        done[#done + 1] = statement
      end
      statements = plan(models, tx)
    end
  end)
  return done
end

--- Drops the table of a model with all that is in it. Not being there is fine.
---@param class table  the model
function schema.drop(store, class)
  store:sql('DROP TABLE IF EXISTS "' .. describe(class).table:gsub('"', '""') .. '"')
end

return schema
