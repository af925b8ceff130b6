-- Pages: keysets in any direction, with absent values, and cursors that nobody can bend.
local contract = require "tests.store.contract"
local neap = require "neap"
local t = neap.types

for _, index in ipairs { false, true } do contract.each(index and "pages by indexes" or "pages", function(c)
  local Item

  before_each(function()
    Item = c.store:model("Item", {
      id = t.integer { primary = true }, a = t.integer { index = index }, b = t.string { index = index },
      at = t.datetime (), price = t.decimal { index = index },
      r = t.integer { required = true },
    })
    c.store:bind()
    local list = {}
    for i = 1, 60 do
      list[i] = Item {
        id = i, a = i % 4 > 0 and i % 4 or nil, b = i % 3 > 0 and ("x"):rep(i % 3) or nil, r = i % 5,
        at = i % 7 > 0 and ("2024-01-%02dT00:00:00.5Z"):format(i % 7) or nil, price = i % 2 > 0 and ("%d.50"):format(i % 9) or nil,
      }
    end
    c.store:save(list)
  end)

  local function walk(q, size)
    local ids, cursor, pages = {}, nil, 0
    repeat
      local rows
      rows, cursor = q:page { size = size, after = cursor }
      assert.truthy(#rows <= size)
      for _, row in ipairs(rows) do ids[#ids + 1] = row.id end
      pages = pages + 1
      assert.truthy(pages < 70)
    until not cursor
    return ids, pages
  end

  it("go by keys that are pointers, whatever else has been asked before", function()
    local function declare(store)
      store:model("Tag", { id = t.integer { primary = true } })
      return store:model("Link", { tag = t.pointer("Tag", { primary = true }), n = t.integer { primary = true } })
    end
    local Link = declare(c.store)
    c.store:bind()
    c.store:model "Tag" { id = 1 }:save()
    for n = 1, 3 do Link { tag = 1, n = n }:save() end
    local _, cursor = Link:page { size = 2 }
    local store = neap.open(c.url)
    assert.equal(3, declare(store):page({ size = 2, after = cursor })[1].n)
    store:close()
  end)

  for _, order in ipairs {
    {}, { "-id" }, { "a" }, { "-a" }, { "a", "-b" }, { "-a", "b", "-at" }, { "r", "-a" }, { "-r", "id" }, { "price", "-at" },
  } do
    it("together give each row once, ordered by " .. (#order > 0 and table.concat(order, ", ") or "the key"), function()
      local q = #order > 0 and Item:order(table.unpack(order)) or Item
      local whole = { table.unpack(order) }
      whole[#whole + 1] = "id"
      local expected = Item:order(table.unpack(whole)):pluck "id"
      assert.same(expected, walk(q, 7))
      assert.same(expected, walk(q, 60))
      assert.same(expected, walk(q, 1))
    end)

    it("lead back the same way, ordered by " .. (#order > 0 and table.concat(order, ", ") or "the key"), function()
      local q = #order > 0 and Item:order(table.unpack(order)) or Item
      local pages, cursor, before = {}, nil
      repeat
        pages[#pages + 1], cursor, before = q:page { size = 7, after = cursor }
      until not cursor
      for i = #pages - 1, 1, -1 do
        local rows
        rows, cursor, before = q:page { size = 7, before = before }
        assert.same(pages[i], rows)
        assert.truthy(cursor)
      end
      assert.is_nil(before)
    end)
  end

  it("go by bytes, also as keys", function()
    local Blob = c.store:model("Blob", { id = t.bytes { primary = true }, at = t.bytes { index = index }, next = t.pointer "Blob" })
    c.store:bind()
    for i = 1, 20 do
      local id = neap.bytes(("%c\0\255%c"):format(250 - i * 3, i))
      Blob { id = id, at = i % 4 > 0 and neap.bytes(("%c"):format(255 - i % 5)) or nil, next = i % 3 > 0 and id or nil }:save()
    end
    local function key(ids)
      local list = {}
      for i, id in ipairs(ids) do list[i] = tostring(id) end
      return list
    end
    assert.same(key(Blob:order("id"):pluck "id"), key(walk(Blob, 3)))
    assert.same(key(Blob:order("-at", "id"):pluck "id"), key(walk(Blob:order "-at", 3)))
    assert.same(key(Blob:order("next", "id"):pluck "id"), key(walk(Blob:order "next", 3)))
    for _, bad in ipairs { "?", 5, neap.null, { 1 } } do
      local forged = neap.bytes(require "neap.json".encode { "Blob id", bad }):base64()
      local ok, e = pcall(function() return Blob:page { size = 5, after = forged } end)
      assert.is_false(ok)
      assert.equal("query", e.kind, tostring(e))
    end
  end)

  it("keep to the condition and the selection", function()
    local ids = walk(Item:where { r = 2 }:select "b":order "-a", 5)
    assert.equal(12, #ids)
  end)

  it("have no cursor at the end", function()
    local rows, cursor = Item:page { size = 60 }
    assert.equal(60, #rows)
    assert.is_nil(cursor)
  end)

  it("refuse a cursor of another order, and one that was changed", function()
    local _, cursor = Item:order "a":page { size = 5 }
    local json = require "neap.json"
    local forged = function(value) return neap.bytes(json.encode(value)):base64() end
    for _, bad in ipairs {
      "", "x", "?!", cursor:sub(2), cursor .. "AAAA", forged { "Item a id", "one", 3 }, forged { "Item a id", 1 },
      forged { "Item a id", 1, neap.null }, forged { "Item a id", 1, 2, 3 }, forged { 1 }, forged "Item a id",
      forged { "Item a id", { 1 }, 3 }, forged { "Item a id", 1.5, 3 },
    } do
      local ok, e = pcall(function() return Item:order "a":page { size = 5, after = bad } end)
      assert.is_false(ok, bad)
      assert.equal("query", e.kind, tostring(e))
    end
    local ok, e = pcall(function() return Item:order "-a":page { size = 5, after = cursor } end)
    assert.is_false(ok)
    assert.truthy(tostring(e):find("Item -a id", 1, true))
  end)

  it("refuse orders that no cursor can hold", function()
    assert.has_error(function() Item:limit(3):page { size = 5 } end)
    assert.has_error(function() Item:page { size = 0 } end)
    assert.has_error(function() Item:group "a":page { size = 5 } end)
  end)
end) end
