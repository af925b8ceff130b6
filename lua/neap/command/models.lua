-- neap models URL: prints the declarations of the models that a database has already.
local command = require "neap.command"
local host = require "neap.host"

--- totals=day+shop,lines=nr -> { totals = { "day", "shop" }, lines = { "nr" } }
local function read_keys(text)
  local keys = {}
  for pair in (text or ""):gmatch "[^,]+" do
    local name, columns = pair:match "^(.-)=(.+)$"
    if not name then command.wrong("models", "--keys takes TABLE=COLUMN, not %s", pair) end
    keys[name] = {}
    for column in columns:gmatch "[^+]+" do table.insert(keys[name], column) end
  end
  return keys
end

-- ---- Declarations as text ----

local lua_words = [[ and break do else elseif end false for function goto if in local nil not or repeat return then true
  until while ]]

local function is_name(text)
  return text:find "^[%a_][%w_]*$" ~= nil and not lua_words:find(" " .. text .. " ", 1, true)
end

--- A string as Lua reads it, on one line.
local function quote(text) return (("%q"):format(text):gsub("\\\n", "\\n")) end

local function literal(value)
  if type(value) == "table" then
    local parts = {}
    for i, each in ipairs(value) do parts[i] = literal(each) end
    return "{ " .. table.concat(parts, ", ") .. " }"
  end
  return type(value) == "string" and quote(value) or ("%q"):format(value)
end

-- As they stand in a declaration.
local order = {
  "primary", "auto", "required", "unique", "index", "default", "auto_now_add", "max", "scale", "one_of", "column",
  "type", "on_delete", "through",
}

local function options_text(options)
  local parts = {}
  for _, name in ipairs(order) do
    if options[name] ~= nil then parts[#parts + 1] = name .. " = " .. literal(options[name]) end
  end
  return #parts > 0 and "{ " .. table.concat(parts, ", ") .. " }" or nil
end

--- t.pointer("User", { index = true })
local function type_text(field)
  local args = {}
  for i, value in ipairs(field.args or {}) do args[i] = literal(value) end
  if field.of then args[1] = ("t.%s()"):format(field.of) end
  local options = options_text(field.options)
  if #args == 0 then return ("t.%s%s"):format(field.kind, options and " " .. options or "()") end
  args[#args + 1] = options
  if #args == 1 and field.args then return ("t.%s %s"):format(field.kind, args[1]) end
  return ("t.%s(%s)"):format(field.kind, table.concat(args, ", "))
end

local function model_text(m, each)
  local lines, width = {}, 0
  for _, field in each(m) do
    local name = is_name(field.name) and field.name or "[" .. quote(field.name) .. "]"
    width = math.max(width, utf8.len(name))
    lines[#lines + 1] = { name, type_text(field) }
  end
  for i, line in ipairs(lines) do
    lines[i] = ("    %s%s = %s,"):format(line[1], (" "):rep(width - utf8.len(line[1])), line[2])
  end
  local place = is_name(m.name) and "models." .. m.name or "models[" .. quote(m.name) .. "]"
  local options = {}
  if m.table ~= m.name then options[1] = "table = " .. quote(m.table) end
  if m.view then options[#options + 1] = "view = true" end
  local tail = #options > 0 and ", { " .. table.concat(options, ", ") .. " }" or ""
  return ("  %s = store:model(%s, {\n%s\n  }%s)\n"):format(place, quote(m.name), table.concat(lines, "\n"), tail)
end

local HEAD = [[
-- Models of a database, as `neap models` found it. In a script: local models = require "models" (store)
local neap = require "neap"
local t = neap.types

--- Declares the models in a store and gives them by name.
---@param store neap.store
---@return table<string, neap.model>
return function(store)
  local models = {}
]]

local function print_models(url, options)
  local only_read = url:find "^sqlite:" and not url:find "[?&]mode=" and "ro" or nil  -- makes no file of a wrong name
  local reflect, store = require "neap.reflect", require "neap".open { url = url, mode = only_read }
  local models, left = reflect.describe(store, options)
  store:close()
  local text = { HEAD }
  for _, m in ipairs(models) do text[#text + 1] = model_text(m, reflect.each) end
  for i, out in ipairs(left) do
    local what = host.show_key(out.table) .. (out.column and "." .. host.show_key(out.column) or "")
    text[#text + 1] = ("%s  -- %s: %s"):format(i == 1 and "  -- Left out:\n" or "", what, host.show_key(out.reason))
  end
  text[#text + 1] = (#left > 0 and "\n" or "") .. "  return models\nend"
  print(table.concat(text, "\n"))
end

return {
  about = "print the models of a database that is there",
  operands = "URL [table...]",
  options = {
    { "--keys KEYS", "what tells the rows of views, and of tables without a key, from each\n"
      .. "other: TABLE=COLUMN,TABLE=COLUMN+COLUMN" },
  },
  run = function(options, url, ...)
    local only = { ... }
    print_models(url, { only = #only > 0 and only or nil, keys = read_keys(options.keys) })
  end,
}
