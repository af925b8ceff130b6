-- harmless: JSON nested deep, to read and to write, is an error that can be caught
local neap = require "neap"
for _, text in ipairs { ("["):rep(20000), ('{"a":'):rep(20000), ("["):rep(20000) .. ("]"):rep(20000), '"' .. ("\\u00"):rep(1000),
  ("1"):rep(100000), "1e" .. ("9"):rep(10000), "-", "[1,", '{"a"', "nul", "\0", "[\xff]", '"\\ud800"' } do
  pcall(neap.json.decode, text)
end
local deep = {}
for _ = 1, 10000 do deep = { deep } end
pcall(neap.json.encode, deep)
local circle = {}
circle[1] = circle
assert(not pcall(neap.json.encode, circle))
