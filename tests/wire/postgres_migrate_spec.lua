-- `neap migrate` on PostgreSQL, run as a user runs it. What it did is read by psql, not by us.
local base = os.getenv "NEAP_TEST_POSTGRES"
local bin = (os.getenv "BIN" or "bin") .. "/neap"
local capture = require "tests.capture"

describe("neap migrate on PostgreSQL", function()
  local dir, name, url

  before_each(function()
    dir = capture "mktemp -d":gsub("\n", "")
    name = "migrate_" .. dir:match "(%w+)$":lower()
    assert.equal("", (capture(("psql -q '%s' -c 'CREATE DATABASE %s'"):format(base, name))))
    url = base:gsub("/%w+$", "/" .. name)
  end)

  after_each(function()
    capture(("psql -q '%s' -c 'DROP DATABASE %s WITH (FORCE)'"):format(base, name))
    capture("rm -r " .. dir)
  end)

  local function write(file_name, text)
    local file = assert(io.open(dir .. "/" .. file_name, "w"))
    file:write(text)
    file:close()
  end

  local function run(variables) return capture(("%s timeout 60 %s migrate '%s' %s"):format(variables or "", bin, url, dir)) end

  local function psql(statement) return (capture(("psql -qAt '%s' -c '%s'"):format(url, statement)):gsub("\n$", "")) end

  it("makes indexes concurrently, outside of transactions", function()
    write("0001_posts.lua", 'return { "CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT)" }')
    write("0002_index.lua", 'return { transaction = false, up = "CREATE INDEX CONCURRENTLY by_title ON posts (title)" }')
    local text, code = run()
    assert.equal(0, code, text)
    assert.equal("t", psql "SELECT indisvalid FROM pg_index WHERE indexrelid = $$by_title$$::regclass")
  end)

  it("ends with 75 while another run is at work", function()
    write("0001_again.lua", ([[return { up = function()
      local pipe = io.popen "%s migrate '%s' %s; echo $?"
      print("inside: " .. pipe:read "a")
      pipe:close()
    end }]]):format(bin, url, dir))
    local text, code = run()
    assert.equal(0, code, text)
    assert.matches("inside: 75\n", text)
    assert.equal("1", psql "SELECT count(*) FROM neap_migrations")
  end)

  it("leaves nothing of a migration in which it is killed, and no lock", function()
    write("0001_posts.lua", 'return { "CREATE TABLE posts (id INTEGER PRIMARY KEY)" }')
    write("0002_killed.lua", [[return { up = function(tx)
      tx:sql "INSERT INTO posts VALUES (1)"
      if os.getenv "KILL" then os.execute "kill -9 $PPID" end
    end }]])
    run "KILL=1"
    psql "SELECT pg_advisory_lock(7954871452319704946)"  -- waits until the server has seen that the process is gone
    assert.equal("1|0", psql "SELECT (SELECT max(version) FROM neap_migrations), (SELECT count(*) FROM posts)")
    local text, code = run()
    assert.equal(0, code, text)
    assert.matches("^up 0002_killed.lua", text)
    assert.equal("1", psql "SELECT count(*) FROM posts")
  end)
end)
