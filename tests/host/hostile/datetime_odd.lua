-- harmless: datetimes that are no datetimes, and far away
local neap = require "neap"
for _, v in ipairs { "", "9999999999-01-01", "0000-00-00", "2026-02-30", ("2"):rep(100000), "2026-01-01T00:00:00." .. ("9"):rep(1000),
  "2026-01-01T25:61:61Z", "\0", math.maxinteger, math.mininteger, 0 / 0, 1 / 0, {}, setmetatable({}, { __index = error }) } do
  for _, f in ipairs { neap.datetime, neap.date } do
    if type(f) == "table" or type(f) == "userdata" then pcall(f, v) else pcall(f, v) end
  end
end
