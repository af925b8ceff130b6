-- Random conditions over random rows: what the service filters, and what is left to neap of it, is what the evaluator says of the
-- same objects. The seed is printed; give it as SEED to see the same run again. NEAP_SOAK makes the run ten times as long.
local generator = require "tests.store.random"
local neap = require "neap"

local endpoint = os.getenv "NEAP_TEST_DYNAMODB"
if not endpoint then return end

local ROUNDS, CONDITIONS = os.getenv "NEAP_SOAK" and 100 or 10, 100
local seed = tonumber(os.getenv "SEED") or os.time()
print("seed " .. seed)

local function ids_of(rows)
  local ids = {}
  for _, row in ipairs(rows) do ids[#ids + 1] = row.id end
  table.sort(ids)
  return table.concat(ids, " ")
end

describe("random conditions over random rows in DynamoDB", function()
  it("are answered as the evaluator answers them (seed " .. seed .. ")", function()
    local store = neap.open { url = "dynamodb://us-east-1?endpoint=" .. endpoint, access_key = "spec", secret_key = "spec",
      table_template = ("spec_%s_{table}"):format(os.tmpname():gsub("%W", "")) }
    math.randomseed(seed)
    generator.plain()
    local filtered, partial = 0, 0
    for round = 1, ROUNDS do
      local world = generator.world(store, "Thing" .. round)
      for _ = 1, CONDITIONS do
        local one, met = world.tree(), {}
        for _, row in ipairs(world.rows) do
          if one.meets(row) then met[#met + 1] = row end
        end
        local query = world.Thing:where(one.condition)
        local x = query:explain()
        local ok, rows = pcall(query.all, query)
        if not ok then error(("seed %d: %s: %s\n%s"):format(seed, rows, one.condition, neap.json.encode(x.request or {}))) end
        local found = ids_of(rows)
        if found ~= ids_of(met) then
          assert.equal(ids_of(met), found, ("seed %d: %s\n%s"):format(seed, one.condition, neap.json.encode(x.request or {})))
        end
        if x.request and x.request.FilterExpression then filtered = filtered + 1 end
        if #met > 0 and #met < #world.rows then partial = partial + 1 end
      end
    end
    assert.is_true(filtered * 4 >= ROUNDS * CONDITIONS, filtered .. " conditions went to the service")
    assert.is_true(partial * 5 >= ROUNDS * CONDITIONS, partial .. " conditions met some rows but not all")
    store:close()
  end)
end)
