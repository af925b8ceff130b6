-- json.lua decode|encode FILE: the seconds that one takes, in neap or, run by a stock Lua, in lua-cjson.
-- json.lua prepare FROM TO: writes the JSON of one file into another, in one line, unless it is there.
local found, json = pcall(require, "neap.json")
if not found then json = require "cjson" end
local ROUNDS = 20

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

local function seconds(f, value)
  for _ = 1, 3 do f(value) end
  collectgarbage()
  local start = os.clock()
  for _ = 1, ROUNDS do f(value) end
  return (os.clock() - start) / ROUNDS
end

local work, path, to = table.unpack(arg)
if work == "prepare" then
  os.execute("mkdir -p " .. to:match "^(.*)/")
  local file = assert(io.open(to, "w"))
  file:write(json.encode(json.decode(read(path))))
  file:close()
elseif work == "decode" then
  print(seconds(json.decode, read(path)))
else
  print(seconds(json.encode, json.decode(read(path))))
end
