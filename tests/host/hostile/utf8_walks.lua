-- limit: utf8 functions over long texts, from odd places
local s = ("\u{10FFFF}"):rep(20000)
while true do
  pcall(utf8.len, s, 1, -1, true)
  pcall(utf8.offset, s, 1 << 62)
  pcall(utf8.offset, s, -(1 << 62))
  pcall(utf8.codepoint, s, 1, -1)
  pcall(utf8.char, -1, 1 << 31, 1 << 62)
  for _ in utf8.codes(s) do end
end
