-- limit: functions of a model that loop: defaults, setters, validation, hooks
local neap = require "neap"
local t = neap.types
local store = neap.open "sqlite::memory:"
local function loop() while true do end end
local Row = store:model("Row", { id = t.integer { primary = true, auto = true }, n = t.integer { default = loop },
  m = t.integer { validate = loop } })
store:bind()
function Row:before_save() loop() end
pcall(function() Row { m = 1 }:save() end)
pcall(function() Row { n = 1, m = 1 }:save() end)
error "escaped"
