-- limit: a task that starts its successor and ends: each is short, all of them together are not
local neap = require "neap"
local function link() neap.spawn(link) end
link()
