-- forbidden: loadfile, dofile and package.loadlib would read files
local neap = require "neap"
for _, f in ipairs { loadfile, dofile, package.loadlib, package.searchpath } do
  local _, e = neap.try(f, "/bin/true", "*")
  assert(e.kind == "forbidden")
end
dofile "/etc/passwd"
