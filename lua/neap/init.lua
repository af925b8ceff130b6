-- neap: what `require "neap"` gives. Functions of the host are there at once; modules load when first touched.
local host = require "neap.host"

local neap = {}
for _, name in ipairs { "spawn", "all", "race", "timeout", "sleep", "try", "is", "install" } do
  neap[name] = host[name]
end
for name, value in pairs(require "neap.marks") do neap[name] = value end
for name, value in pairs(require "neap.condition") do neap[name] = value end

--- Calls f(element, index) for each element of a list, at most n side by side, and gives the first results in order.
--- The first error cancels the others and is raised when all have ended.
---@param list any[]
---@param n integer
---@param f fun(element: any, index: integer): any
---@return any[]
function neap.gather(list, n, f)
  host.check("table", list, "list")
  host.check("count", n, "n")
  host.check("function", f, "f")
  local results, index, workers = {}, 0, {}
  local function work()
    while index < #list do
      index = index + 1
      local i = index
      results[i] = f(list[i], i)
    end
  end
  for i = 1, math.min(n, #list) do workers[i] = work end
  neap.all(workers)
  return results
end

--- Opens a store.
---@param spec? string|table  a URL, or a table with `url` and options; none: $NEAP_STORE, else sqlite:neap.db
---@return table store
function neap.open(spec)
  require "neap.model"
  return require "neap.store".open(spec)
end

--- Declares models for the tables and views that a database has.
---@param store table
---@param options? table  only = { tables }, keys = { table = column or columns }
---@return table<string, table> models by their names
---@return table[] left what has no model or is no pointer: { table =, column =, reason = }
function neap.reflect(store, options)
  local models, left = require "neap.reflect".declare(store, options)
  return models, left
end

--- `neap.json` is `require "neap.json"`; a name that no module bears is nil.
setmetatable(neap, {
  __index = function(self, name)
    local module = "neap." .. tostring(name)
    if not host.has_module(module) then return nil end
    local value = require(module)
    rawset(self, name, value)
    return value
  end,
})

return neap
