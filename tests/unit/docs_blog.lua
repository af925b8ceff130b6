-- docs_blog.lua: the models and objects that the examples of the manual speak of.
neap = require "neap"
t = neap.types
os.remove "blog.db"
store = neap.open "sqlite:blog.db"

User = store:model("User", { id = t.integer { primary = true, auto = true }, name = t.string(),
  posts = t.has_many("Post", "author") })
Post = store:model("Post", {
  id       = t.integer { primary = true, auto = true },
  title    = t.string(),
  views    = t.integer(),
  at       = t.datetime(),
  author   = t.pointer "User",
  tags     = t.list(t.string()),
  comments = t.has_many("Comment", "post"),
})
Comment = store:model("Comment", { id = t.integer { primary = true, auto = true }, text = t.string(),
  post = t.pointer "Post", user = t.pointer "User" })
store:bind()

ada = User:create { name = "Ada" }
p = Post:create { title = "Tides", views = 120, author = ada, at = neap.datetime "2024-01-02T03:04:05Z" }
Comment:create { text = "deep", post = p, user = ada }
value = "Tides"
