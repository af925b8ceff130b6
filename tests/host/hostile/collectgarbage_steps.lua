-- limit: steps of the collector for ever
while true do pcall(collectgarbage, "step", 1 << 30) end
