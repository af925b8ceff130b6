-- PostgreSQL: rows into objects and back, beside the plain loop over libpq's functions and beside the peers, over a server of
-- its own.
local pipe = assert(io.popen [[d=$(mktemp -d) && chmod 755 $d &&
  tests/services/postgres start $d/cluster && echo $d]])
local url, folder = pipe:read("a"):match "^(%S+)%s+(%S+)"
pipe:close()
if not url then
  print "PostgreSQL: skipped, the server does not start"
  return
end

local PYTHON = { psycopg2 = "psycopg2", ["SQLAlchemy ORM"] = "sqlalchemy", ["Django ORM"] = "django" }

local function python(name, work, at_most)
  return { name, ("/usr/bin/python3 tests/bench/postgres_peer.py %s %s %s"):format(PYTHON[name], work, url), at_most = at_most,
    needs = ("/usr/bin/python3 -c 'import psycopg2, %s'"):format(PYTHON[name]) }
end

-- Beside the loop in C, LuaSQL where it can do the work, and those that make objects.
local function line(name, work, at_most, more)
  local peer = more and more.peer or work
  local one = {
    name = "PostgreSQL: " .. name,
    setup = ("{build}/tests/bench/postgres_peer prepare %s"):format(url),
    { "neap", ("{bin}/neap tests/bench/postgres.lua %s '%s?pool=1'"):format(work, url) },
    { "C loop", ("{build}/tests/bench/postgres_peer %s %s"):format(peer, url), at_most = at_most },
    python("psycopg2", peer, more and more.psycopg2),
  }
  if more and more.peer then return one end
  if more and more.luasql then
    one[#one + 1] = { "LuaSQL", ("lua5.4 tests/bench/postgres.lua %s %s"):format(work, url),
      needs = "lua5.4 -e 'require \"luasql.postgres\"'" }
  end
  one[#one + 1] = python("SQLAlchemy ORM", work)
  one[#one + 1] = python("Django ORM", work)
  return one
end

dofile "tests/bench/bench.lua" {
  line("100,000 rows of 8 columns into objects, single-row mode", "read", 1.15, { luasql = true }),
  line("20,000 objects inserted, their ids returned", "insert", 1.25),
  line("one column of 20,000 objects updated", "update", 1.25),
  line("20,000 objects by id, one task", "get", 1.10, { luasql = true }),
  line("20,000 objects by id, 50 tasks; beside one after the other", "tasks", 0.33, { peer = "get" }),
  line("100 authors with 5 books with 3 reviews each, 100 times", "nested", nil, { psycopg2 = 1.0 }),
}
os.execute(("tests/services/postgres stop %s/cluster; rmdir %s"):format(folder, folder))
