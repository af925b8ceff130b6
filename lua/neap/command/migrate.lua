-- neap migrate URL dir: runs the migrations in a folder, one line each.
local host = require "neap.host"

local USAGE = [[
usage: neap migrate URL dir             run the migrations in dir that the database at URL has not seen
       neap migrate URL dir --to N      only up to number N
       neap migrate URL dir --down N    undo the last N
       neap migrate URL dir --plan ...  show the statements that would be sent, and send none
exit codes: 0 done, 1 a migration failed, 2 wrong use, 75 another run is at work on the database
]]
local FAILED, WRONG, LOCKED = 1, 2, 75

local function wrong(format, ...)
  io.stderr:write("neap migrate: ", string.format(format, ...), "; see neap migrate --help\n")
  os.exit(WRONG)
end

local function count(option, text)
  local n = math.tointeger(tonumber(text))
  if not n or n < 1 then wrong("%s takes a whole number above 0, not %s", option, text or "nothing") end
  return n
end

local function read_arguments(arguments)
  local places, options, plan, i = {}, {}, false, 1
  while arguments[i] do
    local word = arguments[i]
    if word == "--help" or word == "-h" then
      io.write(USAGE)
      os.exit(0)
    elseif word == "--plan" then
      plan = true
    elseif word == "--to" or word == "--down" then
      i = i + 1
      options[word:sub(3)] = count(word, arguments[i])
    elseif word:find "^%-" then
      wrong("%s is no option", word)
    else
      places[#places + 1] = word
    end
    i = i + 1
  end
  if #places ~= 2 then wrong "the URL of a store and a folder of migrations are wanted" end
  if options.to and options.down then wrong "--to and --down are two directions" end
  return places[1], places[2], options, plan
end

local function show_params(params)
  local shown = {}
  for _, value in ipairs(params) do shown[#shown + 1] = host.show(value) end
  for name, value in pairs(params) do
    if type(name) == "string" then shown[#shown + 1] = name .. " = " .. host.show(value) end
  end
  return #shown > 0 and "  -- " .. table.concat(shown, ", ") or ""
end

local function show_plan(plan)
  for _, step in ipairs(plan) do
    print(("-- %s %s%s"):format(step.direction, step.name, step.transaction and "" or ", outside of transactions"))
    for _, statement in ipairs(step.statements) do
      print(statement.sql:gsub("%s+$", "") .. ";" .. show_params(statement.params))
    end
    if step.unknown then print("-- the rest depends on what it finds: " .. step.unknown) end
  end
end

local function work(url, dir, options, plan)
  local migrate = require "neap.migrate"
  local store = require "neap".open(url)
  if plan then return show_plan(migrate.plan(store, dir, options)) end
  options.each = function(step)
    print(("%s %s (%.2f s)"):format(step.direction, step.name, step.seconds))
    io.stdout:flush()
  end
  local names, version = migrate.run(store, dir, options)
  if #names == 0 then print(("nothing to do: the database is at version %d"):format(version)) end
  store:close()
end

---@param arguments string[]
return function(arguments)
  local url, dir, options, plan = read_arguments(arguments)
  local _, e = host.try(work, url, dir, options, plan)
  if not e then return end
  if host.is(e, "cancelled") then error(e, 0) end
  io.stdout:flush()
  io.stderr:write("neap migrate: ", tostring(e), "\n")
  os.exit(e.code == "locked" and LOCKED or FAILED)
end
