-- neap migrate URL dir: runs the migrations in a folder, one line each.
local host = require "neap.host"

local command = require "neap.command"

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

return {
  about = "run the migrations in dir that the database at URL has not seen",
  operands = "URL dir",
  options = {
    { "--to N", "only up to number N" },
    { "--down N", "undo the last N" },
    { "--plan", "show the statements that would be sent, and send none" },
  },
  exits = { [1] = "a migration failed", [75] = "another run is at work on the database" },
  run = function(options, url, dir)
    if options.to and options.down then command.wrong("migrate", "--to and --down are two directions") end
    local migrate = require "neap.migrate"
    local store = require "neap".open(url)
    local way = { to = options.to, down = options.down }
    if options.plan then return show_plan(migrate.plan(store, dir, way)) end
    way.each = function(step)
      print(("%s %s (%.2f s)"):format(step.direction, step.name, step.seconds))
      io.stdout:flush()
    end
    local names, version = migrate.run(store, dir, way)
    if #names == 0 then print(("nothing to do: the database is at version %d"):format(version)) end
    store:close()
  end,
}
