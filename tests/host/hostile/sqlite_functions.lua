-- harmless: functions of SQL that take the square of their values' lengths are quick, or not there
local store = require "neap".open "sqlite::memory:"
local function value(sql) return store:sql("SELECT " .. sql .. " AS v")[1].v end
assert(value "instr('abcäd', 'd')" == 5 and value "instr('abc', 'x')" == 0 and value "instr('abc', '')" == 1)
assert(value "instr(x'00ff01', x'01')" == 3 and value "instr(NULL, 'x')" == nil)
assert(value "replace('aXbX', 'X', 'yy')" == "ayybyy" and value "replace('abc', '', 'x')" == "abc")
assert(value "replace('aaa', 'aa', '')" == "a" and value "replace('abc', 'x', NULL)" == nil and value "replace(121, 2, 3)" == "131")
assert(value "trim('  x ')" == "x")
local half = "hex(zeroblob(450000))"
assert(value("instr(" .. half .. ", substr(" .. half .. ", 1, 450000) || '1')") == 0)
assert(value("length(replace(" .. half .. ", substr(" .. half .. ", 1, 450000) || '1', 'x'))") == 900000)
for _, sql in ipairs { "trim('x', 'y')", "ltrim('x', 'y')", "rtrim('x', 'y')", "printf('%.*c', 2000000000, 'x')",
  "format('%2000000000d', 1)", "json_patch('{}', '{}')", "replace(hex(zeroblob(20000)), '0', hex(zeroblob(100)))",
  "neap_json_all('[' || replace(hex(zeroblob(30000)), '0', '1,') || '1]', '[' || replace(hex(zeroblob(30000)), '0', '2,') || '2]')",
  "'x' LIKE '" .. ("%a"):rep(200) .. "'" } do
  local ok, e = pcall(value, sql)
  assert(not ok and (e.kind == "usage" or e.kind == "limit"), sql)
end
