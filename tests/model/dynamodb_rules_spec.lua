-- What must hold of a declaration that speaks of DynamoDB, on any store.
local neap = require "neap"
local t = neap.types

describe("a declaration that speaks of DynamoDB", function()
  local store

  before_each(function() store = neap.open "sqlite::memory:" end)
  after_each(function() store:close() end)

  local function fault(fields, options)
    local _, e = pcall(store.model, store, "Reply", fields, options)
    assert.equal("usage", e.kind, tostring(e))
    return e.message
  end

  it("has one hash key and at most one range key", function()
    assert.equal("Reply: hash_key is said of a and of b: a table has one", fault {
      { "a", t.string { hash_key = true } }, { "b", t.string { hash_key = true } },
    })
    assert.equal("Reply: range_key is said of b and of c: a table has one", fault {
      { "a", t.string { hash_key = true } }, { "b", t.string { range_key = true } }, { "c", t.string { range_key = true } },
    })
    assert.equal("Reply: a is hash_key and range_key both", fault { a = t.string { hash_key = true, range_key = true } })
    assert.equal("Reply: a is the range_key, and no field is the hash_key", fault { a = t.string { range_key = true } })
  end)

  it("has the hash key first in its key, wherever it stands", function()
    local Reply = store:model("Reply", { { "at", t.integer { range_key = true } }, { "id", t.string { hash_key = true } } })
    local ok, e = pcall(Reply.get, Reply, 5)
    assert.is_false(ok)
    assert.truthy(e.message:find("{ id =, at =, }", 1, true) or e.message:find("{ id =, at = }", 1, true), e.message)
  end)

  it("names the fields of its indexes", function()
    assert.equal('Reply: by_body: hash_key names no column bodi; did you mean body?', fault {
      id = t.string { hash_key = true }, body = t.string(), by_body = t.global_index { hash_key = "bodi" },
    })
    assert.equal('Reply: by_body: projection names no column idd; did you mean id?', fault {
      id = t.string { hash_key = true }, body = t.string(),
      by_body = t.global_index { hash_key = "body", projection = { "idd" } },
    })
    assert.matches('projection is "all", "keys" or a list of fields, not "some"$', fault {
      id = t.string { hash_key = true }, by_id = t.global_index { hash_key = "id", projection = "some" },
    })
    assert.matches("by_id: id is its hash_key and its range_key both$", fault {
      id = t.string { hash_key = true }, by_id = t.global_index { hash_key = "id", range_key = "id" },
    })
  end)

  it("has a range key if it has a local index", function()
    local fields = { { "id", t.string { primary = true } }, { "n", t.integer() }, { "by_n", t.local_index { range_key = "n" } } }
    assert.equal("Reply: by_n: a local index needs a model with a range_key", fault(fields))
    table.insert(fields, { "at", t.integer { primary = true } })
    assert.truthy(store:model("Reply", fields))
  end)

  it("says what is known of words, units and the field of ttl", function()
    local id, gone = t.string { hash_key = true }, t.datetime()
    assert.equal('Reply: billing has no provisoned; did you mean provisioned?', fault({ id = id }, { billing = "provisoned" }))
    assert.matches("stream has no both; known: keys, new, old, new_and_old$", fault({ id = id }, { stream = "both" }))
    assert.equal("Reply: read_units is an integer >= 1, not 0", fault({ id = id }, { read_units = 0 }))
    assert.equal('Reply: write_units is for billing = "provisioned"', fault({ id = id }, { write_units = 1, billing = "on_demand" }))
    assert.equal('Reply: ttl names no column gon; did you mean gone?', fault({ id = id, gone = gone }, { ttl = "gon" }))
    assert.matches("gone is a datetime, and the server reads seconds; t.timestamp%(%) keeps them$",
      fault({ id = id, gone = gone }, { ttl = "gone" }))
  end)

  it("is told all that is wrong at once", function()
    local _, e = pcall(store.model, store, "Reply", {
      id = t.string { hash_key = true }, by_n = t.global_index { hash_key = "n", read_units = 1.5 },
    }, { billing = "free", ttl = "m" })
    assert.equal(4, #e.errors, e.message)
    for _, text in ipairs(e.errors) do assert.truthy(e.message:find(text, 1, true), text) end
  end)

  it("gives plain indexes in SQL", function()
    store:model("Reply", {
      id = t.string { hash_key = true }, body = t.string(), at = t.integer(),
      by_body = t.global_index { hash_key = "body", range_key = "at", projection = "keys" },
    })
    assert.same('CREATE INDEX "Reply_by_body" ON "Reply" ("body", "at")', store:bind()[2])
  end)
end)
