-- words.lua: lists of names, out of text and out of tables.
local words = {}

--- The words of a text that blanks separate.
function words.split(text)
  local list = {}
  for word in text:gmatch "%S+" do list[#list + 1] = word end
  return list
end

--- The keys of a table in the order of their text: a table has none of its own.
function words.sorted_keys(t)
  local list = {}
  for key in pairs(t) do list[#list + 1] = key end
  table.sort(list, function(a, b) return tostring(a) < tostring(b) end)
  return list
end

return words
