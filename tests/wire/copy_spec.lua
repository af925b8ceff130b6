-- scripts/copy.lua, run as a user runs it. What it wrote is read by sqlite3, not by us.
local copied = require "tests.wire.copied"
local bin = (os.getenv "BIN" or "bin") .. "/neap"
local capture = require "tests.capture"
local dump = copied.dump

describe("copy.lua", function()
  local root, from, to

  before_each(function()
    root = capture "mktemp -d":gsub("\n", "")
    from, to = root .. "/from.db", root .. "/to.db"
  end)

  after_each(function() capture("rm -r " .. root) end)

  local function write(name, text) return copied.write(root, name, text) end

  local function sqlite(path, statement) return (capture(("sqlite3 '%s' \"%s\""):format(path, statement)):gsub("\n$", "")) end

  local function fill() copied.fill(root, from) end
  local function copy(models) return copied.run("sqlite:" .. from, "sqlite:" .. to, models) end

  it("copies everything as it is: all types, times, versions, nulls, links, undeclared fields, circles of pointers", function()
    fill()
    local text, code = copy(root .. "/models.lua")
    assert.equal(0, code, text)
    assert.equal(dump(from), dump(to))
    assert.matches("\nNote +2500 rows +2500 copied\n", text)
    assert.equal("2|hook", sqlite(to, "SELECT version, text FROM Note WHERE id = 5"))
  end)

  it("draws nothing into a pipe", function()
    fill()
    assert.is_nil(copy(root .. "/models.lua"):find "\r")
  end)

  it("changes nothing when it runs again", function()
    fill()
    copy(root .. "/models.lua")
    sqlite(to, "UPDATE Note SET text = 'mine' WHERE id = 9")
    local before = dump(to)
    local text, code = copy(root .. "/models.lua")
    assert.equal(0, code)
    assert.equal(before, dump(to))
    assert.matches("Note +2500 rows +0 copied", text)
  end)

  it("adds what is missing, wherever that is", function()
    fill()
    copy(root .. "/models.lua")
    sqlite(to, "DELETE FROM Note WHERE id % 7 = 0 OR id > 2000; DELETE FROM NoteTag")
    local text, code = copy(root .. "/models.lua")
    assert.equal(0, code, text)
    assert.equal(dump(from), dump(to))
  end)

  it("goes on where it was killed", function()
    fill()
    copied.kill(root, "sqlite:" .. from, "sqlite:" .. to)
    assert.equal("1000|ok", sqlite(to, "SELECT (SELECT count(*) FROM Note), i.* FROM pragma_integrity_check i"))
    local text, code = copy(root .. "/models.lua")
    assert.equal(0, code, text)
    assert.matches("Note +2500 rows +1500 copied", text)
    assert.equal(dump(from), dump(to))
  end)

  it("copies the models that are named", function()
    fill()
    local text, code = copy(root .. "/models.lua Tag Thing")
    assert.equal(0, code, text)
    assert.equal("1|1|0", sqlite(to, "SELECT (SELECT count(*) FROM Tag), (SELECT count(*) FROM Thing), (SELECT count(*) FROM Note)"))
    text, code = copy(root .. "/models.lua Tga")
    assert.equal(2, code)
    assert.matches("Tga is no model that the file declares", text)
  end)

  it("ends with 1 and both numbers where they differ", function()
    fill()
    copy(root .. "/models.lua")
    sqlite(to, "INSERT INTO Tag VALUES ('extra')")
    local text, code = copy(root .. "/models.lua")
    assert.equal(1, code)
    assert.matches("copy.lua: Tag: 1 rows in the source, 2 in the target\n", text)
  end)

  it("says what to do where required pointers go in a circle, before anything is written", function()
    local text, code = copy(write("circle.lua", [[
      local t = require "neap".types
      return function(store)
        store:model("A", { id = t.integer { primary = true }, b = t.pointer("B", { required = true }) })
        store:model("B", { id = t.integer { primary = true }, a = t.pointer("A", { required = true }) })
      end]]))
    assert.equal(2, code)
    assert.matches("A, B point to each other, and each of these pointers is required.*: take `required` from one of them", text)
    assert.equal("", sqlite(to, "SELECT name FROM sqlite_master"))
  end)

  it("copies rows whose keys are several fields", function()
    local models = write("pairs.lua", [[
      local t = require "neap".types
      return function(store)
        store:model("Pair", { a = t.integer { primary = true }, b = t.string { primary = true }, n = t.number() })
      end]])
    sqlite(from, [[CREATE TABLE Pair (a INTEGER NOT NULL, b TEXT NOT NULL, n REAL, PRIMARY KEY (a, b)); WITH RECURSIVE c(i) AS
      (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2345) INSERT INTO Pair SELECT i / 2, 'k' || i % 2, i * 0.5 FROM c]])
    assert.equal(0, select(2, copy(models)))
    sqlite(to, "DELETE FROM Pair WHERE a % 5 = 0")
    assert.equal(0, select(2, copy(models)))
    assert.equal(sqlite(from, "SELECT * FROM Pair ORDER BY a, b"), sqlite(to, "SELECT * FROM Pair ORDER BY a, b"))
  end)

  it("is used wrongly without a file of models, or with one store twice", function()
    for _, arguments in ipairs { "", "sqlite:a sqlite:b", "sqlite:a sqlite:a scripts/chinook_models.lua" } do
      local text, code = capture(bin .. " scripts/copy.lua " .. arguments)
      assert.equal(2, code)
      assert.matches("usage: copy.lua FROM_URL TO_URL models.lua", text)
    end
  end)
end)
