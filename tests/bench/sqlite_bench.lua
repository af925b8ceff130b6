-- SQLite: rows into objects and back, beside the plain loop over SQLite's functions and beside the peers.
local file = "{build}/bench/people"
local python, lua = "test -x /usr/bin/python3", "lua5.4 -e 'require \"luasql.sqlite3\"'"
local sqlalchemy = "/usr/bin/python3 -c 'import sqlalchemy'"

-- Each line has a file of its own: writers change theirs.
local function line(name, work, at_most, more)
  local path = file .. "_" .. work .. ".db"
  local one = {
    name = name,
    setup = "mkdir -p {build}/bench && rm -f " .. path .. "* && {build}/tests/bench/sqlite_peer prepare " .. path,
    { "neap", "{bin}/neap tests/bench/sqlite.lua " .. work .. " " .. path },
    { "C loop", "{build}/tests/bench/sqlite_peer " .. work .. " " .. path, at_most = at_most },
  }
  for _, contender in ipairs(more(path)) do one[#one + 1] = contender end
  return one
end

-- Every field read and all JSON decoded, beside tables that are filled in C and decoded by lua-cjson.
local fields = line("SQLite: the same with every field read and all JSON decoded", "fields", 0.9, function() return {} end)
fields[2][1], fields[2].needs = "a Lua table a row, in C", "lua5.4 -lcjson -e ''"

local function peers(work, luasql)
  return function(path)
    local list = {
      { "Python sqlite3", "/usr/bin/python3 tests/bench/sqlite_peer.py sqlite3 " .. work .. " " .. path, needs = python },
      { "SQLAlchemy ORM", "/usr/bin/python3 tests/bench/sqlite_peer.py sqlalchemy " .. work .. " " .. path, needs = sqlalchemy },
    }
    if luasql then
      table.insert(list, 1, { "LuaSQL", "lua5.4 tests/bench/sqlite.lua " .. work .. " " .. path, needs = lua })
      table.insert(list, 1, { "a Lua table a row, in C", "{build}/tests/bench/sqlite_peer tables " .. path, at_most = 0.5 })
    end
    return list
  end
end

dofile "tests/bench/bench.lua" {
  line("SQLite: 100,000 rows of 8 columns into objects", "read", 2.0, peers("read", true)),
  fields,
  line("SQLite: 20,000 objects inserted", "insert", 1.4, peers "insert"),
  line("SQLite: one column of 20,000 objects updated", "update", 1.5, peers "update"),
  line("SQLite: 20,000 objects by id", "get", 1.5, peers "get"),
}
