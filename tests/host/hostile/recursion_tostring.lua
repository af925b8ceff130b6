-- limit: a value whose text is the text of a value whose text is...
local mt = {}
mt.__tostring = function() return tostring(setmetatable({}, mt)) end
while true do pcall(tostring, setmetatable({}, mt)) end
