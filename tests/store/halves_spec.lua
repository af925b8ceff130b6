-- Ordered and limited reads by a column that may be absent: the index serves them, whichever way and however far on.
local contract = require "tests.store.contract"
local neap = require "neap"
local t = neap.types

contract.sql("an order by what may be absent", function(c)
  local Item, Group

  before_each(function()
    Group = c.store:model("Group", { id = t.integer { primary = true }, name = t.string() })
    Item = c.store:model("Item", {
      id = t.integer { primary = true }, a = t.integer { index = true }, b = t.integer(), kind = t.string(),
      group = t.pointer "Group", down = t.integer(), by_kind = t.index { "kind", "b" }, by_down = t.index { "-down" },
    })
    c.store:bind()
    Group { id = 1, name = "one" }:save()
    c.store:sql [[INSERT INTO "Item" (id, a, b, kind, group_id, down)
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
      SELECT i, CASE WHEN i % 50 > 0 THEN i % 1000 END, CASE WHEN i % 50 > 0 THEN i END, CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END,
        CASE WHEN i % 3 > 0 THEN 1 END, CASE WHEN i % 50 > 0 THEN i END FROM n]]
    c.store:sql(c.name == "postgres" and [[VACUUM ANALYZE "Item"]] or "ANALYZE")
  end)

  --- How the database does it.
  local function plan_of(q)
    local e, lines = q:explain(), {}
    local how = c.name == "postgres" and "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) " or "EXPLAIN QUERY PLAN "
    local statement = e.sql:gsub("[?$](%d+)", function(i)
      local value = e.params[tonumber(i)]
      return type(value) == "string" and "'" .. value .. "'" or tostring(value)
    end)
    for i, row in ipairs(c.store:sql(how .. statement)) do lines[i] = row["QUERY PLAN"] or row.detail end
    return table.concat(lines, "\n")
  end

  --- The index is used, and nothing reads the table from one end to the other.
  local function by_index(q, index)
    local plan = plan_of(q)
    assert.truthy(plan:find(index, 1, true), plan)
    assert.is_nil(plan:find "Seq Scan[^\n]*actual", plan)
    assert.is_nil(plan:find "SCAN t0\n", plan)
    return plan
  end

  --- The same rows as from the whole order.
  local function same(q, limit, skip)
    local all, some = q:pluck "id", q:limit(limit):skip(skip or 0)
    local expected = table.move(all, (skip or 0) + 1, math.min((skip or 0) + limit, #all), 1, {})
    assert.same(expected, some:pluck "id")
    local ids = {}
    for i, row in ipairs(some:rows()) do ids[i] = row.id end
    assert.same(expected, ids)
  end

  it("is served by the index in both directions", function()
    by_index(Item:order("-a"):limit(10), "Item_a_idx")
    by_index(Item:order("-a", "id"):limit(10), "Item_a_idx")
    by_index(Item:order("a", "id"):limit(10), "Item_a_idx")
    by_index(Item:order("-down"):limit(10), "Item_by_down")
    by_index(Item:where { kind = "even" }:order("-b", "id"):limit(10), "Item_by_kind")
  end)

  it("does not look for absent rows while there are others", function()
    if c.name == "postgres" then assert.truthy(by_index(Item:order("-a", "id"):limit(10), "Item_a_idx"):find "never executed") end
  end)

  it("goes on behind a value by the index", function()
    local behind = Item.a:lte(500) | Item.a:exists(false)
    local rest = Item.a:lt(500) | Item.a:exists(false) | Item.id:gt(9)
    local plan = by_index(Item:where(behind, rest):order("-a", "id"):limit(10), "Item_a_idx")
    assert.truthy(plan:find("a <= ", 1, true) or plan:find("a<?", 1, true), plan)
    plan = by_index(Item:where(Item.a:gte(500) | Item.a:exists(false)):order("a", "id"):limit(10), "Item_a_idx")
    assert.truthy(plan:find("a >= ", 1, true) or plan:find("a>?", 1, true), plan)
  end)

  it("is the same as without a limit, before, between and behind the last value", function()
    for _, order in ipairs { { "-a", "id" }, { "a", "-id" }, { "-b" }, { "-down", "id" }, { "-a", "group.name", "id" } } do
      local q = Item:order(table.unpack(order))
      for _, skip in ipairs { 0, 4890, 4995, 5000, 6000 } do same(q, 20, skip) end
      same(q, 6000)
      same(q:where { kind = "odd" }, 10, 2445)
      same(q:where(Item.a:lte(3) | Item.a:exists(false)), 60)
      same(q:where { a__exists = false }, 10, 95)
      assert.same({}, q:limit(0):pluck "id")
    end
  end)

  it("goes with includes, counts, selections and streams", function()
    local q = Item:order("-a", "id"):limit(150):include "group"
    local rows = q:all()
    assert.equal(150, #rows)
    assert.equal(999, rows[1].a)
    assert.equal("one", rows[2].group.name)
    local n = 0
    for item in Item:select("b"):order("-a", "id"):limit(4905):each() do n = n + (item.b and 0 or 1) end
    assert.equal(5, n)
    assert.equal(150, q:count())
    assert.equal(999, q:first().a)
  end)

  it("gives pages in both directions, the same as the whole", function()
    local q = Item:where { id__lte = 400 }:order("-a", "id")
    local expected, ids, cursor, pages = q:pluck "id", {}, nil, {}
    repeat
      local rows, next_cursor, before = q:page { size = 90, after = cursor }
      for _, row in ipairs(rows) do ids[#ids + 1] = row.id end
      pages[#pages + 1], cursor = { rows = rows, before = before }, next_cursor
    until not cursor
    assert.same(expected, ids)
    for i = #pages, 2, -1 do assert.same(pages[i - 1].rows, (q:page { size = 90, before = pages[i].before })) end
  end)
end)
