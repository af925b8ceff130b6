-- neap.own_table: tables that neap keeps for itself in a store, made when one is found missing.
local quoted = require "neap.sql.schema".quoted

--- Makes a table, and the schema that the store's pattern puts it into. Of two that do so at once, one may be told in
--- many ways that it is there by now: then it is.
---@param store table
---@param name string     as the store's pattern takes it
---@param columns string  what stands between the parentheses
return function(store, name, columns)
  local place = quoted(store, name)
  local schema = place:match '^(".+")%."'
  local made, problem = pcall(function()
    if schema then store:sql("CREATE SCHEMA IF NOT EXISTS " .. schema) end
    store:sql(("CREATE TABLE IF NOT EXISTS %s (%s)"):format(place, columns))
  end)
  if not made and not pcall(store.sql, store, ("SELECT 1 FROM %s WHERE 1 = 0"):format(place)) then error(problem, 0) end
end
