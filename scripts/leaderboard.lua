-- leaderboard.lua: scores of a game, step by step: objects, batches, queries, pointers and relations.
--   neap scripts/leaderboard.lua [URL]      default: sqlite::memory:, which leaves nothing behind
-- With a URL it starts over each time: what an earlier run left in its tables is deleted.
local neap = require "neap"
local t = neap.types

local store = neap.open(arg[1] or "sqlite::memory:")

-- An open model: any field may be set, beside the declared ones.
local GameScore = store:model("GameScore", {
  id          = t.uuid     { primary = true, auto = true },
  player_name = t.string   { required = true },
  score       = t.integer  { default = 0, min = 0, index = true },
  cheat_mode  = t.boolean  { default = false },
  created_at  = t.datetime { auto_now_add = true },
  updated_at  = t.datetime { auto_now = true },
  item        = t.pointer  "CollectedItem",
  place       = t.geopoint (),          -- where it was played
}, { open = true })

local CollectedItem = store:model("CollectedItem", {
  id   = t.uuid   { primary = true, auto = true },
  type = t.string { required = true, unique = true },
})

local Game = store:model("Game", {
  id     = t.uuid         { primary = true, auto = true },
  name   = t.string       { required = true },
  scores = t.many_to_many ("GameScore", { through = "GameHasScore" }),
})

local GameHasScore = store:model("GameHasScore", {
  game  = t.pointer ("Game", { primary = true }),
  score = t.pointer ("GameScore", { primary = true }),
})

store:bind()
for _, Model in ipairs { GameHasScore, Game, GameScore, CollectedItem } do Model:delete { all = true } end

local function title(text) print("\n" .. text) end

local function board(query)
  for place, score in ipairs(query:all()) do
    print(("%3d. %-10s %6d%s"):format(place, score.player_name, score.score, score.cheat_mode and "  cheats" or ""))
  end
end

title "One object: save, change, count up, delete"
local score = GameScore { score = 1337, player_name = "John Doe" }
score:save()
score.cheat_mode = true
score.level = 20                        -- not declared: kept all the same
score:save()
score:increment("score", 100)           -- in the store: nobody's points are lost
print(score.player_name, score.score, "level " .. score.level, score.created_at <= score.updated_at)
score:delete()

title "A pointer to another object, which is saved first"
local sword = CollectedItem { type = "Sword" }
local armed = GameScore { player_name = "Jill Doe", score = 900, item = sword }
armed:save()
print(armed.player_name, GameScore:get(armed.id).item.type)

title "A list of objects at once; those that fail do not stop the others"
local items = { CollectedItem { type = "Sword" }, CollectedItem { type = "Shield" } }
local _, failure = neap.try(store.save, store, items)
for _, fault in ipairs(failure.errors) do print("not saved: " .. fault.object.type, fault.error.kind) end
print("saved: " .. items[2].type, items[2].id ~= nil)

title "Saves and deletes in one batch"
local names = { "Ronald", "Rebecca", "Sara", "Jack Doe", "Jane Doe" }
local scores = {}
local batch = store:batch()
for i, name in ipairs(names) do
  local place = neap.geopoint(12 + i, -34.45)
  scores[i] = GameScore { player_name = name, score = 700 * i, cheat_mode = i == 4, place = place }
  batch:save(scores[i])
end
batch:delete(items[2])
batch:run()
print(("%d scores, %d items"):format(GameScore:count(), CollectedItem:count()))

title "Queries: filtered, ordered, paged, chained; nothing is sent before the loop"
local honest = GameScore:where { cheat_mode = false }
local high = honest:where { score__gte = 1000 }:order "-score"
board(high)
print(("places 2 and 3 of %d:"):format(honest:count()))
board(honest:order "-score":skip(1):limit(2))

title "Played within 120 km of a place"
board(GameScore:where(GameScore.place:near(neap.geopoint(15, -34.5), 120000)):order "-score")

title "With what they point to, in two statements"
for _, found in ipairs(GameScore:where { item__exists = true }:include "item":all()) do
  print(found.player_name, found.item.type)
end

title "A relation: the scores of one game"
local game = Game { name = "3-way Battle" }
game:save()
game.scores:add { scores[1], scores[2], scores[3] }
board(game.scores:order "-score")
game.scores:remove { scores[1] }
print(("after one has left: %d"):format(game.scores:count()))
game.scores:set {}
print(("after all have left: %d of %d scores"):format(game.scores:count(), GameScore:count()))

store:close()
