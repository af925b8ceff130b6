-- copied.lua: what the specs of scripts/copy.lua copy: every type, circles of pointers, links, undeclared fields, hooks; and how
-- they do it.
local assert = require "luassert"
local bin = (os.getenv "BIN" or "bin") .. "/neap"
local capture = require "tests.capture"

local copied = {}

--- A file of models.
copied.MODELS = [[
local neap = require "neap"
local t = neap.types
return function(store)
  local Note = store:model("Note", {
    id      = t.integer { primary = true, auto = true },
    author  = t.pointer("Author", { required = true }),
    answers = t.pointer "Note",
    text    = t.string { default = "none" },
    code    = t.uuid { default = function() return neap.uuid() end },
    data    = t.json(),
    price   = t.decimal(),
    file = t.bytes(), day = t.date(), seen = t.boolean(), names = t.list(t.string()), marks = t.set(t.integer()),
    more = t.map(), size = t.number(), place = t.geopoint(), stamp = t.timestamp(),
    made    = t.datetime { auto_now_add = true },
    changed = t.datetime { auto_now = true },
    version = t.integer { version = true },
    loud    = t.computed(t.string(), { sql = "upper({text})" }),
    tags    = t.many_to_many("Tag", { through = "NoteTag" }),
  })
  function Note:before_save() if self.text == "hook" then error "the hook ran" end end
  store:model("Tag", { name = t.string { primary = true } })
  store:model("Author", { id = t.uuid { primary = true, auto = true }, name = t.string(), first = t.pointer "Note" })
  store:model("Thing", {})
  store:bind()
end
]]

--- A script that makes them in the store arg[1] by the file arg[2].
copied.FILL = [[
local neap = require "neap"
local store = neap.open(arg[1])
dofile(arg[2])(store)
local Author, Note, Tag, Thing = store:model "Author", store:model "Note", store:model "Tag", store:model "Thing"
local ada = Author:create { name = "Ada" }
local notes = {}
for i = 1, 2500 do notes[i] = Note { author = ada, text = "note " .. i, price = "1.50", data = { n = { i, neap.null } } } end
notes[2].text, notes[2].code = nil, nil
store:save(notes)
for i, note in ipairs(notes) do note.answers = notes[#notes - i + 1] end
notes[3].data = neap.null
notes[4]:assign { file = neap.bytes "\0\255x", day = "2024-02-29", seen = true, names = { "a", "" }, marks = { 3, 1 },
  more = { k = { 1 }, z = neap.null }, size = 0.1, place = neap.geopoint(1.5, -2), stamp = "2024-05-01T10:00:00Z" }
notes[6]:assign { names = neap.array {}, more = {}, seen = false, size = 1e300, price = "-0.000100" }
store:save(notes)
store:sql "UPDATE Note SET text = 'hook' WHERE id = 5"
ada.first = notes[7]
ada:save()
Tag:create { name = "sea" }
notes[1].tags:add { Tag:get "sea" }
Thing { any = { 1, "two" }, name = "x" }:save()
]]

--- The same models; the program that reads them is killed when it is about to save a second thousand.
copied.KILLING = copied.MODELS:gsub("store:bind%(%)", [[
  local save, left = require "neap.store".save, 2
  require "neap.store".save = function(...)
    left = left - (#(select(2, ...)) == 1000 and 1 or 0)
    if left == 0 then os.execute "kill -9 $PPID" end
    return save(...)
  end]])

--- Writes a file of a folder: its path.
function copied.write(root, name, text)
  local path = root .. "/" .. name
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
  return path
end

--- All that there is in a database, as sqlite3 sees it.
function copied.dump(path) return (capture(("sqlite3 '%s' .dump | sort"):format(path))) end

--- Makes a database in a folder, by copied.FILL or another script: the file of its models.
function copied.fill(root, path, script)
  local models = copied.write(root, "models.lua", copied.MODELS)
  local fill = copied.write(root, "fill.lua", script or copied.FILL)
  local text, code = capture(("%s %s sqlite:%s %s"):format(bin, fill, path, models))
  assert.equal(0, code, text)
  return models
end

--- What it prints, and its exit code.
function copied.run(from, to, models)
  return capture(("timeout 100 %s scripts/copy.lua '%s' '%s' %s"):format(bin, from, to, models))
end

--- Copies without a fault: what it prints.
function copied.copy(from, to, models)
  local text, code = copied.run(from, to, models)
  assert.equal(0, code, text)
  return text
end

--- Copies what copied.fill has made, but is killed on the way.
function copied.kill(root, from, to)
  local text, code = copied.run(from, to, copied.write(root, "killing.lua", copied.KILLING))
  assert.equal(137, code, text)
end

return copied
