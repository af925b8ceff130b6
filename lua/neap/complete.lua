-- complete.lua: what a word that is being typed may become. Values are looked at, never called, indexed or loaded: what
-- a script wrote does not run because a tab was pressed.
local look = require "neap.look"

local complete = {}

local keywords = [[and break do else elseif end false for function goto if in local nil not or repeat return then true
  until while]]

-- ---- Where the word stands ----

-- Where [==[ ... ]==] ends that begins at `at`: nil if it is none, false if it has no end.
local function end_of_long(text, at)
  local level = text:match("^%[(=*)%[", at)
  return level and (select(2, text:find("]" .. level .. "]", at, true)) or false)
end

-- Where a string ends that begins at `at` with its quote, or its line does; false if it has no end.
local function end_of_quoted(text, at)
  local quote = text:sub(at, at)
  repeat
    at = text:find("[\\\n" .. quote .. "]", at + 1)
    local escaped = at and text:sub(at, at) == "\\"
    if escaped then at = at + 1 end
  until not escaped
  return at or false
end

local function end_of_comment(text, at)
  local long = end_of_long(text, at + 2)
  if long ~= nil then return long end
  return text:find("\n", at, true) or false
end

--- Whether a text ends inside a string or a comment.
---@param text string
---@return boolean
function complete.in_string(text)
  local at = text:find "[\"'%[-]"
  while at do
    local mark, stop = text:sub(at, at), nil
    if mark == "[" then
      stop = end_of_long(text, at)
    elseif mark == "-" then
      if text:find("^%-%-", at) then stop = end_of_comment(text, at) end
    else
      stop = end_of_quoted(text, at)
    end
    if stop == false then return true end
    at = text:find("[\"'%[-]", (stop or at) + 1)
  end
  return false
end

-- ---- What a value has ----

local function add(names, from, only_functions)
  for key, value in next, from do
    local named = type(key) == "string" and key:find "^[%a_][%w_]*$"
    if named and (not only_functions or type(value) == "function") then names[key] = true end
  end
end

-- The tables that a value is looked up in: itself, and what its metatables name.
local function tables_of(value)
  local found, seen = {}, {}
  if type(value) == "table" then found[1] = value end
  for _ = 1, 10 do
    local meta = debug.getmetatable(value)
    value = type(meta) == "table" and rawget(meta, "__index")
    if type(value) ~= "table" or seen[value] then break end
    seen[value] = true
    found[#found + 1] = value
  end
  return found
end

local methods = {
  object = function() return require "neap.object_kernel".methods end,
  model = function() return require "neap.object_kernel".class_methods end,
  query = function() return require "neap.query".methods end,
}

-- The names behind a value and a dot, or a colon. `kind` is what it is, or what a model stands for: one of its objects.
local function names_of(value, kind, colon)
  local names = {}
  if methods[kind] then
    local fields, own
    if kind ~= "query" then fields, own = look.fields(value) end
    if colon then add(names, methods[kind](), true) end
    for _, from in ipairs(colon and own and tables_of(own) or {}) do add(names, from, true) end
    for _, field in ipairs(not colon and fields or {}) do add(names, { [field[1]] = true }) end
    return names
  end
  for _, from in ipairs(tables_of(value)) do add(names, from, colon) end
  return names
end

-- What `name` of a value is, and its kind, as far as that is known without asking for it.
local function step(value, kind, name)
  if kind == "object" then
    for _, field in ipairs(look.fields(value)) do
      if field[1] == name and field[2] then return field[2], field[3] and "query" or "object" end
    end
    return nil
  end
  if methods[kind] then return nil end
  for _, from in ipairs(tables_of(value)) do
    local found = rawget(from, name)
    if found ~= nil then return found, look.kind(found) end
  end
end

local function resolve(path, globals)
  local value, kind = globals, nil
  for name in path:gmatch "[^.:]+" do
    value, kind = step(value, kind, name)
    if value == nil then return nil end
  end
  return value, kind
end

-- ---- Calls ----

local narrowing = {}
for name in ([[where exclude order limit skip select include group having for_update consistent through query]]):gmatch
  "%S+" do narrowing[name] = true end

-- What calls of methods give, as in Track:where{ ... }:limit(1), which are not made: a query, or nothing that is known.
local function called(before, globals)
  local bare = before:gsub("%b{}", ""):gsub("%b()", ""):gsub('"[^"]*"', ""):gsub("'[^']*'", ""):gsub("%s+$", "")
  local path, calls = bare:match "([%a_][%w_.]*)([:%w_]*)$"
  if not path or calls == "" then return nil end
  local value, kind = resolve(path, globals)
  if kind ~= "model" and kind ~= "query" then return nil end
  for name in calls:gmatch "[^:]+" do
    if not narrowing[name] then return nil end
  end
  return value, "query"
end

-- ---- Words ----

--- What a word may become, sorted. None inside of strings and comments.
---@param word string  with what stands before the last dot or colon: `neap.js`, `Track:wh`
---@param before? string  what stands before it
---@param globals? table  what names stand for
---@return string[]
function complete.words(word, before, globals)
  before, globals = before or "", globals or _G
  if complete.in_string(before) then return {} end
  local path, mark, prefix = word:match "^(.*)([.:])([^.:]*)$"
  local names = {}
  if path then
    local of, where = resolve, path
    if path == "" then of, where = called, before end
    local value, kind = of(where, globals)
    if value ~= nil then names = names_of(value, kind, mark == ":") end
  else
    prefix = word
    add(names, globals)
    for name in keywords:gmatch "%a+" do names[name] = true end
  end
  local found = {}
  for name in pairs(names) do
    if name:sub(1, #prefix) == prefix then found[#found + 1] = (path or "") .. (mark or "") .. name end
  end
  table.sort(found)
  return found
end

return complete
