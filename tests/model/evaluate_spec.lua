-- condition:matches(object): what a condition says of an object in memory. tests/store/property_spec.lua holds it against SQL.
local neap = require "neap"
local t = neap.types

local store = neap.open "sqlite::memory:"
local Post = store:model("Post", {
  id     = t.integer { primary = true },
  author = t.pointer "Post",
  title  = t.string (),
  views  = t.integer (),
  price  = t.decimal (),
  at     = t.datetime (),
  tags   = t.set (t.string()),
  place  = t.geopoint (),
  data   = t.json (),
})
local Other = store:model("Other", { id = t.integer { primary = true } })
store:bind()

local tide = Post {
  id = 1, title = "Tide", views = 9007199254740993, price = "1.10", at = "2024-05-01T10:00:00Z", tags = { "sea", "sky" },
  place = neap.geopoint(52.5, 13.4), data = { n = 0.5, big = 9007199254740993, list = { 1, "x" }, none = neap.null },
}

local function yes(condition) assert.is_true(condition:matches(tide), tostring(condition)) end
local function no(condition) assert.is_false(condition:matches(tide), tostring(condition)) end

describe("an object in memory", function()
  it("is compared exactly", function()
    yes(Post.views:eq(9007199254740993))
    no(Post.views:eq(9007199254740992.0))
    yes(Post.views:gt(9007199254740992.0))
    yes(Post.price:eq "1.1")
    yes(Post.data:at "big":eq(9007199254740993))
    no(Post.data:at "big":eq(9007199254740992))
  end)

  it("meets what is negated where it has nothing", function()
    yes(Post.author:ne(5))
    yes(~Post.author:lt(5))
    yes(Post.author:exists(false))
    no(Post.author:lt(5))
  end)

  it("compares text by bytes, and folds A to Z where the operator begins with i", function()
    yes(Post.title:prefix "Ti" & Post.title:suffix "de" & Post.title:contains "id")
    no(Post.title:contains "tid")
    yes(Post.title:icontains "TID" & Post.title:iexact "tIDE")
    yes(Post.title:regex "^T.*e$")
    no(Post.title:contains "%")
  end)

  it("is looked into", function()
    yes(Post.data:at("list", 2):eq "x")
    yes(Post.data:at "list":has(1) & Post.data:at "list":size(2) & Post.data:at "list":type "list")
    yes(Post.data:at "none":exists(false) & Post.data:at "none":type "null")
    no(Post.data:at "n":eq "0.5")
    yes(Post.data:at "n":eq(neap.decimal "0.50"))
  end)

  it("has sets without order", function()
    yes(Post.tags:eq { "sky", "sea" } & Post.tags:all { "sea" } & Post.tags:any { "sun", "sky" })
    no(Post.tags:eq { "sky" } | Post.tags:any {} | Post.tags:has "sun")
  end)

  it("is somewhere", function()
    yes(Post.place:near(neap.geopoint(52.52, 13.4), 2300) & Post.place:within(neap.geopoint(52, 13), neap.geopoint(53, 14)))
    no(Post.place:near(neap.geopoint(52.52, 13.4), 2200))
    yes(Post.place:within(neap.geopoint(52, 170), neap.geopoint(53, 14)))
  end)

  it("is what it is now, not what was saved", function()
    local p = Post { id = 2, views = 1 }
    assert.is_true(Post.views:eq(1):matches(p))
    p.views = 2
    assert.is_false(Post.views:eq(1):matches(p))
  end)

  it("follows pointers to what it holds", function()
    yes(Post.author:none {})
    local p = Post { id = 2, author = Post { id = 3, views = 7 } }
    assert.is_true(Post.author:some { views = 7 }:matches(p))
    assert.is_false(Post.author:some { views = 1 }:matches(p))
  end)

  it("is of the condition's own model", function()
    local ok, e = pcall(function() return Post.views:eq(1):matches(Other { id = 1 }) end)
    assert.is_false(ok)
    assert.equal("usage", e.kind)
  end)
end)
