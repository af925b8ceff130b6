-- limit: a message handler that fails in itself
while true do xpcall(error, function() error(1) end) end
