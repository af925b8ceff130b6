-- schema.lua: store:bind and store:drop: what every store does about the tables of its models before it does its own.
local host = require "neap.host"
local usage = require "neap.fail".usage
local view = require "neap.view"

local schema = {}

-- What does the work, by the kind of the store. Each has `options`, the names of those that its bind knows.
local workers = { sqlite = "neap.schema.sql", postgres = "neap.schema.sql", dynamodb = "neap.dynamodb.table" }

local function worker_of(store)
  return require(workers[view.kind(store)])
end

--- Everything that a database has, for those who know but the store.
---@return table tables, table dialect
function schema.read(store)
  if not store:supports "sql" then
    error(host.error { kind = "unsupported", message = view.kind(store) .. " has no schema to read" }, 0)
  end
  return worker_of(store).read(store)
end

--- Declares the model of a link table that nobody declared: two pointers, together its key, in the order of the first
--- relation that names it, whoever asks.
function schema.link(store, through, options)
  for _, link in ipairs(view.shared(store).links) do
    if link.through == through then
      local here, there = link.model:lower(), link.target:lower()
      if here == there then there = "other_" .. there end
      return store:model(through, worker_of(store).link({ here, link.model }, { there, link.target }), options)
    end
  end
end

local function declare_links(store, shared)
  for _, link in ipairs(shared.links or {}) do
    if not shared.models[link.through] then schema.link(store, link.through) end
  end
end

--- Every model that the store knows, in the order of declaration: { class =, options =, wheres = }.
local function models_of(store)
  local shared, models, seen = view.shared(store), {}, {}
  declare_links(store, shared)
  for _, name in ipairs(shared.order or {}) do
    if not seen[name] then
      models[#models + 1] = { class = store:model(name), options = shared.options[name], wheres = shared.wheres[name] }
    end
    seen[name] = true
  end
  return models
end

--- Creates what is declared and missing, and compares everything else. Raises `mismatch` with every difference in
--- e.errors, and then changes nothing.
---@param options? table  SQL: concurrently = true: PostgreSQL makes indexes after the transaction, one by one, while
---  others write. DynamoDB: update = true changes what differs and can be changed; timeout: seconds to wait for tables
---@return table[] done  statements, or requests: what was run; empty when all was there
function schema.bind(store, options)
  local worker = worker_of(store)
  options = options or {}
  host.check("table", options, "options")
  for name in pairs(options) do
    if not worker.options[name] then
      usage("bind has no option %s; it knows %s", host.show_key(name), worker.options.names)
    end
  end
  local models = models_of(store)
  return #models > 0 and worker.bind(store, models, options) or {}
end

--- Drops the table of a model with all that is in it. Not being there is fine.
---@param class table  the model
function schema.drop(store, class)
  worker_of(store).drop(store, class)
end

return schema
