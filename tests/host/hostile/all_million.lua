-- limit: neap.all and neap.race of a hundred thousand functions, or of a list that says that it has 1 << 62
local neap = require "neap"
local function nothing() end
local liar = setmetatable({}, { __len = function() return math.maxinteger end, __index = function() return nothing end })
local list = {}
for i = 1, 100000 do list[i] = nothing end
while true do
  for _, f in ipairs { neap.all, neap.race } do
    for _, functions in ipairs { list, liar } do
      local ok, e = pcall(f, functions)
      assert(not ok and e.kind == "limit", e)
    end
  end
end
