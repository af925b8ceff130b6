-- harmless: lists of functions whose length is not what they hold
local neap = require "neap"
for _, length in ipairs { (1 << 32) + 1, math.mininteger, -1, 1.5, "3", 0 / 0 } do
  local n = 0
  local liar = setmetatable({}, { __len = function() return length end,
    __index = function() n = n + 1 return n < 50 and function() end or nil end })
  pcall(neap.all, liar)
  pcall(neap.race, liar)
end
