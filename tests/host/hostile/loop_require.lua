-- harmless: require of what is not there, and of names that are paths
for _, name in ipairs { "../../etc/passwd", "/etc/passwd", "neap.nothing", "", "\0", ("x"):rep(100000) } do
  assert(not pcall(require, name))
end
