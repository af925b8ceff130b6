-- shop.lua: the models that the specs of queries and relations share, and a few rows of them.
local neap = require "neap"
local t = neap.types

local shop = {}

--- Declares authors, posts, comments and tags in the store and creates their tables.
function shop.declare(store)
  local m = {}
  m.Author = store:model("Author", {
    id      = t.integer { primary = true },
    name    = t.string  { required = true },
    age     = t.integer (),
    posts   = t.has_many ("Post", "author"),
    profile = t.has_one  ("Profile", "author"),
  })
  m.Profile = store:model("Profile", {
    id     = t.integer { primary = true },
    author = t.pointer "Author",
    bio    = t.string (),
  })
  m.Post = store:model("Post", {
    id       = t.integer { primary = true },
    author   = t.pointer ("Author", { index = true }),
    title    = t.string  { required = true },
    views    = t.integer { default = 0 },
    price    = t.decimal { scale = 2 },
    data     = t.json    (),
    at       = t.datetime (),
    comments = t.has_many ("Comment", "post"),
    tags     = t.many_to_many ("Tag", { through = "PostTag" }),
  })
  m.Comment = store:model("Comment", {
    id   = t.integer { primary = true },
    post = t.pointer "Post",
    user = t.pointer "Author",
    text = t.string (),
  })
  m.Tag = store:model("Tag", { id = t.integer { primary = true }, name = t.string { required = true } })
  m.PostTag = store:model("PostTag", {
    id     = (store:supports "sql" and t.integer or t.uuid) { primary = true, auto = true },  -- who counts, counts
    post   = t.pointer "Post",
    tag    = t.pointer "Tag",
    weight = t.integer (),
  })
  store:bind()
  return m
end

--- Two authors and one who wrote nothing, five posts, four comments, three tags.
function shop.fill(store, m)
  store:save {
    m.Author { id = 1, name = "Ada", age = 36 }, m.Author { id = 2, name = "Bob" }, m.Author { id = 3, name = "Cy", age = 20 },
  }
  store:save { m.Profile { id = 1, author = 1, bio = "counts" } }
  store:save {
    m.Post { id = 1, author = 1, title = "Tides", views = 10, price = "1.10", data = { key = 3 }, at = "2024-05-01T10:00:00Z" },
    m.Post { id = 2, author = 1, title = "Moon", views = 30, price = "2.20", at = "2024-05-02T10:00:00Z" },
    m.Post { id = 3, author = 2, title = "Sea", views = 20, price = "0.30", data = { key = 1 } },
    m.Post { id = 4, author = 2, title = "Sand", views = 20 },
    m.Post { id = 5, title = "Wind", views = 0, at = "2024-05-01T10:00:00Z" },
  }
  store:save {
    m.Comment { id = 1, post = 1, user = 2, text = "ah" }, m.Comment { id = 2, post = 1, user = 3, text = "oh" },
    m.Comment { id = 3, post = 2, user = 2, text = "well" }, m.Comment { id = 4, post = 3, user = 1, text = "yes" },
  }
  store:save { m.Tag { id = 1, name = "sea" }, m.Tag { id = 2, name = "sky" }, m.Tag { id = 3, name = "dry" } }
  store:save {
    m.PostTag { post = 1, tag = 1, weight = 5 }, m.PostTag { post = 1, tag = 2, weight = 1 }, m.PostTag { post = 2, tag = 2, weight = 9 },
  }
  return m
end

--- The values of one field, in order.
function shop.list(objects, field)
  local values = {}
  for i, object in ipairs(objects) do values[i] = object[field] end
  return values
end

return shop
