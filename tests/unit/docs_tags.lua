-- docs_tags.lua: a post and the tags that a link table ties to it, for the examples of the manual.
neap = require "neap"
t = neap.types
os.remove "tags.db"
store = neap.open "sqlite:tags.db"

Tag = store:model("Tag", { id = t.integer { primary = true, auto = true }, name = t.string() })
Post = store:model("Post", { id = t.integer { primary = true, auto = true },
  tags = t.many_to_many("Tag", { through = "PostTag" }) })
PostTag = store:model("PostTag", { id = t.integer { primary = true, auto = true }, post = t.pointer "Post",
  tag = t.pointer "Tag" })
store:bind()

sea, sky = Tag:create { name = "sea" }, Tag:create { name = "sky" }
p = Post:create {}
