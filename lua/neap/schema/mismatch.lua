-- schema/mismatch.lua: says what of a database is not as the models declare it.
local host = require "neap.host"

local MOST_SHOWN = 3

--- Raises `mismatch` with the differences in e.errors; none are none.
---@param differences table[]  { model =, what =, expected =, actual = }
---@param who string           "the database is"
---@param change string        what else could be changed than the models, and how
return function(differences, who, change)
  if #differences == 0 then return end
  local lines = {}
  for i, d in ipairs(differences) do
    if i > MOST_SHOWN then break end
    lines[i] = ("%s, %s: declared %s, found %s"):format(d.model, d.what, d.expected, d.actual)
  end
  local rest = #differences - MOST_SHOWN
  local more = rest > 0 and ("; and %d more in e.errors"):format(rest) or ""
  error(host.error {
    kind = "mismatch",
    message = ("%s not what the models declare: %s%s; change the models, or %s"):format(who, table.concat(lines, "; "),
      more, change),
    errors = differences,
  }, 0)
end
