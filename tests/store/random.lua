-- random.lua: random models, rows and conditions for property_spec.lua. AND, OR, NOT and relations are decided here, in Lua, so
-- that a fault in the tree shows as well as one in a comparison.
local neap = require "neap"
local t = neap.types

local ROWS = 100
local ENOUGH = 50  -- times that an operator is asked of a place, half of them for a value of another type, before others come
local random = math.random

local function pick(list) return list[random(#list)] end
local function one_in(n) return random(n) == 1 end

-- ---- Values ----

local words = {
  "", "a", "A", "ab", "aB", "abc", "b", "ba", "Ärger", "ärger", "tide", "Tide pool", "a%b", "a_b", "z\u{10ffff}", "x'y\"z", "\\",
  "a\u{7f}", "a\u{80}", "5", "null",
}
local parts = { "a", "b", "ab", "A", "Ä", "ide", "%", "_", "", "z\u{10ffff}", "'", "\\", "a\u{7f}" }
local patterns = { "^a", "b$", "[A-Z]", "tide|pool", "^$", ".", "^\\d+$" }
local big = 9007199254740993  -- no double holds it
local integers = { 0, 1, -1, 2, 3, 5, big - 1, big, -big, math.maxinteger, math.mininteger }
local numbers = { 0.0, 1.0, -1.0, 0.5, 1.5, -2.25, 3.0, 1e15, 9007199254740992.0, 2.0, 1e300 }
local decimals = { "0", "0.00", "1.10", "1.1", "-12.50", "5", "5.0", "123456789012345678901234567890.5", "-0.001", "10" }
local times = { "2015-07-20T09:05:57.463255Z", "2015-07-20T09:05:57Z", "1999-12-31T23:59:59Z", "2020-02-29T00:00:00.000001Z" }
local days = { "2015-07-20", "1999-12-31", "2020-02-29" }
local ids = { "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002", "f0000000-0000-4000-8000-000000000001" }

local function word() return pick(words) end
local function integer() return pick(integers) end
local function number() return pick(numbers) end
local function decimal() return neap.decimal(pick(decimals)) end
local function boolean() return one_in(2) end
local function datetime() return neap.datetime(pick(times)) end
local function second() return neap.datetime((pick(times):gsub("%.%d+", ""))) end
local function date() return neap.date(pick(days)) end
local function uuid() return pick(ids) end
local function bytes() return neap.bytes(pick(words)) end
local function point() return neap.geopoint(random(-3, 3), random(-3, 3)) end
local function key() return random(ROWS) end
local function scalar() return pick { word, integer, number, decimal, boolean, function() return neap.null end }() end

local function list_of(element)
  local list = {}
  for i = 1, random(0, 3) do list[i] = element() end
  return neap.array(list)
end

local function set_of(element)
  local list, seen = {}, {}
  for _ = 1, random(0, 3) do
    local x = element()
    if not seen[x] then list[#list + 1] = x end
    seen[x] = true
  end
  return neap.set(list)
end

local function json(depth)
  local kind = depth > 0 and random(8) or 8
  if kind <= 2 then return list_of(function() return json(depth - 1) end) end
  if kind <= 4 then return { a = json(depth - 1), b = json(depth - 1) } end
  return scalar()
end

local function document()
  return { a = json(2), list = list_of(scalar), o = { x = json(1) }, ['q"k'] = scalar(), at = one_in(2) and point() or nil }
end

-- ---- Places, and what can be asked of them ----

local order = { "lt", "lte", "gt", "gte", "between" }
local text = { "prefix", "suffix", "contains", "iprefix", "isuffix", "icontains", "iexact", "regex" }
local elements = { "has", "any", "all", has = true, any = true, all = true }

--- A place: its steps (a field, then keys and indexes from 1), a value for its column, operands and sets of operators.
local function place(steps, value, options, ...)
  local p = { steps = type(steps) == "table" and steps or { steps }, value = value, operators = { "eq", "ne", "in", "nin", "exists" } }
  for name, option in pairs(options) do p[name] = option end
  for _, set in ipairs { ... } do
    for _, operator in ipairs(set) do p.operators[#p.operators + 1] = operator end
  end
  p.operand = p.operand or value
  p.name = table.concat(p.steps, ".")
  return p
end

local columns = {
  place("s", word, { wrong = integer }, order, text),
  place("i", integer, { wrong = word, also = number }, order),
  place("n", number, { wrong = word, also = integer }, order),
  place("d", decimal, { wrong = boolean, also = integer }, order),
  place("b", boolean, { wrong = integer }, order),
  place("at", datetime, { wrong = integer }, order),
  place("ts", second, { wrong = boolean, also = datetime }, order),
  place("day", date, { wrong = boolean }, order),
  place("u", uuid, { wrong = boolean }, order),
  place("by", bytes, { wrong = boolean }, order),
  place("peer", key, { wrong = boolean }, order),
  place("l", function() return list_of(word) end, { wrong = word, element = word }, elements, { "size" }),
  place("st", function() return set_of(word) end, { wrong = integer, element = word }, elements, { "size" }),
  place("m", function() return { a = scalar(), b = scalar() } end, { wrong = word }, { "size" }),
  place("g", point, { wrong = word }, { "near", "within" }),
  place("j", document, { wrong = bytes, element = scalar }, order, text, elements, { "size", "type", "near", "within" }),
}
local untyped = { operand = scalar, wrong = bytes, element = scalar }
local inner = {}
local paths = {
  { "j", "a" }, { "j", "list" }, { "j", "list", 1 }, { "j", "o", "x" }, { "j", 'q"k' }, { "j", "a", "b" }, { "m", "a" },
}
for i, steps in ipairs(paths) do
  inner[i] = place(steps, nil, untyped, order, text, elements, { "size", "type", "near", "within" })
end
inner[#inner + 1] = place({ "j", "at" }, nil, { operand = point, wrong = bytes, element = scalar }, { "near", "within" })
inner[#inner + 1] = place({ "l", 1 }, nil, { operand = word, wrong = integer }, order, text)

local plain = false  -- rows for stores without relations: see generator.plain

local function declare(store, name)
  local fields = {
    { "id", t.integer { primary = true } }, { "s", t.string() }, { "i", t.integer() }, { "n", t.number() }, { "d", t.decimal() },
    { "b", t.boolean() }, { "at", t.datetime() }, { "ts", t.timestamp() }, { "day", t.date() }, { "u", t.uuid() },
    { "by", t.bytes() }, { "peer", t.pointer(name, { index = true }) }, { "l", t.list(t.string()) },
    { "st", t.set(t.string()) }, { "m", t.map() }, { "g", t.geopoint() }, { "j", t.json() },
  }
  if plain then
    local Thing = store:model(name, fields, { scan = true })
    store:bind()
    return Thing
  end
  fields[#fields + 1] = { "peers", t.has_many(name, "peer") }
  fields[#fields + 1] = { "friends", t.many_to_many(name, { through = name .. "Friend" }) }
  local Thing = store:model(name, fields)
  local Friend = store:model(name .. "Friend", {
    { "id", t.integer { primary = true, auto = true } }, { "here", t.pointer(name) }, { "there", t.pointer(name) },
    { "weight", t.integer() },
  })
  store:bind()
  return Thing, Friend
end

--- Saves rows, some without a value and some with a null in a column. Gives them as they come back, and in how many of them
--- each column is absent and null.
local function fill(store, Thing)
  local rows, given = {}, {}
  for _, p in ipairs(columns) do given[p.name] = { absent = 0, null = 0 } end
  for id = 1, ROWS do
    local row = { id = id }
    for _, p in ipairs(columns) do
      local case = ({ "absent", "null" })[random(8)]
      if case then given[p.name][case] = given[p.name][case] + 1 end
      if case == "null" then row[p.name] = neap.null elseif not case then row[p.name] = p.value() end
    end
    if type(row.peer) == "number" then row.peer = random(id) end  -- who is pointed to is there already
    rows[id] = Thing(row)
  end
  store:save(rows)
  return Thing:order "id":all(), given
end

-- ---- Conditions ----

local function several(f, most)
  local list = {}
  for i = 1, random(0, most) do list[i] = f() end
  return list
end

local is_text = {}
for _, operator in ipairs(text) do is_text[operator] = true end

--- The operand of an operator; `wrong`: of a type that the place cannot hold. Nil where every value is right, or refused.
local function operand_of(p, operator, wrong)
  local value = wrong and p.wrong or (p.also and one_in(3) and p.also) or p.operand
  if operator == "exists" then return boolean() end
  if operator == "type" then return pick { "string", "integer", "number", "boolean", "list", "map", "null" } end
  if operator == "in" or operator == "nin" then return several(function() return one_in(12) and neap.null or value() end, 4) end
  if operator == "between" then return { value(), value() } end
  if operator == "near" then return { point(), random(0, 500000) } end
  if operator == "within" then return { neap.geopoint(random(-3, 0), random(-3, 3)), neap.geopoint(random(0, 3), random(-3, 3)) } end
  if operator == "size" then return wrong and word() or random(0, 4) end
  if elements[operator] then
    local element = wrong and (p.element == word and integer or bytes) or p.element
    return operator == "has" and element() or several(element, 2)
  end
  if is_text[operator] then return wrong and integer() or pick(operator == "regex" and patterns or parts) end
  if one_in(15) and (operator == "eq" or operator == "ne") then return neap.null end
  return value()
end

local methods = { ["in"] = "is_in", nin = "not_in" }
local pairs_of = { between = true, near = true, within = true }

local function column_of(Thing, p)
  local column = Thing.fields[p.steps[1]]
  return #p.steps > 1 and column:at(table.unpack(p.steps, 2)) or column
end

--- The place as text, where lists count from 0.
local function path_of(p)
  local path = {}
  for i, step in ipairs(p.steps) do path[i] = type(step) == "number" and step - 1 or step end
  return table.concat(path, ".")
end

local function spell(Thing, p, operator, operand)
  local way = random(3)
  if way == 1 then
    local column, method = column_of(Thing, p), methods[operator] or operator
    if pairs_of[operator] then return column[method](column, operand[1], operand[2]) end
    return column[method](column, operand)
  end
  local path = path_of(p)
  local spelled = way == 2 and { [path .. "__" .. operator] = operand } or { [path] = { ["$" .. operator] = operand } }
  return neap.any_of { spelled } & Thing.id:exists(true)
end

local always = { exists = true, type = true, near = true, within = true }  -- take no operand that could be of another type

--- What came up: [operator .. " of " .. place][case] counts. Each operator that a place takes is there from the beginning.
local seen = {}

for _, places in ipairs { columns, inner } do
  for _, p in ipairs(places) do
    for _, operator in ipairs(p.operators) do
      seen[operator .. " of " .. p.name] = { asked = 0, absent = 0, null = 0, wrong = not always[operator] and 0 or nil }
    end
  end
end

local function note(p, operator, case, n)
  local cases = seen[operator .. " of " .. p.name]
  cases[case] = cases[case] + n
end

--- Remembers what a function says of each row: relations ask again and again.
local function remember(meets)
  local said = {}
  return function(row)
    if said[row.id] == nil then said[row.id] = meets(row) end
    return said[row.id]
  end
end

local function asked(p, operator)
  return math.min(seen[operator .. " of " .. p.name].asked, ENOUGH)
end

--- A place and an operator: of four pairs the one that has come up least.
local function rare_pair()
  local p, operator
  for _ = 1, 4 do
    local q = one_in(3) and pick(inner) or pick(columns)
    local o = pick(q.operators)
    if not p or asked(q, o) < asked(p, operator) then p, operator = q, o end
  end
  return p, operator
end

local function leaf(Thing, given)
  local p, operator = rare_pair()
  local n = asked(p, operator)
  local wrong = not always[operator] and (n < ENOUGH and n % 2 == 0 or one_in(15))
  note(p, operator, "absent", given[p.steps[1]].absent)
  note(p, operator, "null", given[p.steps[1]].null)
  note(p, operator, "asked", 1)
  if wrong then note(p, operator, "wrong", 1) end
  local condition = spell(Thing, p, operator, operand_of(p, operator, wrong))
  return { condition = condition, meets = remember(function(row) return condition:matches(row) end) }
end

--- What is asked of an element: one or two comparisons, perhaps of what lies inside.
local function of_element(e)
  local function one()
    local column = one_in(4) and e:at(pick { "a", "b", 1 }) or e
    local operator = pick { "eq", "ne", "lt", "gte", "prefix", "contains", "exists", "type", "is_in", "between" }
    local value = one_in(2) and word() or integer()
    if operator == "exists" then value = boolean() end
    if operator == "type" then value = pick { "string", "integer", "list", "map" } end
    if operator == "is_in" then value = several(scalar, 3) end
    if is_text[operator] then value = pick(parts) end
    local condition = operator == "between" and column:between(value, value) or column[operator](column, value)
    return one_in(4) and ~condition or condition
  end
  if one_in(2) then return one() end
  if one_in(2) then return one() & one() else return one() | one() end
end

local lists = {
  { steps = { "l" } }, { steps = { "st" } }, { steps = { "j", "list" } }, { steps = { "j", "a" } }, { steps = { "j", "o", "x" } },
  { steps = { "j", 'q"k' } }, { steps = { "m", "a" } },
}

local function element_leaf(Thing)
  local column = column_of(Thing, pick(lists))
  local condition = column:element(function(e)
    return one_in(30) and e:element(of_element) or of_element(e)
  end)
  return { condition = condition, meets = remember(function(row) return condition:matches(row) end) }
end

--- Ties rows to others at random. Gives { { row =, weight = }, … } of what each relation leads to, by its name and a row's key.
local function tie(store, Friend, rows)
  local related, links = { peer = {}, peers = {}, friends = {} }, {}
  for id in ipairs(rows) do related.peer[id], related.peers[id], related.friends[id] = {}, {}, {} end
  for id, row in ipairs(rows) do
    if row.peer_id then
      related.peer[id][1] = { row = rows[row.peer_id] }
      table.insert(related.peers[row.peer_id], { row = row })
    end
    for _ = 1, random(0, 2) do
      local there, weight = key(), random(0, 3)
      links[#links + 1] = Friend { here = id, there = there, weight = weight }
      table.insert(related.friends[id], { row = rows[there], weight = weight })
    end
  end
  store:save(links)
  return related
end

local compare = {
  eq = function(a, b) return a == b end, ne = function(a, b) return a ~= b end, lt = function(a, b) return a < b end,
  gte = function(a, b) return a >= b end,
}

--- A condition on how many objects of a relation meet another one.
local function quantified(world, a)
  local relation, quantifier = pick { "peer", "peers", "friends" }, pick { "some", "some", "every", "none", "count" }
  if relation == "peer" and quantifier == "count" then relation = "peers" end
  local least = relation == "friends" and one_in(2) and random(0, 3) or nil
  local column, through = world.Thing.fields[relation], least and { weight__gte = least }
  local condition, operator, n = column[quantifier](column, a.condition, through), pick { "eq", "ne", "lt", "gte" }, random(0, 2)
  if quantifier == "count" then condition = condition[operator](condition, n) end
  return { condition = condition, meets = remember(function(row)
    local all, met = 0, 0
    for _, one in ipairs(world.related[relation][row.id]) do
      if not least or one.weight >= least then
        all = all + 1
        if a.meets(one.row) then met = met + 1 end
      end
    end
    if quantifier == "count" then return compare[operator](met, n) end
    return quantifier == "some" and met > 0 or quantifier == "every" and met == all or quantifier == "none" and met == 0
  end) }
end

local function tree(world, depth)
  local kind = depth == 0 and 1 or random(10)
  if kind <= 3 then return one_in(25) and element_leaf(world.Thing) or leaf(world.Thing, world.given) end
  local a = tree(world, depth - 1)
  if kind == 4 then return { condition = ~a.condition, meets = function(row) return not a.meets(row) end } end
  if kind <= 6 and not plain then return quantified(world, a) end
  local b = tree(world, depth - 1)
  if kind <= 8 then
    return { condition = a.condition & b.condition, meets = function(row) return a.meets(row) and b.meets(row) end }
  end
  return { condition = a.condition | b.condition, meets = function(row) return a.meets(row) or b.meets(row) end }
end

--- A model of its own, filled: { Thing =, rows =, tree = function(depth) -> { condition =, meets = function(row) } }.
local function world(store, name)
  local Thing, Friend = declare(store, name)
  local rows, given = fill(store, Thing)
  local made = { Thing = Thing, rows = rows, given = given, related = not plain and tie(store, Friend, rows) }
  made.tree = function() return tree(made, random(0, 4)) end
  return made
end

--- From now on no relations, and no values that DynamoDB Local does not keep: empty text, numbers of 300 digits.
local function make_plain()
  plain = true
  table.remove(words, 1)
  table.remove(numbers)
  for i = #parts, 1, -1 do
    if parts[i] == "" then table.remove(parts, i) end
  end
end

return { world = world, seen = seen, plain = make_plain }
