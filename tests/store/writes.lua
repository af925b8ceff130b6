-- writes.lua: every verb that writes, for specs of what stands in the way of all of them.
local crud = require "neap.crud"
local neap = require "neap"
local t = neap.types

local writes = {}

-- Every verb of stores, objects, classes and queries that writes; each changes what is there.
writes.verbs = {
  store = {
    save = function(m) m.store:save { m.Post { title = "b" }, m.Post { title = "c" }, m.Post { title = "d" } } end,
    delete = function(m) m.store:delete { m.post, m.other } end,
    batch = function(m)
      local b = m.store:batch()
      b:save(m.Post { title = "b" }, m.post:assign { views = 9 })
      b:delete(m.other)
      b:run()
    end,
    bind = function(m)
      m.store:model("More", { id = t.integer { primary = true } })
      m.store:bind()
    end,
    drop = function(m) m.store:drop(m.Note) end,
    sql = function(m) m.store:sql("UPDATE posts SET views = ? WHERE title = ?", { 9, "a" }) end,
  },
  ["store:sql, that gives rows"] = {
    insert = function(m) return m.store:sql "INSERT INTO posts (title, views) VALUES ('b', 1) RETURNING id" end,
    create = function(m) m.store:sql "CREATE TABLE more (id INTEGER)" end,
  },
  object = {
    save = function(m) m.post:assign { views = 9 }:save() end,
    delete = function(m) m.post:delete() end,
    add_unique = function(m) m.post:add_unique("tags", "y") end,
    append = function(m) m.post:append("tags", "y") end,
    increment = function(m) m.post:increment "views" end,
    pull = function(m) m.post:pull("tags", "x") end,
    set = function(m) m.post:set("data.a", 9) end,
    unset = function(m) m.post:unset "data.a" end,
  },
  ["a save"] = {
    ["of a new object"] = function(m) m.Post { title = "b" }:save() end,
    ["of a new one, and of what it points to"] = function(m) m.Note { post = m.Post { title = "b" } }:save() end,
    overwrite = function(m) m.Post { id = m.post.id, title = "z" }:save { overwrite = true } end,
    condition = function(m) m.post:assign { views = 9 }:save { condition = m.Post.views:eq(1) } end,
    atomic = function(m) m.post:assign { views = 9 }:save { atomic = true } end,
    returning = function(m) m.post:assign { views = 9 }:save { returning = "new" } end,
  },
  class = {
    create = function(m) m.Post:create { title = "b" } end,
    upsert = function(m) m.Post:upsert({ id = m.post.id, title = "a", views = 9 }, { "id" }) end,
    sql = function(m) m.Post:sql("DELETE FROM posts WHERE title = ?", { "a" }) end,
  },
  query = {
    update = function(m) m.Post:where { title = "a" }:update { views = 9 } end,
    delete = function(m) m.Post:where { title = "a" }:delete() end,
    add = function(m) m.post.labels:add { m.blue } end,
    remove = function(m) m.post.labels:remove { m.red } end,
    set = function(m) m.post.labels:set { m.blue } end,
  },
  crud = {
    create = function(m) m.helper:create { title = "b" } end,
    update = function(m) m.helper:update({ views = 9 }, m.post) end,
    delete = function(m) m.helper:delete(m.post) end,
    create_or_update_many = function(m)
      local e = m.helper:create_or_update_many { { title = "b" } }[1].error
      if e then error(e, 0) end
    end,
  },
}

-- What writes nothing, or by the verbs above.
local others = {
  store = "capacity check close copy_in copy_out listen load model open request stream supports transaction with",  -- request: elsewhere
  object = "assign changes copy is_new key_of reload to_table",
  query = [[aggregate all avg consistent count each exclude exists explain filter find first for_update get group having
    include index key limit max min one order page pluck query rows scan select skip sql sum through where]],
}

--- Declares the models that the verbs work on, fills them, and gives what a verb is called with.
function writes.prepare(c)
  local store = c.store
  local m = { store = store }
  m.Post = store:model("Post", {
    id = c:counted(), title = t.string { unique = c.capabilities.unique },
    views = t.integer { default = 1 }, tags = t.list(t.string()), data = t.json(),
    labels = t.many_to_many("Label", { through = "PostLabel" }),
  }, { table = "posts" })
  m.Label = store:model("Label", { id = t.integer { primary = true } })
  m.Note = store:model("Note", { id = c:counted(), post = t.pointer "Post" })
  store:bind()
  m.post = m.Post { title = "a", tags = { "x" }, data = { a = 1 } }:save()
  m.other = m.Post { title = "other" }:save()
  m.red, m.blue = m.Label { id = 1 }:save(), m.Label { id = 2 }:save()
  m.post.labels:add { m.red }
  m.helper = crud.helper(m.Post, {})
  return m
end

--- All that is in the database of a contract, as another program reads it.
function writes.state(c)
  local lines, filled = {}, {}
  for _, name in ipairs(c:tables()) do
    lines[#lines + 1] = name
    if name ~= "neap_leases" then filled[#filled + 1] = name end
  end
  for _, line in ipairs(c:dump(filled)) do lines[#lines + 1] = line end
  table.sort(lines)
  return lines
end

--- Whether a verb is SQL's.
function writes.in_sql(noun, verb) return (noun .. verb):find "sql" ~= nil end

--- The verbs that are neither known to write nor not to.
function writes.unknown()
  local unknown, methods = {}, { store = require "neap.view".methods, object = require "neap.object_kernel".methods,
    query = require "neap.query".methods }
  for noun, names in pairs(methods) do
    for verb in pairs(names) do
      local harmless = (" " .. others[noun]:gsub("%s+", " ") .. " "):find(" " .. verb .. " ", 1, true)
      if not writes.verbs[noun][verb] and not harmless then unknown[#unknown + 1] = noun .. ":" .. verb end
    end
  end
  return unknown
end

return writes
