-- tree.lua: a forest of related rows, and reads of it with the number of statements that each may take.
local neap = require "neap"
local t = neap.types

local tree = {}

local function declare(store)
  local m = {}
  m.Author = store:model("Author", { id = t.integer { primary = true }, name = t.string(), posts = t.has_many("Post", "author"),
    profile = t.has_one("Profile", "author") })
  m.Profile = store:model("Profile", { id = t.integer { primary = true }, author = t.pointer("Author", { unique = true }),
    bio = t.string() })
  m.Post = store:model("Post", { id = t.integer { primary = true }, author = t.pointer "Author", title = t.string(),
    comments = t.has_many("Comment", "post"), tags = t.many_to_many("Tag", { through = "PostTag" }) })
  m.Comment = store:model("Comment", { id = t.integer { primary = true }, post = t.pointer "Post", user = t.pointer "Author",
    text = t.string() })
  m.Tag = store:model("Tag", { id = t.integer { primary = true }, name = t.string(),
    posts = t.many_to_many("Post", { through = "PostTag" }) })
  m.PostTag = store:model("PostTag", { id = t.integer { primary = true }, post = t.pointer "Post", tag = t.pointer "Tag",
    weight = t.integer() })
  store:bind()
  return m
end

--- 40 authors with profiles, 120 posts, 240 comments, 5 tags of which each post has two.
local function fill(store, m)
  local rows = {}
  for i = 1, 40 do rows[#rows + 1] = m.Author { id = i, name = "author " .. i } end
  for i = 1, 40 do rows[#rows + 1] = m.Profile { id = i, author = i, bio = "bio " .. i } end
  for i = 1, 120 do rows[#rows + 1] = m.Post { id = i, author = i % 40 + 1, title = "post " .. i } end
  for i = 1, 240 do rows[#rows + 1] = m.Comment { id = i, post = (i - 1) % 120 + 1, user = i % 7 + 1, text = "comment " .. i } end
  for i = 1, 5 do rows[#rows + 1] = m.Tag { id = i, name = "tag " .. i } end
  for i = 1, 240 do rows[#rows + 1] = m.PostTag { id = i, post = (i - 1) % 120 + 1, tag = (i + i // 121) % 5 + 1, weight = i // 121 } end
  store:save(rows)
end

--- Calls f(name, statements, read) for each of the reads. What they find is checked, so that nothing is left out.
function tree.each(store, f)
  local m = declare(store)
  fill(store, m)

  f("pointers and has_one", 1, function()
    local n = 0
    for _, c in ipairs(m.Comment:include("user.profile", "post.author.profile"):all()) do
      n = n + #c.user.profile.bio // 5 + #c.post.author.profile.bio // 5
    end
    assert(n == 480, n)
  end)

  f("one relation to many, and a pointer behind it", 2, function()
    local n = 0
    for _, p in ipairs(m.Post:include("author", "comments.user"):all()) do
      for c in p.comments:each() do n = n + (c.user.name and p.author.name and 1) end
    end
    assert(n == 240, n)
  end)

  f("relations to many side by side and in each other", 4, function()
    local comments, tags = 0, 0
    for _, a in ipairs(m.Author:include("profile", "posts.comments.user.profile", "posts.tags"):all()) do
      for p in a.posts:each() do
        for c in p.comments:each() do comments = comments + (c.user.profile.bio and a.profile.bio and 1) end
        tags = tags + p.tags:count()
      end
    end
    assert(comments == 240 and tags == 240)
  end)

  f("limits, orders and conditions for each row, also of links", 3, function()
    local heavy = m.Tag:through(m.PostTag.weight:gte(1)):order("-name"):limit(1)
    local newest = m.Comment:where { text__exists = true }:order("-id"):limit(1):include "user"
    local n, tags = 0, 0
    for _, p in ipairs(m.Post:include { comments = newest, tags = heavy }:order("id"):all()) do
      local c = p.comments:all()
      assert(#c == 1 and c[1].id == p.id + 120 and c[1].user.name)
      n, tags = n + 1, tags + #p.tags:all()
    end
    assert(n == 120 and tags == 120, tags)
  end)

  f("pointers that are touched in a loop", 2, function()
    local n = 0
    for _, p in ipairs(m.Post:all()) do n = n + (p.author.name and 1) end
    assert(n == 120)
  end)

  f("has_one that is read in a loop", 2, function()
    local n = 0
    for _, a in ipairs(m.Author:all()) do n = n + (a.profile.bio and 1) end
    assert(n == 40)
  end)

  f("counts beside the rows", 1, function()
    local n = 0
    for _, p in ipairs(m.Post:select("title", "comments.count", "tags.count"):all()) do
      n = n + p.comments:count() + p.tags:count()
    end
    assert(n == 480)
  end)

  f("tables and JSON of what was included", 3, function()
    local text = neap.json.encode(m.Post:include("author", "comments", "tags"):all())
    assert(select(2, text:gsub('"comment ', "")) == 240 and select(2, text:gsub('"tag ', "")) == 240)
  end)
end

return tree
