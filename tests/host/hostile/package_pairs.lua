-- forbidden: what iterating over a library gives besides its keys is not the library itself
local neap = require "neap"
for _, lib in ipairs { string, table, math, os, io, coroutine, utf8, debug, package, neap, neap.json, require "string" } do
  local step, state, first = pairs(lib)
  if type(state) == "table" then
    local ok, e = pcall(function() state.evil = 1 end)
    assert(not ok and e.kind == "forbidden")
    assert(not pcall(rawset, state, "evil", 1))
  end
  for _, v in step, state, first do
    if type(v) == "table" then assert(not pcall(rawset, v, "evil", 1)) end
  end
  assert(next(lib) == nil or pcall(rawset, lib, "evil", 1) == false)
  assert(lib.evil == nil)
end
string.evil = 1
