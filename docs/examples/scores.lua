-- scores.lua: what outlives a change of game.lua, since a module is loaded once: the store and its model.
local neap = require "neap"
local t = neap.types

local store = neap.open "scores"  -- the game says what that is, and allows nothing else
local Score = store:model("Score", {
  id     = t.integer  { primary = true, auto = true },
  player = t.string   { required = true, max = 40 },
  points = t.integer  { min = 0, index = true },
  at     = t.datetime { auto_now_add = true },
}, { table = "scores" })
store:bind()

return Score
