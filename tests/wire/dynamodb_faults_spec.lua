-- DynamoDB that lets its clients down (tests/services/dynamodb_proxy): throttling, failures before and after what was asked is
-- done, connections that end, replies that are slow, cut or changed, batches of which one half is done. Whatever happens, each
-- write has happened as often as it says, or is said to be unknown.
local contract = require "tests.store.contract"
local neap = require "neap"
local t = neap.types

local seed = tonumber(os.getenv "NEAP_SEED") or os.time() % 100000
local times = os.getenv "NEAP_SOAK" and 10 or 1

contract.only("dynamodb", "faults", function(c)
  local url, process, store, direct, Item, Plain

  setup(function()
    print("faults: NEAP_SEED=" .. seed)
    local pipe = assert(io.popen(("tests/services/dynamodb_proxy %s %d"):format(os.getenv "NEAP_TEST_DYNAMODB", seed)))
    url, process = pipe:read("l"):match "(%S+) (%d+)"
    pipe:close()
  end)

  teardown(function() os.execute("kill " .. process) end)

  --- From now on so many of 100 requests meet a fault, and what was asked before is forgotten.
  local function share(percent)
    neap.http.post(url .. "/rules", { body = neap.json.encode { { on = "*", share = percent } } })
  end

  local function declare(s)
    local Model = s:model("Item", { id = t.integer { primary = true }, n = t.integer { default = 0 }, text = t.string() })
    s:bind()
    return Model
  end

  before_each(function()
    local options = {}
    for name, value in pairs(c.url) do options[name] = value end
    options.url = "dynamodb://us-east-1?endpoint=" .. url
    direct, store = c.store, neap.open(options)
    share(0)
    Plain, Item = declare(direct), declare(store)
  end)

  after_each(function() store:close() end)

  --- "done", "not done" or "unknown", of what was asked.
  local function fate(f, ...)
    local ok, e = pcall(f, ...)
    if ok then return "done" end
    assert(e.kind, tostring(e))
    return e.outcome == "unknown" and "unknown" or "not done", e
  end

  local function many(n, f, together)
    local list = {}
    for i = 1, n * times do list[i] = i end
    share(20)
    local fates = neap.gather(list, together or 10, f)
    local asked = neap.http.get(url .. "/log"):json()
    share(0)
    return fates, asked
  end

  local function faults_of(asked)
    local n = 0
    for _, entry in ipairs(asked) do n = n + (entry.fault and 1 or 0) end
    return n
  end

  --- What is there of each number, as a client sees it that nothing is in the way of.
  local function there()
    local found = {}
    for item in Plain:scan():each() do found[item.id] = item end
    return found
  end

  local function expect(is, said, was, wanted, i)
    if said == "done" then assert.equal(wanted, is, i) end
    if said == "not done" then assert.equal(was, is, i) end
    if said == "unknown" then assert.is_true(is == was or is == wanted, i) end
  end

  it("let new objects be there, or not, as it was said", function()
    local fates, asked = many(200, function(i) return (fate(Item.create, Item, { id = i, text = "text " .. i })) end)
    local found = there()
    for i, said in ipairs(fates) do expect(found[i] and found[i].text, said, nil, "text " .. i, i) end
    assert.is_true(faults_of(asked) > 10)
    assert.is_true(#asked <= #fates + faults_of(asked))
  end)

  it("let changes be made once", function()
    local items = {}
    for i = 1, 100 * times do items[i] = Item { id = i, text = "old" } end
    store:save(items)
    local fates = many(100, function(i)
      items[i].text = "new"
      return (fate(items[i].save, items[i]))
    end)
    local found = there()
    for i, said in ipairs(fates) do expect(found[i].text, said, "old", "new", i) end
  end)

  it("never let a number be increased twice", function()
    for i = 1, 10 do Plain:create { id = i } end
    local low, high = {}, {}
    local items = Item:scan():all()
    many(200, function(i)
      local item = items[i % 10 + 1]
      local said = fate(item.increment, item, "n", 1)
      low[item.id] = (low[item.id] or 0) + (said == "done" and 1 or 0)
      high[item.id] = (high[item.id] or 0) + (said == "not done" and 0 or 1)
    end)
    for i, item in pairs(there()) do
      assert.is_true(low[i] <= item.n and item.n <= high[i], ("%d: %d is not from %d to %d"):format(i, item.n, low[i], high[i]))
    end
  end)

  it("let what was deleted be gone", function()
    local items = {}
    for i = 1, 100 * times do items[i] = Item { id = i, text = "old" } end
    store:save(items)
    local fates = many(100, function(i) return (fate(items[i].delete, items[i])) end)
    local found = there()
    for i, said in ipairs(fates) do expect(found[i] and "there" or "gone", said, "there", "gone", i) end
  end)

  it("let one of those who change the same win, each time", function()
    Plain:create { id = 1 }
    local tally, winners = { done = 0, ["not done"] = 0, unknown = 0 }, {}
    many(150, function()
      local mine
      local said = fate(function()
        local item = Item:get(1)
        mine = item.n + 1
        item.n = mine
        item:save { condition = Item.n:eq(mine - 1) }
      end)
      tally[said] = tally[said] + 1
      if said == "done" then winners[mine] = (winners[mine] or 0) + 1 end
    end, 2)
    local n = Plain:get(1).n
    assert.is_true(tally.done > 10)
    assert.is_true(tally.done <= n and n <= tally.done + tally.unknown, ("%d, %d done, %d unknown"):format(n, tally.done, tally.unknown))
    for i, count in pairs(winners) do assert.equal(1, count, i) end
  end)

  it("let transactions happen whole, once or not at all", function()
    for i = 1, 10 do Plain:create { id = i, n = 100 } end
    local fates = many(80, function(i)
      return (fate(store.transaction, store, function()
        local from, to = Item:get(i % 10 + 1), Item:get((i + 3) % 10 + 1)
        from.n, to.n = from.n - 1, to.n + 1
        from:save()
        to:save()
        Item:create { id = 1000 + i, text = "paid" }
      end))
    end, 4)
    local found, sum, done = there(), 0, 0
    for i = 1, 10 do sum = sum + found[i].n end
    assert.equal(1000, sum)
    for i, said in ipairs(fates) do
      expect(found[1000 + i] and "paid" or "open", said, "open", "paid", i)
      if said == "done" then done = done + 1 end
    end
    assert.is_true(done > 10)
  end)

  --- Saves 120 objects at once, and looks which of them are there.
  local function save_list(view)
    local items, failed = {}, {}
    for i = 1, 120 do items[i] = Item { id = i, text = "text " .. i } end
    share(20)
    local said, e = fate(view.save, view, items)
    share(0)
    assert.is_true(said == "done" or e.kind == "batch", tostring(e))
    for _, one in ipairs(e and e.errors or {}) do failed[one.index] = one.error.outcome or "not done" end
    local found = there()
    for i = 1, 120 do expect(found[i] and found[i].text, failed[i] or "done", nil, "text " .. i, i) end
  end

  it("let lists be saved, each object for itself", function() save_list(store) end)
  it("let batches be written by and by", function() save_list(store:with { persist = "overwrite" }) end)

  it("let reads give all that there is, or raise", function()
    local items = {}
    for i = 1, 120 do items[i] = Plain { id = i, text = "text " .. i } end
    direct:save(items)
    local whole = 0
    share(20)
    for _ = 1, 40 * times do
      local ok, found = pcall(function() return Item:scan():order("id"):all() end)
      if ok then
        whole = whole + 1
        assert.equal(120, #found)
        assert.equal("text 120", found[120].text)
      end
      local loaded = {}
      for i = 1, 120 do loaded[i] = Item { id = i } end
      local said, e = fate(store.load, store, loaded)
      if said == "done" then
        for i = 1, 120 do assert.equal("text " .. i, loaded[i].text) end
      else
        assert.is_nil(e.outcome)
      end
    end
    share(0)
    assert.is_true(whole > 0)
  end)
end)
