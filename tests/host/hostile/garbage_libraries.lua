-- harmless: every function of Lua's libraries is called with every kind of value in every place
local neap = require "neap"
local skip = { collectgarbage = true, print = true, exit = true, error = true, rep = true }
local values = { 0, -1, 1 << 62, 1.5, "x", "%", true, {}, string.len, coroutine.create(string.len), neap.null, setmetatable({}, { __index = rawlen }) }
for _, lib in ipairs { string, table, math, utf8, coroutine, os, io, debug, package, package.loaded, _G } do
  for name, f in pairs(lib) do
    if type(f) == "function" and not skip[name] then
      pcall(f)
      for i = 1, #values do
        pcall(f, values[i])
        for j = 1, #values do pcall(f, values[i], values[j], values[(i + j) % #values + 1]) end
      end
    end
  end
end
