-- neap shell URL: a prompt with the models of a database that is there already: Lua, and statements of SQL that end
-- with a semicolon. What comes from a file or a pipe runs in the same way, without a prompt.
local grid = require "neap.grid"
local reflect = require "neap.reflect"
local repl = require "neap.repl"
local view = require "neap.view"

-- The store, once its models are known. An interrupt ends what runs, and run() comes again.
local opened, begun

local columns = {}  -- the names of SQL: tables with their columns, and the columns

-- ---- SQL ----

local statements = {}
for word in ([[alter analyze call comment create delete drop explain grant insert pragma reindex revoke select set show
  table truncate update vacuum values with]]):gmatch "%a+" do statements[word] = true end

local function write_statement(text)
  local rows <close>, names = view.stream(opened, text)
  if type(names) == "table" then return grid.write(names, function() return view.fetch(rows) end) end
  print(("%d row%s changed"):format(names, names == 1 and "" or "s"))
end

--- Whether the text is a statement of a single word, which Lua would take for a variable.
local function is_word(text)
  local word = text:match "^%s*(%a+)%s*;%s*$"
  return word and rawget(_G, word) == nil and statements[word:lower()]
end

local function is_sql(text) return statements[(text:match "^%s*(%a+)%f[%s;]" or ""):lower()] end

--- What was typed as a chunk: Lua, or where that is none and the first word is one of SQL, a statement up to the
--- semicolon.
local function compile(text)
  local chunk, problem = repl.compile(text)
  if not is_sql(text) or chunk and not is_word(text) then return chunk, problem end
  local statement = text:match "^(.-)%s*;%s*$"
  if not statement then return nil, "more" end
  return function() write_statement(statement) end
end

-- What completes a statement.
local function names_of_sql(before) return is_sql(before) and columns or nil end

local function know(models)
  for _, m in ipairs(models) do
    columns[m.table] = {}
    for _, column in ipairs(m.columns) do
      columns[m.table][column.name], columns[column.name] = true, columns[column.name] or true
    end
  end
end

-- ---- Beginning ----

local function names_of(models)
  local names = {}
  for name in pairs(models) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- Opens the store and makes its models, and what is asked of them most, globals.
local function open(url)
  local neap = require "neap"
  url = url or os.getenv "NEAP_STORE"
  local alone = url and url:find "^postgres"  -- where Ctrl-C is to end a statement in the server too
  local store = neap.open(alone and { url = url, share = false } or url)
  local models, left, described = reflect.declare(store)
  opened = store
  know(described)
  _G.neap, _G.t, _G.store, _G.models = neap, neap.types, store, models
  local names = names_of(models)
  for _, name in ipairs(names) do
    if _G[name] == nil then _G[name] = models[name] end
  end
  return names, left
end

local function greet(names, left)
  print(("%s: %s"):format(tostring(opened), #names == 0 and "no models" or table.concat(names, ", ")))
  local count = {}
  for _, out in ipairs(left) do count[#count + 1] = not out.column and out.table or nil end
  if #count > 0 then print(("without a model: %s"):format(table.concat(count, ", "))) end
  print "Lua, or SQL that ends with a semicolon; store, models, neap and t are there; Ctrl-D ends."
end

--- Runs what is read from a file or a pipe; the first error ends it.
local function run_input()
  local text = ""
  for line in io.lines() do
    text = text .. line .. "\n"
    local chunk, problem = compile(text)
    if chunk then
      repl.call(chunk)
      text = ""
    elseif problem ~= "more" then
      error(problem, 0)
    end
  end
  if text:find "%S" then error("what was read ends in the middle of: " .. text:match "^%s*([^\n]*)", 0) end
end

return {
  about = "type Lua and SQL over a database, with the models that it has",
  operands = "[URL]",
  run = function(_, url)
    local prompt = package.preload["neap.edit"]
    if not opened then
      if begun then os.exit(130) end  -- an interrupt before the first prompt
      begun = true
      local names, left = open(url)
      if prompt then greet(names, left) end
    end
    if not prompt then return run_input() end
    repl.run((require "neap.edit"), compile, names_of_sql)
  end,
}
