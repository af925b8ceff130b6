-- schema/postgres.lua: how the schema of a PostgreSQL database is read, and what counts as the same in it.
local postgres = {}

-- Of indexes that are more than a list of columns bind keeps the statement that made them, in their comment: what the
-- server gives back is spelled otherwise.
postgres.read = [[
WITH r AS (
  SELECT c.oid, c.relname::text AS name, n.nspname || '.' || c.relname AS "table",
      pg_table_is_visible(c.oid) AS visible, CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
        WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_')
SELECT 'table' AS what, r."table", r.name, r.kind AS type, r.visible::int AS place, NULL::int AS required,
    NULL::int AS key, NULL AS fallback, NULL AS target, NULL AS action, NULL::int AS "unique",
    NULL::int AS descending, NULL AS text
  FROM r
UNION ALL
SELECT 'column', r."table", a.attname, format_type(a.atttypid, a.atttypmod), a.attnum, a.attnotnull::int,
    coalesce(array_position(k.conkey, a.attnum), 0),
    CASE WHEN a.attidentity <> '' THEN 'identity' ELSE pg_get_expr(d.adbin, d.adrelid) END, NULL, NULL, NULL, NULL, NULL
  FROM r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
    LEFT JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype = 'p'
  WHERE r.kind = 'table'
UNION ALL
SELECT 'reference', r."table", a.attname, CASE WHEN f.visible THEN f.name ELSE f."table" END, p.place, NULL, NULL, NULL,
    b.attname,
    CASE k.confdeltype WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL'
      WHEN 'd' THEN 'SET DEFAULT' ELSE 'NO ACTION' END, NULL, NULL, NULL
  FROM r JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype = 'f' JOIN r f ON f.oid = k.confrelid
    CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS p (here, there, place)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.here
    JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = p.there
UNION ALL
SELECT 'part', r."table", c.relname, a.attname, p.place, i.indisvalid::int, NULL, NULL, NULL, NULL, i.indisunique::int,
    (i.indoption[p.place - 1] & 1)::int,
    CASE WHEN i.indpred IS NOT NULL OR 0 = ANY (i.indkey) THEN obj_description(c.oid, 'pg_class') END
  FROM r JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class c ON c.oid = i.indexrelid
    CROSS JOIN LATERAL generate_series(1, i.indnkeyatts) AS p (place)
    LEFT JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = i.indkey[p.place - 1] AND i.indpred IS NULL
ORDER BY 1, 2, 3, 5]]

--- Names that bind makes are quoted and keep their case.
function postgres.fold(name) return name end

-- What a column of another type keeps as well as the declared one does.
local same = {
  ["bigint"] = { integer = true, smallint = true },
  ["double precision"] = { real = true },
  ["numeric"] = {},
  ["text"] = { ["character varying"] = true, character = true },
}

function postgres.same_type(declared, actual)
  if declared.type == actual.type then return true end
  local scale, found = declared.type:match "^numeric%(%d+,(%d+)%)$", actual.type:match "^numeric%(%d+,(%d+)%)$"
  if scale then return actual.type == "numeric" or scale == found end
  local others = same[declared.type]
  return others and others[actual.type:gsub("%(%d+%)$", "")] or false
end

local function quoted(text)
  return "'" .. text:gsub("'", "''") .. "'"
end

--- What has to be run behind an index's own statement so that it is known again.
function postgres.remember(model, index)
  if index.parts then return nil end
  local schema = model.quoted:match '^(".-"%.)"' or ""
  return ('COMMENT ON INDEX %s"%s" IS %s'):format(schema, index.name:gsub('"', '""'), quoted(index.create))
end

--- The statement that makes an index while others write.
function postgres.concurrent(create)
  return (create:gsub("^CREATE (%u*%s?)INDEX ", "CREATE %1INDEX CONCURRENTLY "))
end

--- A schema that a table wants.
function postgres.schema_of(model)
  local schema = model.table:match "^([^.]+)%."
  return schema and ('CREATE SCHEMA IF NOT EXISTS "%s"'):format((schema:gsub('"', '""')))
end

--- Two programs that bind at the same time go one after the other.
postgres.lock = "SELECT pg_advisory_xact_lock(hashtext('neap bind'))"

--- The statement that removes an index whose making has failed.
function postgres.discard(index)
  return ('DROP INDEX IF EXISTS "%s"'):format(index.name:gsub('"', '""'))
end

function postgres.drop(model)
  return "DROP TABLE IF EXISTS " .. model.quoted
end

return postgres
