-- harmless: errors that are no text: functions, coroutines, tables that hold themselves
local neap = require "neap"
local t = {}
t.t, t.cause, t.kind, t.message, t.traceback = t, t, t, t, t
for _, v in ipairs { print, coroutine.create(print), t, 1.5, true, io, setmetatable({}, { __name = t }) } do
  local ok, e = pcall(error, v)
  assert(not ok and e == v)
  local _, wrapped = neap.try(error, v)
  tostring(wrapped)
  pcall(neap.json.encode, wrapped)
end
