-- forbidden: a finalizer that loops would run where no limit reaches it
setmetatable({}, { __gc = function() while true do end end })
