-- harmless: select, table.unpack and math.random with numbers from the edges
for _, n in ipairs { math.maxinteger, math.mininteger, 0, -1, 1 << 31, -(1 << 31), 1.5 } do
  pcall(select, n, 1, 2)
  pcall(table.unpack, {}, n, n + 10)
  pcall(table.unpack, {}, n, -n)
  pcall(table.move, {}, n, n + 10, -n)
  pcall(math.random, n, -n)
  pcall(math.randomseed, n, n)
  pcall(string.sub, "x", n, -n)
  pcall(table.concat, {}, "", n, n)
  pcall(utf8.char, n)
  pcall(coroutine.wrap, n)
end
