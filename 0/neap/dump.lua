-- neap.dump: writes the embedded modules to a folder, where --lua-dir finds them again.
local host = require "neap.host"

--- Writes every embedded module below `dir` and prints what it wrote.
---@param dir string
return function(dir)
  for file, text in pairs(host.sources()) do
    local path = dir .. "/" .. file
    assert(os.execute(("mkdir -p '%s'"):format(path:match "^(.*)/":gsub("'", "'\\''"))))
    local out = assert(io.open(path, "w"))
    assert(out:write(text))
    assert(out:close())
  end
end
