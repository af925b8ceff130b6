-- Open models: fields that nobody declared.
local neap = require "neap"
local t = neap.types

local function sorted_names(object)
  local names = {}
  for name in pairs(object) do names[#names + 1] = name end
  table.sort(names)
  return names
end

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

  it("has no name of its own for where it keeps them", function()
    local n = Note { a = 1, __open = "mine" }:save()
    assert.is_nil(Note {}.__open)
    assert.is_nil(Note.__open)
    assert.equal("mine", Note:get(n.id).__open)
    assert.same({ "__open", "a", "id" }, sorted_names(n))
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

  it("refuses what cannot be kept, and names the field", function()
    local n = Note {}
    local ok, e = pcall(function() n.f = print end)
    assert.is_false(ok)
    assert.equal("validation", e.kind)
    assert.truthy(e.message:find("Note.f: a function is no value", 1, true), e.message)
    n.g = { {} }
    n.g[1].h = print
    ok, e = pcall(n.save, n)
    assert.is_false(ok)
    assert.truthy(e.message:find("Note: cannot write JSON: a function (at g[1].h)", 1, true), e.message)
  end)

  it("may have declared fields beside", function()
    local Page = store:model("Page", { id = t.integer { primary = true }, title = t.string() }, { open = true })
    store:bind()
    Page { id = 1, title = "x", extra = 5 }:save()
    local read = Page:get(1)
    assert.equal("x", read.title)
    assert.equal(5, read.extra)
  end)

  it("prints its fields, and tells the changes of each", function()
    local n = Note { a = 1, deep = { "x" } }
    assert.equal('Note(new){a=1, deep=["x"]}', tostring(n))
    n:save()
    n.a, n.b = 2, neap.null
    n.deep = nil
    assert.truthy(tostring(n):find("{a=2, b=null}", 1, true), tostring(n))
    assert.same({ a = { 1, 2 }, b = { nil, neap.null }, deep = { { "x" } } }, n:changes())
  end)

  describe("in queries", function()
    before_each(function()
      store:save { Note { n = 1, tags = { "a", "b" }, flag = true, text = "[1]" }, Note { n = 2, o = { x = 1 }, text = "5" },
        Note { n = 2, flag = false, tags = neap.null } }
    end)

    it("gives what it keeps as it was given", function()
      local sorted = Note:order("n", "text")
      assert.same({ { "a", "b" }, neap.null, neap.null }, sorted:pluck "tags")
      assert.same({ "[1]", "5", neap.null }, sorted:pluck "text")
      assert.same({ true, neap.null, false }, sorted:pluck "flag")
      assert.same({ neap.null, 1, neap.null }, sorted:pluck "o.x")
    end)

    it("is sorted, counted, summed and grouped by undeclared fields", function()
      assert.equal(2, Note:where { n__gte = 2 }:count())
      assert.equal(2, Note:where(Note.fields.n:gte(2)):count())
      assert.equal(5, Note:sum "n")
      assert.same({ 0, nil }, { Note:sum "text", Note:avg "flag" })  -- what is no number does not count
      assert.equal(2, Note:max(Note.fields.n))
      assert.same({ { n = 1, rows = 1 }, { n = 2, rows = 2 } }, Note:group "n":order "n":aggregate { rows = { ["$count"] = true } })
      assert.same({ { tags = { "a", "b" } }, {} }, Note:group "tags":order "tags":all())
    end)

    it("has its undeclared fields updated like declared ones", function()
      assert.equal(2, Note:where { n = 2 }:update { n = 3, ["o.y"] = { 1 }, text = neap.null, at = "x" })
      assert.same({ 1, 3, 3 }, Note:order "n":pluck "n")
      local changed = Note:where { o__x = 1 }:one()
      assert.same({ id = changed.id, n = 3, at = "x", o = { x = 1, y = { 1 } } }, changed:to_table())
    end)

    it("says clearly what it cannot do with undeclared fields", function()
      local function says(expected, f, ...)
        local ok, e = pcall(f, ...)
        assert.is_false(ok)
        assert.truthy(tostring(e):find(expected, 1, true), tostring(e))
      end
      says("page can order by columns of Note only, not by what 'n' names", function() Note:order "-n":page { size = 1 } end)
      says("upsert finds rows by declared fields: Note declares no n", function() Note:upsert({ n = 1 }, { "n" }) end)
      says("Note.f: a function is no value that can be kept", function() Note:where { n = 1 }:update { f = print } end)
      says("Note.f: a function is no value that can be kept", function() Note:where { f = print } end)
      says("update cannot set both Note.o and Note.o.x", function() Note:where { n = 1 }:update { o = {}, ["o.x"] = 1 } end)
    end)
  end)
end)
