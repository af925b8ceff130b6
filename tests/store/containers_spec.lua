-- Lists, sets and maps of a type: what they hold comes back as it was, whatever JSON makes of it.
local contract = require "tests.store.contract"
local neap = require "neap"
local t = neap.types

contract.each("elements of a type", function(c)
  local function kept(type_, value)
    local Thing = c.store:model("Thing", { id = t.integer { primary = true }, x = type_ })
    c.store:bind()
    Thing { id = 1, x = value }:save()
    local read = Thing:get(1)
    local x = read.x
    assert.same({}, read:changes())
    return x
  end

  it("may be bytes that are no text", function()
    local bytes = "a\0\xff"
    assert.equal(bytes, kept(t.list(t.bytes()), { neap.bytes(bytes), "b" })[1])
  end)

  it("may be bytes in maps and in lists of lists", function()
    local x = kept(t.map { photo = t.bytes(), all = t.list(t.list(t.bytes())) }, { photo = "\xff", all = { { "\xfe", "b" } } })
    assert.equal("\xff", x.photo)
    assert.equal("\xfe", x.all[1][1])
    assert.equal("b", x.all[1][2])
  end)

  it("may be bytes of a set", function()
    assert.is_true(neap.set { "\xff", "a" } == kept(t.set(t.bytes()), { "a", "\xff", "a" }))
  end)

  it("may be bytes that are set in place, and asked for", function()
    local Thing = c.store:model("Thing", {
      id = t.integer { primary = true }, all = t.list(t.bytes()), map = t.map(t.bytes()),
    }, { scan = true })
    c.store:bind()
    local p = Thing { id = 1, all = { "\xff", "a" }, map = { a = "b" } }
    p:save()
    p:set("map.c", "\xfe")
    p:append("all", "\xfd")
    assert.equal("\xfe", p.map.c)
    local q = Thing:get(1)
    assert.equal("\xfe", q.map.c)
    assert.equal("\xfd", q.all[3])
    assert.equal(1, Thing:where { all__has = "\xff" }:count())
    assert.equal(1, Thing:where { all__has = neap.bytes "a" }:count())
    assert.equal(0, Thing:where { all__has = "b" }:count())
  end)

  it("keep every digit of decimals", function()
    local many = neap.decimal "0.1234567890123456"
    assert.equal(many, kept(t.map(t.decimal()), { a = many }).a)
  end)

  it("keep every digit of decimals in lists of maps", function()
    local large = neap.decimal "12345678901234567890123456789012345678"
    assert.equal(large, kept(t.list(t.map(t.decimal())), { { a = large } })[1].a)
  end)

  it("keep times and dates", function()
    local x = kept(t.map { at = t.datetime(), seen = t.list(t.timestamp()), on = t.list(t.date()) },
      { at = "2015-07-20T09:05:57.463255Z", seen = { "2015-07-20T09:05:57Z" }, on = { "2015-07-20" } })
    assert.equal(neap.datetime "2015-07-20T09:05:57.463255Z", x.at)
    assert.equal(neap.datetime "2015-07-20T09:05:57Z", x.seen[1])
    assert.equal(neap.date "2015-07-20", x.on[1])
  end)
end)
