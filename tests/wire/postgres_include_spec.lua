-- How many statements the server runs for a tree of related objects: it writes them into its log.
local base = os.getenv "NEAP_TEST_POSTGRES"
local capture = require "tests.capture"
local neap = require "neap"
local tree = require "tests.store.tree"

describe("a tree of related objects on PostgreSQL", function()
  local name, store, log, process

  setup(function()
    name = "include_" .. os.tmpname():match "(%w+)$":lower()
    assert.equal("", (capture(("psql -q '%s' -c 'CREATE DATABASE %s'"):format(base, name))))
    store = neap.open(base:gsub("/%w+$", "/" .. name) .. "?pool=1&options=-c%20log_statement%3Dall")
    process = store:sql "SELECT pg_backend_pid() AS pid"[1].pid
    log = io.open(store:sql "SHOW data_directory"[1].data_directory .. "/../log")
  end)

  teardown(function()
    store:close()
    capture(("psql -q '%s' -c 'DROP DATABASE %s'"):format(base, name))
  end)

  --- The selects that the server has noted since this was asked last. It notes each before it runs it.
  local function sent(mark)
    store:sql("SELECT '" .. mark .. "'")
    local list = {}
    repeat
      local line = assert(log:read "l", "the server keeps no log of statements")
      local statement = line:match("%[" .. process .. "%] LOG:  execute [^:]*: (SELECT .*)")
      if statement and not statement:find(mark, 1, true) then list[#list + 1] = statement end
    until statement and statement:find(mark, 1, true)
    return list
  end

  it("comes by one statement for the rows and what is one object, and one for each relation to many and level", function()
    if not log then pending "the log of this server cannot be read" end
    local n = 0
    tree.each(store, function(what, most, read)
      n = n + 1
      sent("before " .. n)
      read()
      local statements = sent("behind " .. n)
      assert.equal(most, #statements, what .. ":\n" .. table.concat(statements, "\n"))
      for i = 2, #statements do
        assert.matches("$1::bigint[]", statements[i], 1, true)  -- all keys are one value
        assert.is_nil(statements[i]:find "bigint%[%].*bigint%[%]")
      end
    end)
    assert.equal(8, n)
  end)
end)
