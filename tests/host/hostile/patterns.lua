-- limit: patterns that backtrack for years
local s = ("a"):rep(60)
while true do
  pcall(string.find, s, ("a?"):rep(60) .. s)
  pcall(string.match, s, (".-"):rep(30) .. "b")
  pcall(string.gsub, s, ("a*"):rep(30) .. "b", "")
  pcall(function() for _ in s:gmatch(("a-"):rep(30) .. "b") do end end)
end
