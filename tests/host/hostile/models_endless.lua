-- limit: models and fields by the thousand
local neap = require "neap"
local t = neap.types
local store = neap.open "sqlite::memory:"
local i = 0
while true do
  i = i + 1
  local fields = { id = t.integer { primary = true } }
  for j = 1, 200 do fields["f" .. j] = t.string() end
  pcall(store.model, store, "Model" .. i, fields)
end
