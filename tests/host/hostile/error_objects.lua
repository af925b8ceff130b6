-- limit: an error object whose text loops, raised to the host
error(setmetatable({}, { __tostring = function() while true do end end }))
