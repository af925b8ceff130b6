-- limit: a reader that feeds the parser for ever
load(function() return "x = 1 " end)
load(function() while true do end end)
error "escaped"
