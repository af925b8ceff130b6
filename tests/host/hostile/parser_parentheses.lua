-- harmless: text of five thousand parentheses, braces, blocks or operators is a syntax error
for _, piece in ipairs { "(", "{", "do ", "function() ", "x = -", "a.", "a[", "if x then ", "not ", "a^", "a..", "f{", "::" } do
  local text = piece:rep(5000)
  assert(not load("return " .. text) and not load(text))
end
