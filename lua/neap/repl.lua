-- neap.repl: type Lua, see what it gives: queries and lists of rows as tables, all else as Lua would write it. History
-- and completion come from the editor that the command passes in.
local complete = require "neap.complete"
local grid = require "neap.grid"
local host = require "neap.host"
local look = require "neap.look"

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

-- ---- Rows as tables ----

local function each_of(list)
  local i = 0
  return function()
    i = i + 1
    return list[i]
  end
end

-- Undeclared fields of an object of an open model, all together; in the rows of a query they have one name.
local OPEN = "__open"

local function undeclared(object)
  local others, declared = {}, {}
  for _, name in ipairs((look.loaded(object))) do declared[name] = true end
  for name, value in pairs(object) do
    if not declared[name] then others[name] = value end
  end
  return next(others) ~= nil and others or nil
end

local function value_of(item, name)
  if look.kind(item) ~= "object" then return item[name] end
  if name == OPEN then return undeclared(item) end
  local relation = name:match "^(.+)%.count$"
  if relation then return item[relation]:count() end
  return item[name]
end

--- Gives what `next_item` gives as lists of the values with these names.
local function in_order(names, secret, next_item)
  return function()
    local item = next_item()
    if item == nil then return nil end
    local row = {}
    for i, name in ipairs(names) do
      local value = value_of(item, name)
      row[i] = value ~= nil and secret[name] and "***" or value
    end
    return row
  end
end

local function heads(names)
  local list = {}
  for i, name in ipairs(names) do list[i] = name == OPEN and "(other fields)" or name end
  return list
end

local function write_rows(names, secret, next_item)
  return grid.write(heads(names), in_order(names, secret, next_item))
end

local function write_query(query)
  local names, secret = look.columns(query)
  local rows, state, first, closing = query:each()
  local _ <close> = closing
  return write_rows(names, secret, function() return rows(state, first) end)
end

local function write_model(class)
  local fields = {}
  for i, field in ipairs((look.fields(class))) do
    fields[i] = { field[1], field[2] and tostring(field[2]):match "^model: (.*)$" }
  end
  print(class)
  grid.write({ "field", "leads to" }, each_of(fields))
end

local function write_object(object)
  local names, secret = look.loaded(object)
  print(look.model(object))
  grid.record(heads(names), in_order(names, secret, each_of { object })())
end

-- The names that a row has: of an object its columns, of a plain table its keys, sorted. Nil where it is no row.
local function names_of_row(row)
  if look.kind(row) == "object" then return look.loaded(row) end
  if type(row) ~= "table" or getmetatable(row) or next(row) == nil then return nil end
  local names = {}
  for name in pairs(row) do
    if type(name) ~= "string" then return nil end
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

--- The names that the rows of a list have, all together; nil where they are no rows.
local function names_of_rows(list)
  local all, seen, secret = {}, {}, {}
  for _, row in ipairs(list) do
    local names, hidden = names_of_row(row)
    if not names then return nil end
    for name in pairs(hidden or {}) do secret[name] = true end
    for _, name in ipairs(names) do
      if not seen[name] then all[#all + 1], seen[name] = name, true end
    end
  end
  return all, secret
end

local function is_list(value)
  if type(value) ~= "table" or #value == 0 then return false end
  local count = 0
  for _ in next, value do count = count + 1 end
  return count == #value
end

--- Writes what was given: a query, an object or a list of rows as a table, other values as Lua.
---@param value any
function repl.write(value)
  local kind = look.kind(value)
  if kind == "query" then return write_query(value) end
  if kind == "object" then return write_object(value) end
  if kind == "model" then return write_model(value) end
  if is_list(value) then
    local names, secret = names_of_rows(value)
    if names then return write_rows(names, secret, each_of(value)) end
  end
  print(repl.show(value))
end

-- ---- What was typed ----

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

--- A function for the editor: the n-th word that a word may become. `lines` is what was typed before, in other lines.
local function completion(lines, names)
  local found
  return function(word, n, line, start)
    if n == 1 then
      local bytes = utf8.len(line) and utf8.offset(line, start + 1) or start + 1
      local before = lines .. line:sub(1, bytes - 1)
      found = complete.words(word, before, names and names(before))
    end
    return found[n]
  end
end

-- Reads lines until they make a chunk. Nil at the end of input.
local function read(edit, compile, names)
  local text, prompt = "", "> "
  while true do
    local line = edit.readline(prompt, completion(text, names))
    if not line then return nil end
    if edit.history then edit.write_history(edit.history) end
    text = text .. line
    local chunk, problem = compile(text)
    if problem ~= "more" then return chunk or function() error(problem, 0) end end
    text, prompt = text .. "\n", ">> "
  end
end

local function write_all(...)
  for i = 1, select("#", ...) do repl.write((select(i, ...))) end
end

--- Runs what was typed, and writes what it gives.
---@param chunk function
function repl.call(chunk)
  write_all(chunk())
end

--- Reads, runs and prints until the input ends, or an interrupt does: then the command calls it again.
---@param edit table  readline, read_history and write_history
---@param compile? fun(text: string): function?, string?  makes chunks of what is typed; repl.compile unless given
---@param names? fun(before: string): table?  what names may follow, and stand for; nil: globals
function repl.run(edit, compile, names)
  local home = os.getenv "HOME"
  if home and not edit.history then
    edit.history = home .. "/.neap_history"
    edit.read_history(edit.history)
  end
  _G.neap = require "neap"
  for chunk in function() return read(edit, compile or repl.compile, names) end do
    local ok, e = pcall(repl.call, chunk)
    if not ok then print(e) end
    host.sleep(0)  -- raises where the chunk was interrupted
  end
  print()
end

return repl
