-- What is stopped is stopped in the server too where no statement shares a connection: what `neap shell` asks for.
local neap = require "neap"
local t = neap.types

local url = os.getenv "NEAP_TEST_POSTGRES"

describe("a store that shares no connection", function()
  local store, other

  before_each(function()
    store, other = neap.open { url = url, share = false }, neap.open(url)
    other:sql "DROP TABLE IF EXISTS shell_rows"
    other:sql "CREATE TABLE shell_rows (id integer PRIMARY KEY, name text)"
    other:sql "INSERT INTO shell_rows VALUES (1, 'a'), (2, NULL)"
  end)
  after_each(function()
    other:sql "DROP TABLE shell_rows"
    store:close()
    other:close()
  end)

  local function running()
    return other:sql("SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)%' "
      .. "AND pid <> pg_backend_pid()")[1].n
  end

  local function wait_for(n)
    for _ = 1, 1000 do
      if running() == n then return end
      neap.sleep(0.01)
    end
    assert.equal(n, running())
  end

  local function stops(f)
    local task = neap.spawn(function() return neap.try(f) end)
    wait_for(1)
    task:cancel()
    neap.try(task.await, task)
    wait_for(0)
    assert.equal(2, store:model("Row"):count())
  end

  it("ends reads and writes that are cancelled", function()
    local Row = store:model("Row", {
      id = t.integer { primary = true }, name = t.string(), slow = t.computed(t.string(), { sql = "pg_sleep(60)::text" }),
    }, { table = "shell_rows" })
    stops(function() return Row:all() end)
    stops(function() return Row:first() end)
    stops(function() return store:sql "SELECT pg_sleep(60)" end)
    stops(function() return Row:where { slow = "x" }:update { name = "b" } end)
    assert.equal("a", other:sql("SELECT name FROM shell_rows WHERE id = 1")[1].name)
  end)

  it("does what others do", function()
    local Row = store:model("Row", { id = t.integer { primary = true }, name = t.string() }, { table = "shell_rows" })
    store:save { Row { id = 3, name = "c" }, Row { id = 4 } }
    store:transaction(function() Row:get(3):save { force = true } end)
    local names = neap.all { function() return Row:count() end, function() return Row:get(3).name end }
    assert.same({ 4, "c" }, names)
  end)

  it("takes only true and false for it", function()
    local _, e = neap.try(neap.open, "postgres://127.0.0.1/x?share=maybe")
    assert.equal("usage", e.kind)
  end)
end)
