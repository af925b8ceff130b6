-- limit: weak tables of weak tables, which the collector goes through again and again
local root = {}
while true do
  root = setmetatable({ [root] = root, root }, { __mode = "kv" })
  for i = 1, 100 do root[{}] = setmetatable({ root }, { __mode = "k" }) end
  collectgarbage "step"
end
