-- limit: a loop inside pcall, whose error another pcall would swallow
while true do pcall(function() while true do end end) end
