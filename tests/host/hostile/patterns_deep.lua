-- harmless: patterns that nest or repeat until C's stack would be full raise an error
for _, p in ipairs { ("("):rep(10000), (".-"):rep(10000), ("%b()"):rep(10000), ("%f[a]"):rep(10000), ("["):rep(10000),
  ("x?"):rep(10000), ("%1"):rep(1000), "(()", "%", "[a", "[]", "[^]", "%b", "%f" } do
  pcall(string.find, ("x"):rep(1000), p)
  pcall(string.gsub, ("x"):rep(1000), p, "%1%0")
end
