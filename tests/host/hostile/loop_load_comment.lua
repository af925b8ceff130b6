-- limit: a chunk of one long comment that never ends
local first = true
load(function()
  if first then first = false return "--[[" end
  return "                                        "
end)
error "escaped"
