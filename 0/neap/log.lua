-- neap.log: neap.log.info("text", { key = value }) and its sisters debug, warn and error.
local host = require "neap.host"

local function with_fields(text, fields)
  if not fields then return text end
  local keys, parts = {}, { text }
  for key in pairs(fields) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    local value = tostring(fields[key])
    if value:find "[%s=\"]" or value == "" then value = '"' .. value:gsub('"', '\\"') .. '"' end
    parts[#parts + 1] = tostring(key) .. "=" .. value
  end
  return table.concat(parts, " ")
end

local log = {}

--- Each writes one line: the text and the fields as key=value, sorted by key. Passwords and keys in URLs become ***.
--- The owner of the host gets it, else standard error from the level in NEAP_LOG on (`info` unless set).
for _, level in ipairs { "debug", "info", "warn", "error" } do
  log[level] = function(text, fields) host.log_write(level, with_fields(tostring(text), fields)) end
end

return log
