-- Random conditions over random rows, through relations and into JSON: what a store answers is what the evaluator says of
-- the same objects in memory. AND, OR, NOT and relations are decided in Lua, and of some conditions also by the evaluator.
-- The seed is printed; give it as SEED to see the same run again. NEAP_SOAK makes the run ten times as long.
local contract = require "tests.store.contract"
local generator = require "tests.store.random"

local ROUNDS, CONDITIONS = os.getenv "NEAP_SOAK" and 1000 or 100, 100
local WHOLE = 25  -- one of so many conditions is evaluated as a whole, over one row of so many
local seed = tonumber(os.getenv "SEED") or os.time()
print("seed " .. seed)

--- Asks the store and the evaluator. Gives how many rows met the condition.
local function compare(world)
  local one = world.tree()
  local query = world.Thing:where(one.condition):order "id"
  local found, met = query:pluck "id", {}
  for _, row in ipairs(world.rows) do
    if one.meets(row) then met[#met + 1] = row.id end
  end
  if table.concat(found, " ") ~= table.concat(met, " ") then
    assert.same(met, found, ("seed %d: %s\n%s"):format(seed, one.condition, query:explain().sql))
  end
  if math.random(WHOLE) == 1 then
    for _, row in ipairs(world.rows) do
      if math.random(WHOLE) == 1 and one.condition:matches(row) ~= one.meets(row) then
        error(("seed %d: row %d, %s: %s"):format(seed, row.id, tostring(one.meets(row)), one.condition))
      end
    end
  end
  return #met
end

contract.sql("10,000 random conditions over 10,000 random rows", function(c)
  it("are answered as the evaluator answers them (seed " .. seed .. ")", function()
    math.randomseed(seed)
    local partial = 0
    for round = 1, ROUNDS do
      local world = generator.world(c.store, "Thing" .. round)
      for _ = 1, CONDITIONS do
        local n = compare(world)
        if n > 0 and n < #world.rows then partial = partial + 1 end
      end
    end
    assert.is_true(partial * 3 >= ROUNDS * CONDITIONS, partial .. " conditions met some rows but not all")
    for name, cases in pairs(generator.seen) do
      for case, n in pairs(cases) do assert.is_true(n >= 20, ("%s: %s came up %d times"):format(name, case, n)) end
    end
  end)
end)
