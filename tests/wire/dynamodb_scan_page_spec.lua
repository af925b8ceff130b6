-- Pages of a scan: in the order of the table, each from where the one before ended.
local contract = require "tests.store.contract"
local fails = require "tests.fails"
local neap = require "neap"
local t = neap.types

contract.only("dynamodb", "pages of a scan", function(c)
  local store, Post

  before_each(function()
    c.url.capacity = true
    store = neap.open(c.url)
    Post = store:model("Post", {
      forum = t.string { hash_key = true }, id = t.integer { range_key = true }, n = t.integer(), text = t.string(),
    })
    store:bind()
    local list = {}
    for i = 1, 250 do
      list[i] = Post { forum = "forum " .. i % 7, id = i, n = i % 2, text = ("x"):rep(4000) }
    end
    store:with({ persist = "overwrite" }, function() store:save(list) end)
  end)

  after_each(function() store:close() end)

  local function walk(query, size)
    local seen, pages, cursor = {}, 0, nil
    repeat
      local page
      page, cursor = query:page { size = size, after = cursor }
      for _, post in ipairs(page) do
        assert.is_nil(seen[post.id])
        seen[post.id] = true
      end
      pages = pages + 1
    until not cursor
    local n = 0
    for _ in pairs(seen) do n = n + 1 end
    return n, pages
  end

  it("have every object once", function()
    local n, pages = walk(Post:scan(), 60)
    assert.same({ 250, 5 }, { n, pages })
    assert.same({ 250, 1 }, { walk(Post:scan(), 250) })
  end)

  it("have those that meet a condition, and what was selected", function()
    assert.same({ 125, 3 }, { walk(Post:scan():where { n = 1 }, 50) })
    assert.same({ 250, 3 }, { walk(Post:scan():select("n"), 100) })
    assert.same({ 125, 2 }, { walk(Post:scan():where { n = 1, text__suffix = "x" }, 100) })
  end)

  it("cost together what the table costs once, and not once a page", function()
    local function cost(f)
      local before = store:capacity()[c.prefix .. "Post"].read
      f()
      return store:capacity()[c.prefix .. "Post"].read - before
    end
    Post:scan():count()
    local whole = cost(function() Post:scan():all() end)
    assert.is_true(cost(function() walk(Post:scan(), 25) end) < 1.5 * whole)
  end)

  it("go forward", function()
    local _, cursor = Post:scan():page { size = 10 }
    local e = fails("usage", function() Post:scan():page { size = 10, before = cursor } end)
    assert.matches("pages of a scan go forward", e.message)
  end)

  it("come behind an object that is gone", function()
    local page, cursor = Post:scan():page { size = 100 }
    page[100]:delete()
    local n = 0
    repeat
      page, cursor = Post:scan():page { size = 100, after = cursor }
      n = n + #page
    until not cursor
    assert.equal(150, n)
  end)
end)
