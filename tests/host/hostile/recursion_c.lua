-- limit: recursion through C: pcall, sort, gsub, metamethods, load
local t = setmetatable({}, { __index = function(t, k) return t[k .. "x"] end })
local function p() return pcall(p) end
local function s() table.sort({ 1, 2 }, s) end
local function l() return load(l) end
while true do
  pcall(p)
  pcall(s)
  pcall(l)
  pcall(function() return t.x end)
end
