-- limit: for loops over all integers, forwards, backwards and with steps of nothing
assert(not pcall(function() for _ = 1, 2, 0 do end end))
for _ = math.maxinteger, math.mininteger, math.maxinteger do error "no" end
for _ = math.mininteger, math.maxinteger do end
