-- limit: string.format and string.pack with widths, precisions and sizes that are absurd
while true do
  for _, f in ipairs { "%999999999d", "%.999999999f", "%99.99f", "%a", "%q", "%5$s", "%", "%i", ("%s"):rep(10000) } do
    pcall(string.format, f, 1e308, 2, 3)
  end
  for _, f in ipairs { "i17", "!17", "s16", "z", ("i16"):rep(10000), "c" .. math.maxinteger, "Xi", ">!9i", " ", "j" } do
    pcall(string.pack, f, 1, 2, 3)
    pcall(string.unpack, f, ("\255"):rep(100), 1 << 62)
    pcall(string.packsize, f)
  end
end
