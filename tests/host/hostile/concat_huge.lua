-- limit: table.concat, table.unpack and others over lengths that lie
local liar = setmetatable({}, { __len = function() return math.maxinteger end, __index = function() return "" end })
for _, f in ipairs { table.concat, table.unpack, table.sort, table.remove } do
  local ok, e = pcall(f, liar)
  assert(not ok or f == table.remove, e)
end
assert(not pcall(table.remove, liar, 1))
assert(not pcall(table.insert, liar, 1, 1))
table.concat(liar, "", 1, math.maxinteger)
