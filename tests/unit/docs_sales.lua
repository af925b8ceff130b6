neap = require "neap"
t = neap.types
store = neap.open "sqlite::memory:"
Sale = store:model("Sale", {
  id = t.integer { primary = true, auto = true }, day = t.date(), amount = t.integer(),
})
Total = store:model("Total", { day = t.date { primary = true }, amount = t.integer() })
store:bind()
for i = 1, 6 do Sale { day = neap.date("2026-11-2" .. i % 2), amount = i }:save() end
