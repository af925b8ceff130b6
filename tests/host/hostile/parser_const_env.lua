-- harmless: _ENV as a constant, with which 5.4.0 to 5.4.3 wrote past a buffer (CVE-2022-28805)
for _, text in ipairs {
  "local _ENV <const> = nil; return x",
  "local _ENV <const> = 1; X = 1",
  "local function f() local _ENV <const> = 11; return function() X = 'hi' end end f()()",
  "local _ENV <close> = nil; X = 1",
  "local a <const>, _ENV <const> = 1, 2; return function() return y.z end",
} do
  local f = load(text)
  if f then pcall(f) end
end
