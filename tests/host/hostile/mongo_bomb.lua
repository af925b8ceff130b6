-- limit: Query Objects that are deep, wide or not what they should be
local neap = require "neap"
local t = neap.types
local store = neap.open "sqlite::memory:"
local Row = store:model("Row", { id = t.integer { primary = true, auto = true }, n = t.integer(), tags = t.list(t.string()) })
store:bind()
local deep = { n = 1 }
for _ = 1, 300 do deep = { ["$and"] = { deep } } end
local wide = {}
for i = 1, 500 do wide[i] = { n = { ["$gt"] = i } } end
while true do
  for _, filter in ipairs { deep, { ["$or"] = wide }, { ["$not"] = deep }, { tags = { ["$in"] = wide } }, { n = deep } } do
    pcall(function() return neap.mongo.query(Row, { filter = filter }):all() end)
    pcall(function() return Row:where(filter):count() end)
  end
end
