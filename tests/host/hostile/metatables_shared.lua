-- harmless: metatables that scripts have set are theirs, those of neap's own values are not for them
local neap = require "neap"
local t = neap.types
local mt = { __index = { x = 1 } }
local mine = setmetatable({}, mt)
assert(getmetatable(mine) == mt and mine.x == 1)
getmetatable(mine).__index = { x = 2 }
assert(mine.x == 2)
local store = neap.open "sqlite::memory:"
local Row = store:model("Row", { id = t.integer { primary = true, auto = true } })
local _, e = neap.try(error, "x")
local values = { store, Row, Row {}, Row:where { id = 1 }, Row.id, t.integer(), neap.null, e, neap.progress(10, "x"), neap.array {}, neap,
  neap.json, string, _G, "", 1, print, coroutine.create(print), neap.decimal "1", neap.datetime and neap.now() }
for _, v in ipairs(values) do assert(type(getmetatable(v)) ~= "table") end
