-- Changes of places inside of attributes, whose parents DynamoDB does not make by itself.
local neap = require "neap"
local t = neap.types

local endpoint = os.getenv "NEAP_TEST_DYNAMODB"
if not endpoint then return end

describe("a place inside of an attribute in DynamoDB", function()
  local store, Post, id = nil, nil, 0

  setup(function()
    store = neap.open { url = "dynamodb://us-east-1?endpoint=" .. endpoint, access_key = "spec", secret_key = "spec",
      table_template = ("place_%s_{table}"):format(os.tmpname():gsub("%W", "")) }
    Post = store:model("Post", {
      { "id", t.integer { hash_key = true } }, { "data", t.json() }, { "m", t.map() }, { "tags", t.list(t.string()) },
    })
    store:bind()
  end)
  teardown(function() store:close() end)

  local function post(fields)
    id = id + 1
    fields = fields or {}
    fields.id = id
    return Post(fields):save()
  end

  --- What another object of the same row has.
  local function kept(p) return Post:get(p.id).data end

  it("gets the parents that it lacks, all of them or the last ones", function()
    local p = post()
    p:set("data.a.b", 5)
    assert.same({ a = { b = 5 } }, kept(p))
    p:set("data.a.c.d", "x")
    assert.same({ a = { b = 5, c = { d = "x" } } }, kept(p))
    p:increment("data.hits.total", 2)
    p:append("data.list.of", "y")
    p:add_unique("data.set.of", "z")
    assert.same({ a = { b = 5, c = { d = "x" } }, hits = { total = 2 }, list = { of = { "y" } }, set = { of = { "z" } } }, kept(p))
  end)

  it("leaves what others have made meanwhile", function()
    local p = post()
    local other = Post:get(p.id)
    other:set("data.a.b", 1)
    p:set("data.a.c", 2)
    assert.same({ a = { b = 1, c = 2 } }, kept(p))
    other:increment("data.a.c", 3)
    assert.same({ a = { b = 1, c = 5 } }, kept(p))
  end)

  it("is removed in vain where there are no parents", function()
    local p = post()
    p:unset("data.a.b")
    p:pull("data.list", "x")
    assert.is_nil(kept(p))
  end)

  it("gets its parents in each of the rows that are changed at once", function()
    local p, q = post { data = { v = 1 } }, post()
    local both = Post:where { id__in = { p.id, q.id } }
    assert.equal(2, both:update { ["data.x.y"] = 1, ["data.x.z.w"] = "q", ["m.a"] = 2 })
    assert.same({ v = 1, x = { y = 1, z = { w = "q" } } }, kept(p))
    assert.same({ x = { y = 1, z = { w = "q" } } }, kept(q))
    assert.same({ a = 2 }, Post:get(q.id).m)
    assert.equal(2, both:update { ["data.v.w"] = neap.null, ["data.x.y"] = neap.null })
    assert.same({ v = 1, x = { z = { w = "q" } } }, kept(p))
  end)

  it("is not made inside of what is no map", function()
    local p = post { data = { a = 5 } }
    local other = Post:get(p.id)
    other.data = { a = "text" }
    other:save()
    local ok, e = pcall(p.set, p, "data.b.c", 1)
    assert.is_true(ok, tostring(e))
    assert.same({ a = "text", b = { c = 1 } }, kept(p))
    assert.is_false(pcall(p.set, p, "data.a.c", 1))
    assert.same({ a = "text", b = { c = 1 } }, kept(p))
  end)

  it("is made in place of null", function()
    local p = post { data = { a = neap.null } }
    Post:get(p.id):set("data.b.c", 1)
    assert.same({ a = neap.null, b = { c = 1 } }, kept(p))
  end)

  it("is not made in a row that is gone", function()
    local p = post()
    Post:get(p.id):delete()
    local ok, e = pcall(p.set, p, "data.a.b", 1)
    assert.is_false(ok)
    assert.equal("not_found", e.kind)
    assert.is_nil(Post:find(p.id))
  end)
end)
