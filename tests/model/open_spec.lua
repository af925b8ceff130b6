-- Open models: fields that nobody declared.
local neap = require "neap"
local t = neap.types

describe("an open model", function()
  local store, Note

  before_each(function()
    store = neap.open "sqlite::memory:"
    Note = store:model("Note", {})
    store:bind()
  end)
  after_each(function() store:close() end)

  it("keeps any field", function()
    local n = Note { title = "x", deep = { a = { 1, 2 } } }:save()
    local read = Note:get(n.id)
    assert.equal("x", read.title)
    assert.same({ 1, 2 }, read.deep.a)
  end)

  it("has a uuid as its key", function() assert.equal(36, #Note { a = 1 }:save().id) end)

  it("finds changes of its fields", function()
    local n = Note { a = 1 }:save()
    local read = Note:get(n.id)
    read.a = 2
    read.b = "new"
    read:save()
    assert.equal(2, Note:get(n.id).a)
    assert.equal("new", Note:get(n.id).b)
  end)

  it("forgets a field that is set to nil", function()
    local n = Note { a = 1, b = 2 }:save()
    n.a = nil
    n:save()
    assert.is_nil(Note:get(n.id).a)
    assert.equal(2, Note:get(n.id).b)
  end)

  it("lets the field win over a method", function()
    local n = Note {}
    n.save = "kept"
    assert.equal("kept", n.save)
    Note.save(n)
    assert.equal("kept", Note:get(n.id).save)
  end)

  it("shows its fields in pairs and tables", function()
    local seen = {}
    for name, value in pairs(Note { a = 1, b = 2 }) do seen[name] = value end
    assert.same({ a = 1, b = 2 }, seen)
    assert.same({ a = 1, b = 2 }, Note { a = 1, b = 2 }:to_table())
  end)

  it("refuses what cannot be kept", function()
    local ok, e = pcall(function() Note {}.f = print end)
    assert.is_false(ok)
    assert.equal("validation", e.kind)
  end)

  it("may have declared fields beside", function()
    local Page = store:model("Page", { id = t.integer { primary = true }, title = t.string() }, { open = true })
    store:bind()
    Page { id = 1, title = "x", extra = 5 }:save()
    local read = Page:get(1)
    assert.equal("x", read.title)
    assert.equal(5, read.extra)
  end)
end)
