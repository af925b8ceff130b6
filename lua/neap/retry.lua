-- neap.retry: how long something may take, and when a failure is worth another attempt.
local retry = {}

local UNITS = { s = 1, m = 60, h = 3600, d = 86400 }
local LONGEST = 300  -- seconds between two attempts

--- Seconds: a number, or a text such as 90, 90s, 1.5s, 5m or 1h30m. Nil for anything else.
---@param given any
---@return number?
function retry.seconds(given)
  if type(given) == "number" then return given >= 0 and given < math.huge and given or nil end
  if type(given) ~= "string" then return nil end
  if given:find "^%d+%.?%d*$" then return tonumber(given) end
  local total = 0
  local rest = given:gsub("(%d+%.?%d*)([dhms])", function(count, unit)
    total = total + count * UNITS[unit]
    return ""
  end)
  return rest == "" and given ~= "" and total or nil
end

--- The same for people: 0.012s, 1.3s, 5m, 1h30m.
---@param seconds number
---@return string
function retry.show(seconds)
  if seconds > 0 and seconds < 0.1 then return ("%.3fs"):format(seconds) end
  if seconds < 60 then return (("%.1f"):format(seconds):gsub("%.0$", "")) .. "s" end
  local whole, parts = (seconds + 0.5) // 1 | 0, {}
  for _, unit in ipairs { "d", "h", "m", "s" } do
    local n = whole // UNITS[unit]
    whole = whole - n * UNITS[unit]
    if n > 0 then parts[#parts + 1] = n .. unit end
  end
  return table.concat(parts, "", 1, math.min(#parts, 2))
end

-- Errors that say of the script, or of where it runs, what will be the same in a minute.
local HOPELESS = {
  usage = true, unsupported = true, mismatch = true, query = true, validation = true, auth = true, forbidden = true,
}

--- Whether an error of that kind may be gone at the next attempt.
---@param kind? string
---@return boolean
function retry.worth(kind)
  return not HOPELESS[kind]
end

--- Seconds to wait after the n-th attempt: anything up to the base, then to twice as much after each, so that those who
--- failed together do not come back together.
---@param n integer
---@param base number
---@return number
function retry.delay(n, base)
  return math.random() * math.min(base * 2.0 ^ (n - 1), LONGEST)
end

return retry
