-- game.lua: what the game calls. Change it while the game runs: it is loaded again.
local Score = require "scores"

game = {}

function game.save(player, points)
  return Score:create { player = player, points = points }.id
end

function game.top(n)
  local best = {}
  for i, score in ipairs(Score:order("-points", "id"):limit(n):all()) do
    best[i] = score.player .. ": " .. score.points
  end
  return { title = "High scores", best = best }
end
