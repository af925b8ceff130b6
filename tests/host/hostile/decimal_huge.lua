-- limit: decimals with huge exponents and of very many digits
local neap = require "neap"
local decimal = neap.decimal
for _, text in ipairs { "1e999999999", "1e-999999999", ("9"):rep(10000), "0." .. ("0"):rep(10000) .. "1", "1e9223372036854775807", "nan",
  "inf", "", "-", ".", "1e", "0x10", ("9"):rep(900) .. "e6000" } do
  pcall(decimal, text)
end
local x, y = decimal(("9"):rep(900)), decimal(("7"):rep(400))
while true do
  pcall(function() return y * y end)
  pcall(function() return x / y end)
  pcall(function() return x % decimal "0.000001" end)
  pcall(function() return x // y end)
  pcall(function() return x:div(decimal "3", 1 << 40) end)
  pcall(function() return x:round(-(1 << 40)) end)
  pcall(function() return tostring(x) == tostring(-x) end)
end
