-- scripts/copy.lua from SQLite to PostgreSQL and back.
local base = os.getenv "NEAP_TEST_POSTGRES"
local copied = require "tests.wire.copied"
local bin = (os.getenv "BIN" or "bin") .. "/neap"
local capture = require "tests.capture"
local copy, dump = copied.copy, copied.dump

describe("copy.lua with PostgreSQL", function()
  local root, url, name

  setup(function()
    root = capture "mktemp -d":gsub("\n", "")
    name = "copy_" .. root:match "(%w+)$":lower()
    assert.equal("", (capture(("psql -q '%s' -c 'CREATE DATABASE %s'"):format(base, name))))
    url = base:gsub("/%w+$", "/" .. name)
  end)

  teardown(function()
    capture(("psql -q '%s' -c 'DROP DATABASE %s'"):format(base, name))
    capture("rm -r " .. root)
  end)

  local function psql(statement) return (capture(("psql -qAt '%s' -c '%s'"):format(url, statement)):gsub("\n$", "")) end

  it("brings every type there and back unchanged", function()
    local from, to = root .. "/from.db", root .. "/to.db"
    local models = copied.fill(root, from)
    copy("sqlite:" .. from, url, models)
    copy(url, "sqlite:" .. to, models)
    assert.equal(dump(from), dump(to))
  end)

  it("brings a shop there and back unchanged", function()
    local shop, again = root .. "/shop.db", root .. "/again.db"
    capture(bin .. " scripts/chinook.lua sqlite:" .. shop)
    copy("sqlite:" .. shop, url, "scripts/chinook_models.lua")
    assert.equal("3503|7|0.99", psql "SELECT count(*), (SELECT count(reports_to_id) FROM employees), min(price) FROM tracks")
    assert.matches("Track +3503 rows +0 copied", copy("sqlite:" .. shop, url, "scripts/chinook_models.lua"))
    copy(url, "sqlite:" .. again, "scripts/chinook_models.lua")
    assert.equal(dump(shop), dump(again))
  end)

  it("goes on where it was killed, in each direction, over one connection to a server", function()
    local from, to = root .. "/killed.db", root .. "/whole.db"
    local first, second = url .. "_1", url .. "_2"
    for i = 1, 2 do assert.equal("", psql(("CREATE DATABASE %s_%d"):format(name, i))) end
    local models = copied.fill(root, from)
    local legs = { "sqlite:" .. from, first .. "?pool=1", second .. "?pool=1", "sqlite:" .. to }
    for i = 1, 3 do
      copied.kill(root, legs[i], legs[i + 1])
      assert.matches("Note +2500 rows +1500 copied", copy(legs[i], legs[i + 1], models))
    end
    assert.equal(dump(from), dump(to))
    for i = 1, 2 do psql(("DROP DATABASE %s_%d"):format(name, i)) end
  end)

  it("goes on counting also where it was killed before it had told the server to", function()
    local notes = "sqlite:" .. root .. "/told.db"
    local models = copied.write(root, "told.lua", [[
      local t = require "neap".types
      return function(store)
        return store:model("Count", { id = t.integer { primary = true, auto = true } }, { table = "told.counts" })
      end]])
    local add = [[local store = require "neap".open(arg[2]) local Count = dofile(arg[1])(store) store:bind() Count:create {}]]
    for _ = 1, 3 do capture(("%s -e '%s' %s %s"):format(bin, add, models, notes)) end
    copy(notes, url, models)
    psql "ALTER SEQUENCE told.counts_id_seq RESTART"
    copy(notes, url, models)
    capture(("%s -e '%s' %s '%s'"):format(bin, add, models, url))
    assert.equal("1,2,3,4", psql "SELECT string_agg(id::text, $$,$$ ORDER BY id) FROM told.counts")
  end)

  it("goes on counting behind the keys that were copied", function()
    local notes = "sqlite:" .. root .. "/notes.db"
    local models = copied.write(root, "notes.lua", [[
      local t = require "neap".types
      return function(store)
        return store:model("Count", { id = t.integer { primary = true, auto = true }, text = t.string() }, { table = "counts" })
      end]])
    local add = [[local store = require "neap".open(arg[2]) local Count = dofile(arg[1])(store) store:bind() Count:create { text = "x" }]]
    for _ = 1, 3 do capture(("%s -e '%s' %s %s"):format(bin, add, models, notes)) end
    copy(notes, url, models)
    capture(("%s -e '%s' %s '%s'"):format(bin, add, models, url))
    assert.equal("1,2,3,4", psql "SELECT string_agg(id::text, $$,$$ ORDER BY id) FROM counts")
  end)
end)
