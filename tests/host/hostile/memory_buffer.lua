-- limit: what string.format, string.pack and gsub make in one call
while true do
  pcall(string.pack, "c" .. (1 << 30), "x")
  pcall(string.format, ("%99.99f"):rep(10000), 1)
  pcall(string.gsub, ("x"):rep(10000), "x", ("y"):rep(10000))
end
