-- schema/sqlite.lua: how the schema of an SQLite database is read, and what counts as the same in it.
local sqlite = {}

sqlite.read = [[
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
  local is = affinity(actual.type)
  return is == declared.type or is == "NUMERIC" and numeric_keeps[declared.kind] or false
end

function sqlite.drop(model)
  return "DROP TABLE IF EXISTS " .. model.quoted
end

return sqlite
