-- harmless: a result whose text as JSON never ends is no result
return setmetatable({}, { __json = function() while true do end end })
