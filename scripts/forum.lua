-- forum.lua: accounts and a forum in DynamoDB, step by step: keys, an index, conditions, atomic saves, counters, a
-- transaction, pages.
--   neap scripts/forum.lua [URL]      default: dynamodb:, with the region and the keys of AWS's own variables and files
-- It starts over each time: what an earlier run left in its tables, forum_User and forum_Post, is deleted.
local neap = require "neap"
local t = neap.types

local store = neap.open { url = arg[1] or "dynamodb:", table_template = "forum_{table}" }

local User = store:model("User", {
  id    = t.uuid    { hash_key = true, auto = true },
  name  = t.string  { required = true },
  admin = t.boolean { default = false },
  posts = t.integer { default = 0 },
})

local Post = store:model("Post", {
  forum   = t.string   { hash_key = true },
  id      = t.uuid     { range_key = true, auto = true },   -- version 7: in the order of time
  user    = t.pointer  ("User", { column = "user" }),
  date    = t.datetime { auto_now_add = true },
  views   = t.integer  { default = 0 },
  content = t.string   { required = true },
  tags    = t.set      (t.string()),
  by_user = t.global_index { hash_key = "user", range_key = "date", projection = "all" },
})

store:bind()
for _, Model in ipairs { Post, User } do Model:scan():delete { all = true } end

local function title(text) print("\n" .. text) end

local function show(query)
  for post in query:each() do print(("  %-9s %3d views  %s"):format(post.forum, post.views, post.content)) end
end

title "Accounts, saved side by side"
local ada, bob = User { name = "Ada", admin = true }, User { name = "Bob" }
store:save { ada, bob }
print("  " .. User:get(ada.id).name, User:get(bob.id).name)

title "Posts, loaded again by their keys"
local posts = {}
for i, content in ipairs { "Hello, World!", "On tides #yolo", "A question", "An answer" } do
  posts[i] = Post { forum = i < 4 and "DynamoDB" or "Lua", user = i % 2 == 1 and ada or bob, content = content }
end
store:save(posts)
local same = Post { forum = posts[1].forum, id = posts[1].id }
store:load { same }
print("  " .. same.content, same.date == posts[1].date)

title "A forum, newest first; then what one author wrote, by an index; then a filter"
show(Post:where { forum = "DynamoDB" }:order "-id")
show(Post:where { user = bob })
show(Post:where { forum = "DynamoDB", content__contains = "#yolo" })

title "Counted in the table, where no view is lost, and a set that grows there"
posts[1]:increment "views"
posts[1]:add_unique("tags", "greeting")
print(("  %d views, tagged %s"):format(posts[1].views, table.concat(posts[1].tags, ", ")))

title "Only what was changed is sent; only if nobody else has changed what was read"
local key = { forum = posts[2].forum, id = posts[2].id }
local mine, theirs = Post:get(key), Post:get(key)
theirs.content = "On tides, corrected #yolo"
theirs:save()
mine.content = "On tides, deleted"
local _, failure = neap.try(mine.save, mine, { atomic = true })
print("  not saved: " .. failure.kind)

title "Deleted only while a condition holds"
_, failure = neap.try(bob.delete, bob, { condition = User.admin:eq(true) })
print("  Bob stays: " .. failure.kind)

title "A post and the number of its author's posts, both or neither"
store:transaction(function()
  Post { forum = "Lua", user = bob, content = "Coroutines" }:save()
  local author = User:get(bob.id)
  author.posts = author.posts + 1
  author:save()
end)
print(("  %s has %d more"):format(bob.name, User:get(bob.id).posts))

title "Page by page"
local forum, cursor = Post:where { forum = "DynamoDB" }:order "id", nil
repeat
  local page
  page, cursor = forum:page { size = 2, after = cursor }
  for _, post in ipairs(page) do print("  " .. post.content) end
  if cursor then print "  --" end
until not cursor
