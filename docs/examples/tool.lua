-- tool.lua: keeps the lines that tool.c reads, and answers each with its number and how often it has come.
local neap = require "neap"
local t = neap.types
local Line

-- The store is opened by the first line, in the loop of the program.
local function lines()
  if Line then return Line end
  local store = neap.open "sqlite:lines.db"
  local model = store:model("Line", {
    id   = t.integer { primary = true, auto = true },
    text = t.string  { index = true },
  }, { table = "lines" })
  store:bind()
  Line = model
  return Line
end

tool = {}

function tool.line(text)
  if text == "wait" then neap.sleep(0.2) end
  local line = lines():create { text = text }
  return { id = line.id, text = text, times = lines():where { text = text }:count() }
end
