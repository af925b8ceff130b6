-- The job that is killed: moves money from one account to another in so many steps. PATH STEPS
local neap = require "neap"
local t = neap.types

local store, steps = neap.open("sqlite:" .. arg[1]), tonumber(arg[2])
local Account = store:model("Account", { id = t.integer { primary = true }, money = t.integer() })
local Step = store:model("Step", { id = t.integer { primary = true } })
store:bind()
local job = neap.job { store = store }

if not job:resume "step" then
  store:transaction(function()
    store:save { Account { id = 1, money = steps }, Account { id = 2, money = 0 } }
    job:checkpoint("step", 0)
  end)
end
for step = job:resume "step" + 1, steps do
  store:transaction(function()
    Account:get(1):increment("money", -1)
    Step { id = step }:save()
    job:checkpoint("step", step)
    Account:get(2):increment("money", 1)
  end)
end
