-- limit: a text of an error that is made while C's stack is full (CVE-2022-33099)
local function errorh() return 1 + {} end
local function f() return f() + {} end
while true do xpcall(f, errorh) end
