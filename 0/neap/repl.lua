-- neap.repl: type Lua, see what it gives. History and completion come from the editor that the command passes in.
local host = require "neap.host"

local repl = {}

local MAX_ENTRIES, MAX_DEPTH = 40, 3

local function key_text(key)
  if type(key) == "string" and key:match "^[%a_][%w_]*$" then return key end
  return "[" .. (type(key) == "string" and string.format("%q", key) or tostring(key)) .. "]"
end

-- Numbers first, then the rest by what they look like.
local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do
    if math.type(key) ~= "integer" or key < 1 or key > #t then keys[#keys + 1] = key end
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

--- Gives a value as readable text: tables with sorted keys, cut after 40 entries and three levels.
---@param value any
---@param depth? integer
---@return string
function repl.show(value, depth)
  depth = depth or 0
  if type(value) == "string" then return (string.format("%q", value):gsub("\\\n", "\\n")) end
  local meta = getmetatable(value)
  if type(value) ~= "table" or type(meta) == "table" and meta.__tostring then return tostring(value) end
  if depth >= MAX_DEPTH then return "{…}" end
  local parts = {}
  for i = 1, math.min(#value, MAX_ENTRIES) do parts[i] = repl.show(value[i], depth + 1) end
  for _, key in ipairs(sorted_keys(value)) do
    if #parts > MAX_ENTRIES then break end
    parts[#parts + 1] = key_text(key) .. " = " .. repl.show(value[key], depth + 1)
  end
  if #parts > MAX_ENTRIES or #value > MAX_ENTRIES then parts[#parts + 1] = "…" end
  if #parts == 0 then return "{}" end
  local line = "{ " .. table.concat(parts, ", ") .. " }"
  if #line + 2 * depth <= 100 then return line end
  local indent = string.rep("  ", depth + 1)
  return "{\n" .. indent .. table.concat(parts, ",\n" .. indent) .. "\n" .. string.rep("  ", depth) .. "}"
end

--- The n-th completion of a word such as `neap.js` from the globals and the fields of tables.
---@param word string
---@param n integer
---@param globals? table
---@return string?
function repl.complete(word, n, globals)
  local path, prefix = word:match "^(.*[.:])(.*)$"
  local scope = globals or _G
  for name in (path or ""):gmatch "[^.:]+" do
    scope = type(scope) == "table" and rawget(scope, name) or nil
  end
  local found = {}
  for key in pairs(type(scope) == "table" and scope or {}) do
    if type(key) == "string" and key:sub(1, #(prefix or word)) == (prefix or word) then
      found[#found + 1] = (path or "") .. key
    end
  end
  table.sort(found)
  return found[n]
end

--- Compiles what was typed: an expression, a statement, or nil and "more" where it is not finished.
---@param text string
---@return function?, string?
function repl.compile(text)
  text = text:gsub("^%s*=", "")
  local chunk = load("return " .. text, "=stdin", "t")
  if chunk then return chunk end
  local problem
  chunk, problem = load(text, "=stdin", "t")
  if chunk then return chunk end
  return nil, problem:sub(-5) == "<eof>" and "more" or problem
end

local function report(ok, ...)
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    print(ok and repl.show(value) or tostring(value))
  end
end

-- Reads lines until they make a chunk. Nil at the end of input.
local function read(edit, history)
  local text, prompt = nil, "> "
  while true do
    local line = edit.readline(prompt, repl.complete)
    if not line then return nil end
    if history then edit.write_history(history) end
    text = text and text .. "\n" .. line or line
    local chunk, problem = repl.compile(text)
    if problem ~= "more" then return chunk or function() error(problem, 0) end end
    prompt = ">> "
  end
end

local history  -- the file, once it has been read

--- Reads, runs and prints until the input ends, or an interrupt does: then the command calls it again.
---@param edit table  readline, read_history and write_history
function repl.run(edit)
  local home = os.getenv "HOME"
  if home and not history then
    history = home .. "/.neap_history"
    edit.read_history(history)
  end
  _G.neap = require "neap"
  for chunk in function() return read(edit, history) end do
    report(pcall(chunk))
    host.sleep(0)  -- raises where the chunk was interrupted
  end
  print()
end

return repl
