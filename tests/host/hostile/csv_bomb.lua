-- limit: CSV of one endless record, of very many columns, and the same text again and again
local neap = require "neap"
while true do
  pcall(function() for _ in neap.csv.parse('"' .. ("x"):rep(100000)) do end end)
  pcall(function() for _ in neap.csv.parse((","):rep(100000) .. "\n") do end end)
  pcall(function() for _ in neap.csv.parse(("a,b\n"):rep(1000)) do end end)
  pcall(neap.csv.encode, setmetatable({}, { __len = function() return math.maxinteger end, __index = function() return {} end }))
  pcall(neap.csv.writer, "/tmp/neap-hostile.csv")
end
