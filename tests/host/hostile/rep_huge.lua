-- limit: string.rep of more than there is, caught and tried again
for _ = 1, 100 do
  local ok, e = pcall(string.rep, "x", 1 << 40)
  assert(not ok and e.kind == "limit")
end
while true do pcall(string.rep, "x", 1 << 25) end
