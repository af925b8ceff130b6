-- limit: single calls that read or make a long text
local s = "x"
for _ = 1, 20 do s = s .. s end
while true do
  for _, f in ipairs { string.upper, string.lower, string.reverse, string.byte, string.len, tonumber, math.tointeger, utf8.len, load, tostring } do
    pcall(f, s)
  end
  pcall(string.byte, s, 1, -1)
  pcall(string.sub, s, 2)
  pcall(string.find, s, "y", 1, true)
  pcall(string.find, s, ("x"):rep(1000) .. "y", 1, true)
  pcall(os.date, s)
  pcall(os.time, setmetatable({}, { __index = function() return 1 << 62 end }))
end
