-- No number loses a digit on DynamoDB: 10,000 random ones, as keys and values, in conditions, sets, lists, maps and JSON.
local contract = require "tests.store.contract"
local neap = require "neap"
local t = neap.types

local GROUP = 100  -- numbers of one partition

local seed = 20261121

local function draw(n)
  seed = (seed * 6364136223846793005 + 1442695040888963407)
  return (seed >> 33) % n
end

--- 1 to 38 digits, anywhere between 1E-130 and 9.99...E+125.
local function decimal()
  local digits = { tostring(1 + draw(9)) }
  for i = 2, 1 + draw(38) do digits[i] = tostring(draw(10)) end
  local sign, exponent = draw(2) == 0 and "" or "-", draw(256) - 130
  return neap.decimal(("%s%s.%se%d"):format(sign, digits[1], table.concat(digits, "", 2) .. "0", exponent))
end

local edges = { 0, 1, -1, math.maxinteger, math.mininteger, math.maxinteger - 1, math.mininteger + 1, 1 << 53, (1 << 53) + 1 }

local function integer()
  return table.remove(edges) or ((draw(1 << 30) << 34) ~ (draw(1 << 30) << 15) ~ draw(1 << 15)) >> draw(60)
end

local function number()
  local d = (draw(1 << 30) * 2 ^ 23 + draw(1 << 23) - 2 ^ 52) * 2.0 ^ (draw(770) - 430)
  return draw(4) == 0 and (draw(2000000) - 1000000) / 100 or d
end

--- Groups of numbers, no two equal.
local function groups_of(make, n)
  local groups, known = {}, {}
  for g = 1, n // GROUP do
    groups[g] = {}
    while #groups[g] < GROUP do
      local x = make()
      local text = tostring(x):gsub("%.?0+$", "")
      if not known[text] then
        known[text] = true
        table.insert(groups[g], x)
      end
    end
  end
  return groups
end

--- JSON alone does not tell a decimal from a float that has as many digits.
local function same(x, y)
  return x == y or neap.json.encode(x) == neap.json.encode(y) or neap.decimal(neap.json.encode(y)) == x
end

local function less(a, b) return a < b end

contract.only("dynamodb", "numbers", function(c)
  local function check(type_, make, n)
    local overwriting = c.store:with { persist = "overwrite" }
    c.store:model("Number", {
      { "g", t.integer { hash_key = true } }, { "n", type_ { range_key = true } }, { "x", type_() },
    })
    c.store:model("Group", {
      { "g", t.integer { primary = true } }, { "members", t.set(type_()) }, { "list", t.list(type_()) },
      { "map", t.map(type_()) }, { "json", t.json() },
    })
    c.store:bind()
    local Number, Group = overwriting:model "Number", overwriting:model "Group"
    local groups = groups_of(make, n)
    local numbers, holders = {}, {}
    for g, list in ipairs(groups) do
      local map = {}
      for i, x in ipairs(list) do
        numbers[#numbers + 1] = Number { g = g, n = x, x = x }
        map["k" .. i] = x
      end
      holders[g] = Group { g = g, members = list, list = list, map = map, json = { list = list, map = map } }
    end
    overwriting:save(numbers)
    overwriting:save(holders)

    -- As keys: each is found by what it was.
    local found = {}
    for i, one in ipairs(numbers) do found[i] = Number { g = one.g, n = one.n } end
    c.store:load(found)
    for i, one in ipairs(numbers) do
      assert.equal(one.x, found[i].x)
      assert.equal(math.type(one.x), math.type(found[i].x))
    end

    for g, list in ipairs(groups) do
      -- In conditions, and in the order of keys.
      local rows = Number:where { g = g, x__in = list }:order "n":all()
      assert.equal(GROUP, #rows)
      local sorted = table.move(list, 1, GROUP, 1, {})
      table.sort(sorted, less)
      for i, row in ipairs(rows) do assert.equal(sorted[i], row.n) end

      -- In what holds many.
      local kept = Group:get(g)
      local set = table.move(kept.members, 1, #kept.members, 1, {})
      table.sort(set, less)
      for i, x in ipairs(sorted) do assert.equal(x, set[i]) end
      for i, x in ipairs(list) do
        assert.equal(x, kept.list[i])
        assert.equal(x, kept.map["k" .. i])
        assert.is_true(same(x, kept.json.list[i]) and same(x, kept.json.map["k" .. i]))
      end
    end
  end

  it("of 38 digits survive", function() check(t.decimal, decimal, 5000) end)
  it("of 64 bits survive", function() check(t.integer, integer, 2500) end)
  it("that are floats survive", function() check(t.number, number, 2500) end)
end)
