-- schema/sqlite.lua: how the schema of an SQLite database is read, and what counts as the same in it.
local sqlite = {}

sqlite.read = [[
SELECT 'table' AS what, name AS "table", name, type, 0 AS place, NULL AS required, NULL AS key, NULL AS fallback,
  NULL AS target, NULL AS action, NULL AS "unique", NULL AS descending, sql AS text
  FROM sqlite_master WHERE type IN ('table', 'view')
UNION ALL
SELECT 'column', m.name, c.name, c.type, c.cid, c."notnull", c.pk, c.dflt_value, NULL,
  iif(c.hidden > 1, 'generated', NULL), NULL, NULL, NULL
  FROM sqlite_master m, pragma_table_xinfo(m.name) c WHERE m.type = 'table'
UNION ALL
SELECT 'reference', m.name, f."from", f."table", f.seq, NULL, NULL, NULL, f."to", f.on_delete, NULL, NULL, f.id
  FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'
UNION ALL
SELECT 'part', m.name, i.name, x.name, x.seqno, NULL, NULL, NULL, NULL, NULL, i."unique", x."desc", s.sql
  FROM sqlite_master m, pragma_index_list(m.name) i, pragma_index_xinfo(i.name) x
  LEFT JOIN sqlite_master s ON s.type = 'index' AND s.name = i.name WHERE m.type = 'table' AND x.key = 1
ORDER BY 1, 2, 3, 5]]

-- The columns of one view: one that names what is gone must not spoil the reading of all others.
local VIEW = [[SELECT name, type, hidden FROM pragma_table_xinfo(?) ORDER BY cid]]

--- Reads the columns of a view that is named by what `read` gave. Raises where the view itself is broken.
function sqlite.read_view(store, view)
  for _, row in ipairs(store:sql(VIEW, { view.name })) do
    local column = { name = row.name, type = row.type, required = false, key = false }
    view.columns[sqlite.fold(row.name)] = column
    view.order[#view.order + 1] = column
  end
end

--- Names are the same in any case.
sqlite.fold = string.lower

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

function sqlite.same_type(declared, actual)
  if declared.rowid then return actual.type:upper() == "INTEGER" end
  if actual.type == "" then return true end  -- values stay as they are
  local is = affinity(actual.type)
  return is == affinity(declared.type) or is == "NUMERIC" and numeric_keeps[declared.kind] or false
end

function sqlite.drop(model)
  return "DROP TABLE IF EXISTS " .. model.quoted
end

-- ---- What a column is to a model that nobody declared ----

local DESCRIBED = 100  -- rows that are looked at where a column has no type

--- The kind of what lies in columns that have no type, as those of views that compute.
local kinds = { integer = "integer", real = "number", text = "string", blob = "bytes" }

local function name_of(text) return '"' .. text:gsub('"', '""') .. '"' end

--- Finds out what columns without a type hold: kind, or nil where they hold this and that.
function sqlite.look(store, t)
  local columns, exprs = {}, {}
  for _, column in ipairs(t.order) do
    if column.type == "" then
      columns[#columns + 1] = column
      exprs[#exprs + 1] = ("typeof(%s) AS c%d"):format(name_of(column.name), #columns)
    end
  end
  if #columns == 0 then return end
  local text = "SELECT %s FROM %s LIMIT %d"
  for _, row in ipairs(store:sql(text:format(table.concat(exprs, ", "), name_of(t.name), DESCRIBED))) do
    for i, column in ipairs(columns) do
      local kind, found = kinds[row["c" .. i]], column.holds
      if found and kind and found ~= kind then
        local numbers = (found == "integer" or found == "number") and (kind == "integer" or kind == "number")
        kind = numbers and "number" or "mixed"
      end
      column.holds = kind or found
    end
  end
end

-- What types of affinity NUMERIC are to those who declare them.
local numeric = {
  { "^BOOL", "boolean" }, { "^DATETIME", "datetime" }, { "^TIMESTAMP", "datetime" }, { "^DATE$", "date" },
  { "^NUM", "number" }, { "^DEC", "number" }, { "^MONEY", "number" }, { "^CURRENCY", "number" },
}

--- The kind of a column and the options of its type.
---@param column table
---@param t table  the table that has it
---@return string kind, table options
function sqlite.type_of(column, t)
  if column.type == "" then
    local holds = column.holds or "mixed"
    return holds == "mixed" and "string" or holds, {}
  end
  local is, upper = affinity(column.type), column.type:upper()
  local checked = ("json_valid(%s)"):format(name_of(column.name))
  if is == "TEXT" then return t.text and t.text:find(checked, 1, true) and "json" or "string", {} end
  if is == "BLOB" then return "bytes", {} end
  if is == "REAL" then return "number", {} end
  if is == "INTEGER" and not upper:find "POINT" and not upper:find "^INTERVAL" then return "integer", {} end
  for _, pair in ipairs(numeric) do
    if is == "NUMERIC" and upper:find(pair[1]) then return pair[2], {} end
  end
  return upper:find "^JSON" and "json" or "string", { type = column.type }
end

--- Whether the database counts up the key by itself.
function sqlite.counts(column, t)
  return column.type:upper() == "INTEGER" and not (t.text or ""):upper():find "WITHOUT%s+ROWID"
end

--- What a default is: its text without what only SQL wants, "now", or nil where the database alone can compute it.
---@return string? text, boolean? now
function sqlite.default_of(text)
  if text:upper():find "^CURRENT_" or text:lower():find "^datetime%('now'%)$" then return nil, true end
  local quoted = text:match "^'(.*)'$"
  if quoted and not quoted:gsub("''", ""):find "'" then return (quoted:gsub("''", "'")) end
  return text:match "^[-+]?[%d.]+$" or text:lower():match "^true$" or text:lower():match "^false$"
end

return sqlite
