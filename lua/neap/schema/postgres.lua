-- schema/postgres.lua: how the schema of a PostgreSQL database is read, and what counts as the same in it.
local json = require "neap.json"

local postgres = {}

-- Of indexes that are more than a list of columns bind keeps the statement that made them, in their comment: what the
-- server gives back is spelled otherwise.
postgres.read = [[
WITH r AS (
  SELECT c.oid, c.relname::text AS name, n.nspname || '.' || c.relname AS "table",
      c.relispartition AS part,
      pg_table_is_visible(c.oid) AS visible, CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
        WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_')
SELECT 'table' AS what, r."table", r.name, r.kind AS type, r.visible::int AS place, NULL::int AS required,
    r.part::int AS key, NULL AS fallback, NULL AS target, NULL AS action, NULL::int AS "unique",
    NULL::int AS descending, NULL AS text
  FROM r
UNION ALL
SELECT 'column', r."table", a.attname, format_type(a.atttypid, a.atttypmod), a.attnum, a.attnotnull::int,
    coalesce(array_position(k.conkey, a.attnum), 0),
    CASE WHEN a.attidentity <> '' THEN 'identity' ELSE pg_get_expr(d.adbin, d.adrelid) END,
    CASE WHEN y.typtype = 'd' THEN format_type(y.typbasetype, y.typtypmod) END,
    CASE WHEN a.attgenerated <> '' THEN 'generated' END, NULL, NULL,
    (SELECT json_agg(e.enumlabel ORDER BY e.enumsortorder)::text FROM pg_enum e WHERE e.enumtypid = y.oid)
  FROM r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type y ON y.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
    LEFT JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype = 'p'
UNION ALL
SELECT 'reference', r."table", a.attname, CASE WHEN f.visible THEN f.name ELSE f."table" END, p.place, NULL, NULL, NULL,
    b.attname,
    CASE k.confdeltype WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL'
      WHEN 'd' THEN 'SET DEFAULT' ELSE 'NO ACTION' END, NULL, NULL, k.conname
  FROM r JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype = 'f' JOIN r f ON f.oid = k.confrelid
    CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS p (here, there, place)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = p.here
    JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = p.there
UNION ALL
SELECT 'part', r."table", c.relname, a.attname, p.place, i.indisvalid::int, NULL, NULL, NULL, m.amname,
    i.indisunique::int,
    (i.indoption[p.place - 1] & 1)::int,
    CASE WHEN i.indpred IS NOT NULL OR 0 = ANY (i.indkey) THEN obj_description(c.oid, 'pg_class') END
  FROM r JOIN pg_index i ON i.indrelid = r.oid JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
    CROSS JOIN LATERAL generate_series(1, i.indnkeyatts) AS p (place)
    LEFT JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = i.indkey[p.place - 1] AND i.indpred IS NULL
ORDER BY 1, 2, 3, 5]]

--- The columns of views have been read with the others.
function postgres.read_view() end

--- Names that bind makes are quoted and keep their case.
function postgres.fold(name) return name end

-- What a column of another type keeps as well as the declared one does.
local same = {
  ["bigint"] = { integer = true, smallint = true },
  ["double precision"] = { real = true },
  ["numeric"] = {},
  ["timestamp with time zone"] = { ["timestamp with time zone"] = true, ["timestamp without time zone"] = true },
  ["text"] = { ["character varying"] = true, character = true },
}

function postgres.same_type(declared, actual)
  if declared.type == actual.type then return true end
  local scale, found = declared.type:match "^numeric%(%d+,(%d+)%)$", actual.type:match "^numeric%(%d+,(%d+)%)$"
  if scale then return actual.type == "numeric" or scale == found end
  local others = same[declared.type]
  return others and others[actual.type:gsub("%(%d+%)", "")] or false
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

-- ---- What a column is to a model that nobody declared ----

function postgres.look() end

-- Kinds of the types that neap has, by their names without length and precision. `own`: neap would take another.
local kinds = {
  boolean = { "boolean" }, smallint = { "integer" }, integer = { "integer" }, bigint = { "integer" },
  real = { "number" }, ["double precision"] = { "number" }, numeric = { "decimal" }, text = { "string" },
  ["character varying"] = { "string" }, character = { "string" }, uuid = { "uuid" }, bytea = { "bytes" },
  date = { "date" }, ["timestamp with time zone"] = { "datetime" }, ["timestamp without time zone"] = { "datetime" },
  jsonb = { "json" }, json = { "json", own = true }, oid = { "integer", own = true },
}

-- Of arrays: those of neap's, and those that are read as lists whatever they hold.
local elements = {
  boolean = "boolean", smallint = "integer", integer = "integer", bigint = "integer", real = "number", text = "string",
  ["double precision"] = "number", ["character varying"] = "string", character = "string", uuid = "uuid",
  name = "string",
}
local neap_elements = { boolean = true, bigint = true, ["double precision"] = true, text = true, uuid = true }
local decoded = {
  numeric = true, date = true, ["timestamp with time zone"] = true, ["timestamp without time zone"] = true,
  json = true, jsonb = true, oid = true,
}

local function array_of(type, bare)
  if elements[bare] then
    return "list", { type = not neap_elements[bare] and type or nil }, elements[bare]
  end
  return decoded[bare] and "json" or "string", { type = type }
end

local function scalar(type, bare, known)
  local options = { type = known.own and type or nil }
  if known[1] == "string" then options.max = math.tointeger(tonumber(type:match "%((%d+)%)")) end
  if known[1] == "decimal" then
    options.scale = math.tointeger(tonumber(type:match "^numeric%(%d+,(%d+)%)$"))
    if type ~= bare and not options.scale then options.type = type end
  end
  return known[1], options
end

--- The kind of a column, the options of its type and the kind of its elements.
---@param column table
---@return string kind, table options, string? of
function postgres.type_of(column)
  local type = column.base or column.type
  local array = type:match "^(.*)%[%]$"
  local bare = (array or type):gsub("%([%d,-]+%)", "")
  local kind, options, of
  if array then
    kind, options, of = array_of(type, bare)
  elseif kinds[bare] then
    kind, options = scalar(type, bare, kinds[bare])
  else
    kind, options = "string", { type = type, one_of = column.values and json.decode(column.values) }
  end
  if column.base then options.type = column.type end
  return kind, options, of
end

--- Whether the database counts up the key by itself.
function postgres.counts(column)
  return column.fallback ~= nil and (column.fallback == "identity" or column.fallback:find "^nextval%(" ~= nil)
end

local now = {
  ["now()"] = true, CURRENT_TIMESTAMP = true, CURRENT_DATE = true, LOCALTIMESTAMP = true,
  ["transaction_timestamp()"] = true, ["statement_timestamp()"] = true,
}

--- What a default is: its text without what only SQL wants, "now", or nil where the database alone can compute it.
---@return string? text, boolean? now
function postgres.default_of(text)
  if now[text] then return nil, true end
  local bare = text:gsub("::[%w ().,_\"]+$", "")
  local literal = bare:match "^'(.*)'$"
  if literal and not literal:gsub("''", ""):find "'" then return (literal:gsub("''", "'")) end
  return bare:match "^%(?([-+]?[%d.]+)%)?$" or bare:match "^true$" or bare:match "^false$"
end

return postgres
