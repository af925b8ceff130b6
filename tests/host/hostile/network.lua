-- forbidden: a connection to anywhere
local neap = require "neap"
for _, url in ipairs { "postgres://127.0.0.1:1/x", "postgresql://%2Ftmp/x", "postgres:?host=/tmp" } do
  local _, e = neap.try(neap.open, url)
  assert(e.kind == "forbidden", tostring(e))
end
require "neap.sql".connect { url = "postgres://127.0.0.1:1/x" }
