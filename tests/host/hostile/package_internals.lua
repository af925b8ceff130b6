-- forbidden: parts of neap that are not for scripts, in any way that leads to other modules
local neap = require "neap"
local internal = { "host", "view", "query", "object_kernel", "save_kernel", "class", "sql", "store", "model", "process", "terminal",
  "folder", "dump", "repl", "command", "mongo.kernel", "sql.schema", "save", "relation", "schema", "schema.sqlite" }
for _, name in ipairs(internal) do
  local _, e = neap.try(require, "neap." .. name)
  assert(e and e.kind == "forbidden", name)
  assert(neap[name] == nil, name)
  assert(package.loaded["neap." .. name] == nil, name)
end
require "neap.host"
