-- limit: a tree whose branches are the same table is twice as long with each level
local neap = require "neap"
local t = { 1 }
for _ = 1, 60 do t = { t, t } end
while true do pcall(neap.json.encode, t) end
