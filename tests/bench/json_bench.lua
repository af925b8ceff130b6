-- JSON of 1.2 MB (the Chinook sample in one line), to values and back.
local text = "{build}/bench/chinook.json"

local function line(name, work, at_most)
  return {
    name = name,
    setup = "{bin}/neap tests/bench/json.lua prepare scripts/data/chinook.json " .. text,
    { "neap", "{bin}/neap tests/bench/json.lua " .. work .. " " .. text },
    { "Python json", "/usr/bin/python3 tests/bench/json_peer.py " .. work .. " " .. text,
      needs = "test -x /usr/bin/python3", at_most = at_most },
    { "lua-cjson", "lua5.4 tests/bench/json.lua " .. work .. " " .. text, needs = "lua5.4 -e 'require \"cjson\"'" },
    { "cJSON (its tree)", "{build}/tests/bench/json_peer " .. work .. " " .. text },
  }
end

dofile "tests/bench/bench.lua" {
  line("JSON text to values", "decode", 1 / 1.15),
  line("values to JSON text", "encode", 1 / 2),
}
