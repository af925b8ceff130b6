-- limit: a message handler that loops, as a kill that it could handle would have to pass through it
xpcall(function() while true do end end, function() while true do end end)
xpcall(error, function() while true do end end)
error "escaped"
