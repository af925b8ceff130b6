-- neap.env_file: KEY=value lines, as services and containers have them. Quotes and comments as in a shell; nothing is
-- replaced in values.
local env_file = {}

local ESCAPED = { n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["$"] = "$" }

-- The value at a place behind the "=", and the place behind it; or nil and what is wrong. A quoted one may have lines.
local function read_value(text, at)
  local quote = text:match("^['\"]", at)
  if not quote then
    local raw, next = text:match("^([^\n]*)()", at)
    raw = (" " .. raw):gsub("%s#.*$", ""):match "^%s*(.-)%s*$"
    return raw, next
  end
  local stop = at + 1
  while text:sub(stop, stop) ~= quote do
    if stop > #text then return nil, "a quote is not closed" end
    stop = stop + (quote == '"' and text:sub(stop, stop) == "\\" and 2 or 1)
  end
  local value = text:sub(at + 1, stop - 1)
  if quote == '"' then value = value:gsub("\\(.)", ESCAPED) end
  local rest, next = text:match("^[ \t\r]*([^\n]*)()", stop + 1)
  if rest ~= "" and not rest:find "^#" then return nil, "there is more behind the closing quote" end
  return value, next
end

--- The variables in a text, in order. Nil and what is wrong, with the line and without what stands there.
---@param text string
---@return { name: string, value: string }[]?, string?
function env_file.read(text)
  local list, at = {}, 1
  local function wrong(what)
    local _, before = text:sub(1, at - 1):gsub("\n", "")
    return nil, ("line %d: %s"):format(before + 1, what)
  end
  if text:find "%z" then return nil, "it holds a NUL" end
  while true do
    at = text:match("^%s*()", at)
    if at > #text then return list end
    if text:find("^#", at) then
      at = text:match("^[^\n]*()", at)
    else
      local name, place = text:match("^export[ \t]+([%a_][%w_]*)[ \t]*=[ \t]*()", at)
      if not name then name, place = text:match("^([%a_][%w_]*)[ \t]*=[ \t]*()", at) end
      if not name then return wrong "it is no NAME=value" end
      local value, next = read_value(text, place)
      if not value then return wrong(next) end
      list[#list + 1] = { name = name, value = value }
      at = next
    end
  end
end

return env_file
