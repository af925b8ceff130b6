-- neap.log: neap.log.info("text", { key = value }) and its sisters debug, warn and error.
local host = require "neap.host"

local function sorted_keys(fields)
  local keys = {}
  for key in pairs(fields) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

--- ` key=value key=value`
local function plain(fields)
  local parts = {}
  for _, key in ipairs(sorted_keys(fields)) do
    local value = tostring(fields[key])
    if value:find "[%s=\"]" or value == "" then value = '"' .. value:gsub('"', '\\"') .. '"' end
    parts[#parts + 1] = (" %s=%s"):format(key, value)
  end
  return table.concat(parts)
end

--- A JSON object: numbers and booleans as they are, all else as text.
local function json(fields)
  local encode, parts = require "neap.json".encode, {}
  for _, key in ipairs(sorted_keys(fields)) do
    local value = fields[key]
    local ok, text = pcall(encode, value)
    if type(value) == "table" or type(value) == "userdata" or not ok then text = encode(tostring(value)) end
    parts[#parts + 1] = encode(tostring(key)) .. ":" .. text
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local log = {}

--- Each writes one line: the text and the fields as key=value, sorted by key. Passwords and keys in URLs become ***.
--- The owner of the host gets it, else standard error from the level in NEAP_LOG on (`info` unless set), in the form
--- that NEAP_LOG_FORMAT names: `text` with the time, `json`.
for _, level in ipairs { "debug", "info", "warn", "error" } do
  log[level] = function(text, fields)
    local as_json
    if host.log_format() == "json" then as_json = fields and json(fields) or "" end
    host.log_write(level, tostring(text), fields and plain(fields) or "", as_json)
  end
end

return log
