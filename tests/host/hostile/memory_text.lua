-- limit: a text that doubles for ever, with a handler that wants memory as well
while true do
  xpcall(function()
    local s = "x"
    while true do s = s .. s end
  end, function() return ("y"):rep(1 << 24) end)
end
