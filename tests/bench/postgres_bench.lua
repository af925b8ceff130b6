-- PostgreSQL: rows into objects, beside the plain loop over libpq's functions and beside psycopg2, over a server of its own.
local build = os.getenv "BUILD" or "build"

local pipe = assert(io.popen [[d=$(mktemp -d /tmp/neap-bench.XXXXXX) && chmod 755 $d &&
  tests/services/postgres start $d/cluster && echo $d]])
local url, folder = pipe:read("a"):match "^(%S+)%s+(%S+)"
pipe:close()
if not url then
  print "PostgreSQL: skipped, the server does not start"
  return
end

local function line(name, work, at_most, peer)
  local one = {
    name = name,
    { "neap", ("{bin}/neap tests/bench/postgres.lua %s '%s?pool=1'"):format(work, url) },
    { "C loop", ("{build}/tests/bench/postgres_peer %s '%s'"):format(peer, url), at_most = at_most },
    { "psycopg2", ("/usr/bin/python3 tests/bench/postgres_peer.py %s '%s'"):format(peer, url),
      needs = "/usr/bin/python3 -c 'import psycopg2'" },
  }
  return one
end

os.execute(("%s/tests/bench/postgres_peer prepare '%s' 2> /dev/null"):format(build, url))
dofile "tests/bench/bench.lua" {
  line("PostgreSQL: 100,000 rows of 8 columns into objects, single-row mode", "read", 1.15, "read"),
  line("PostgreSQL: 20,000 objects by id, one task", "get", 1.10, "get"),
  line("PostgreSQL: 20,000 objects by id, 50 tasks; beside one after the other", "tasks", 0.33, "get"),
}
os.execute(("tests/services/postgres stop %s/cluster; rmdir %s"):format(folder, folder))
