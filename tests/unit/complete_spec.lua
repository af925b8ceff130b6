local complete = require "neap.complete"
local neap = require "neap"
local t = neap.types

describe("complete.words", function()
  local globals, store

  before_each(function()
    store = neap.open "sqlite::memory:"
    local User = store:model("User", {
      id = t.integer { primary = true }, name = t.string(), posts = t.has_many("Post", "author"),
    })
    local Post = store:model("Post", {
      id = t.integer { primary = true }, author = t.pointer "User", title = t.string(),
    })
    function User:summary() return self.name end
    globals = {
      neap = { sleep = print, spawn = print, race = 3 }, next = next, Post = Post, User = User, store = store,
      post = Post { id = 1, author = 7 }, user = User { id = 7 }, query = Post:where { title = "x" }, text = "x",
      nested = { deep = { one = 1 } }, ["not a name"] = 1,
    }
  end)
  after_each(function() store:close() end)

  local function words(word, before) return complete.words(word, before, globals) end

  it("are globals, with keywords", function()
    assert.same({ "neap", "nested", "next" }, words "ne")
    assert.same({ "while" }, words "wh")
    assert.same({ "nil", "not" }, complete.words("n", "", {}))
  end)

  it("are fields behind a dot, and methods behind a colon", function()
    assert.same({ "neap.sleep", "neap.spawn" }, words "neap.s")
    assert.same({ "neap:sleep", "neap:spawn" }, words "neap:s")
    assert.same({ "neap.race" }, words "neap.r")
    assert.same({}, words "neap:r")
    assert.same({ "nested.deep.one" }, words "nested.deep.")
    assert.same({ "text:format" }, words "text:fo")
    assert.same({}, words "nobody.s")
  end)

  it("are the fields of models and objects, and their methods", function()
    assert.same({ "Post.author", "Post.id", "Post.title" }, words "Post.")
    assert.same({ "Post:where" }, words "Post:wh")
    assert.same({ "user.id", "user.name", "user.posts" }, words "user.")
    assert.same({ "user:save", "user:set", "user:summary" }, words "user:s")
    assert.same({ "query:where" }, words "query:wh")
    assert.same({ "store:transaction" }, words "store:tr")
  end)

  it("follow pointers and relations without loading them", function()
    assert.same({ "post.author.name" }, words "post.author.n")
    assert.same({ "post.author:summary" }, words "post.author:su")
    assert.same({ "user.posts:where" }, words "user.posts:wh")
  end)

  it("follow the methods of a query that is being written", function()
    assert.same({ ":where" }, words(":wh", "return Post:order 'id'"))
    assert.same({ ":order" }, words(":or", "x = Post:where{ title = 'a:b)' }:limit(1)"))
    assert.same({}, words(":or", "Post:count()"))
    assert.same({}, words(":or", "f()"))
  end)

  it("call nothing and index nothing that could", function()
    local function fails() error "called" end
    globals.trap = setmetatable({ known = 1 }, {
      __index = fails, __pairs = fails, __len = fails, __call = fails, __tostring = fails,
    })
    globals.shy = setmetatable({}, { __metatable = false, __index = { hidden = 1 } })
    assert.same({ "trap.known" }, words "trap.")
    assert.same({}, words "trap.known.x")
    assert.same({}, words "trap.other.x")
    assert.same({ "shy.hidden" }, words "shy.h")
  end)

  it("are none inside of strings and comments", function()
    assert.same({}, words("ne", 'print("'))
    assert.same({}, words("ne", "print('it\\'s "))
    assert.same({}, words("ne", "x = [==[ ]] "))
    assert.same({}, words("ne", "-- "))
    assert.same({}, words("ne", "--[[ a\n"))
    assert.same({ "next" }, words("nex", 'print("a", '))
    assert.same({ "next" }, words("nex", "x = 1 -- that\n"))
    assert.same({ "next" }, words("nex", "x = [[ a ]] .. t[1] - "))
    assert.same({ "next" }, words("nex", "'\\\\' .. "))
  end)
end)
