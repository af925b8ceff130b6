-- forbidden: files, the standard ones as well
local neap = require "neap"
for _, name in ipairs { "open", "lines", "popen", "tmpfile", "input", "output", "read", "close", "write" } do
  local _, e = neap.try(io[name], "/etc/passwd")
  assert(e and e.kind == "forbidden", name)
end
for _, name in ipairs { "remove", "rename", "tmpname" } do
  local _, e = neap.try(os[name], "/tmp/x", "/tmp/y")
  assert(e and e.kind == "forbidden", name)
end
assert(not io.stdin and not io.stdout and not io.stderr)
for _, url in ipairs { "sqlite:/tmp/x.db", "sqlite:file:/tmp/x.db", "sqlite:", "sqlite:///etc/passwd", "sqlite:%2Ftmp%2Fx" } do
  assert(not pcall(neap.open, url))
end
neap.open "sqlite:/tmp/neap-hostile.db"
