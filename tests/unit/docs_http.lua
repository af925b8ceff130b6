-- Before the examples of docs/http.md: `api`, the URL of a server that answers with what it was sent.
local port, pid = io.popen(os.getenv "SOURCES" .. "/tests/services/http"):read "a":match "(%d+) (%d+)"
local _ <close> = setmetatable({}, { __close = function() os.execute("kill " .. pid) end })
api = "http://127.0.0.1:" .. port
