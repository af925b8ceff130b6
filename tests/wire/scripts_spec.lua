-- The programs in scripts/, run as a user runs them, on SQLite. What they wrote is read by sqlite3, not by us.
local neap = require "neap"
local bin = (os.getenv "BIN" or "bin") .. "/neap"
local capture = require "tests.capture"

local function script(...)
  return capture(bin .. " scripts/" .. table.concat({ ... }, " "))
end

local function sqlite(path, statement)
  return (capture(("sqlite3 '%s' \"%s\""):format(path, statement)):gsub("\n$", ""))
end

describe("chinook.lua", function()
  local path = os.tmpname()
  local url = "sqlite:" .. path
  local first = script("chinook.lua", url)

  teardown(function()
    for _, ending in ipairs { "", "-wal", "-shm" } do os.remove(path .. ending) end
  end)

  it("imports every row", function()
    assert.truthy(first:find("found 0 rows complete and 15607 missing; imported 15607", 1, true), first)
    assert.equal("3503|2240|8715", sqlite(path,
      "select (select count(*) from tracks), (select count(*) from invoice_lines), (select count(*) from playlist_tracks)"))
    assert.equal("ok", sqlite(path, "pragma integrity_check; pragma foreign_key_check"))
  end)

  it("keeps every column of the data", function()
    local data = neap.json.decode(assert(io.open "scripts/data/chinook.json"):read "a")
    local filled = 0
    for _, name in ipairs { "Employee", "Customer", "Invoice" } do
      for _, row in ipairs(data[name]) do
        for _, value in pairs(row) do if value ~= neap.null and value ~= "" then filled = filled + 1 end end
      end
    end
    local parts = {}
    for _, table_name in ipairs { "employees", "customers", "invoices" } do
      for column in sqlite(path, ("select name from pragma_table_info('%s')"):format(table_name)):gmatch "[^\n]+" do
        parts[#parts + 1] = ("(select count(%s) from %s)"):format(column, table_name)
      end
    end
    assert.equal(filled, tonumber(sqlite(path, "select " .. table.concat(parts, " + "))))
  end)

  it("keeps money exact", function()
    assert.equal("text|0.99", sqlite(path, "select typeof(price), price from tracks where id = 1"))
  end)

  it("prints no progress bar into a pipe", function()
    assert.is_nil(first:find "\r")
  end)

  it("changes nothing when it runs again", function()
    local before = capture("sqlite3 " .. path .. " .dump | cksum")
    local text, code = script("chinook.lua", url)
    assert.truthy(text:find("found 15607 rows complete and 0 missing; nothing changed", 1, true), text)
    assert.equal(0, code)
    assert.equal(before, (capture("sqlite3 " .. path .. " .dump | cksum")))
  end)

  it("adds what is missing and nothing else", function()
    sqlite(path, "delete from invoice_lines where id % 7 = 0; delete from playlist_tracks where playlist_id = 1")
    local missing = 320 + tonumber(sqlite(path, "select 8715 - count(*) from playlist_tracks"))
    local text = script("chinook.lua", url)
    assert.truthy(text:find(("%d missing; imported %d"):format(missing, missing), 1, true), text)
    assert.equal("2240|8715",
      sqlite(path, "select (select count(*) from invoice_lines), (select count(*) from playlist_tracks)"))
  end)

  it("says so when the store is none", function()
    local text, code = script("chinook.lua", "nowhere:db")
    assert.truthy(text:find("nowhere", 1, true), text)
    assert.equal(1, code)
  end)

  describe("and report.lua", function()
    local function report(...) return script("report.lua --store", url, ...) end

    it("sums sales by country, the largest first", function()
      local text = report "--format csv countries"
      assert.truthy(text:find("^country,invoices,sales\nUSA,91,523.06\nCanada,56,303.96\nFrance,35,195.10\n"), text)
      assert.equal(25, select(2, text:gsub("\n", "")))
    end)

    it("sums sales by month, from the first", function()
      local text = report "--format csv months"
      assert.equal("2021-01", text:match "\n(%d%d%d%d%-%d%d),")
      assert.equal(tonumber(sqlite(path, "select count(distinct substr(at, 1, 7)) from invoices")),
        select(2, text:gsub("\n%d%d%d%d%-%d%d,", "")))
    end)

    it("finds the artists that sold most", function()
      assert.equal("artist,sold\nIron Maiden,140\nU2,107\nMetallica,91\n", (report "--format csv --top 3 artists"))
    end)

    it("lists a customer's invoices with lines and tracks", function()
      local text = report "--format csv customer 1"
      local lines = sqlite(path,
        "select count(*) from invoice_lines l join invoices i on i.id = l.invoice_id where i.customer_id = 1")
      assert.equal(tonumber(lines) + 1, select(2, text:gsub("\n", "")), text)
    end)

    it("draws bars that fit the terminal", function()
      for _, columns in ipairs { 40, 72, 200 } do
        local text = capture(("COLUMNS=%d %s scripts/report.lua --store %s countries months artists"):format(columns, bin, url))
        local longest = 0
        for line in text:gmatch "[^\n]+" do longest = math.max(longest, utf8.len(line)) end
        assert.truthy(text:find "█", text)
        assert.equal(columns, longest)
      end
    end)

    it("writes no color into a pipe", function()
      assert.is_nil((report "countries months artists customer 1"):find "\27")
    end)

    it("gives each report as CSV and as JSON, row by row the same", function()
      for _, name in ipairs { "countries", "months", "artists", "customer 1" } do
        local rows = neap.json.decode((report("--format json", name)))[1].rows
        local lines = neap.csv.parse((report("--format csv", name)))
        assert.truthy(#rows > 5, name)
        assert.equal(#rows, #lines)
        for i, row in ipairs(rows) do
          for column, value in pairs(row) do
            assert.equal(value, type(value) == "number" and tonumber(lines[i][column]) or lines[i][column], name)
          end
        end
      end
    end)

    it("gives the first three reports together", function()
      local reports = neap.json.decode((report "--format json"))
      assert.equal(3, #reports)
      assert.equal("USA", reports[1].rows[1].country)
    end)

    it("says where the shop comes from when there is none", function()
      local text, code = script "report.lua --store sqlite::memory:"
      assert.equal("report.lua: the store has no shop in it; chinook.lua imports one\n", text)
      assert.equal(1, code)
    end)

    it("refuses what it does not know with exit code 2", function()
      for _, arguments in ipairs { "planets", "--format xml", "--top none", "customer", "customer 1000" } do
        local text, code = report(arguments)
        assert.equal(2, code, text)
        assert.truthy(text:find("usage: report.lua", 1, true), text)
      end
    end)
  end)
end)

describe("leaderboard.lua", function()
  it("tells the story of the game scores", function()
    local text, code = script "leaderboard.lua"
    assert.equal(0, code, text)
    assert.truthy(text:find("John Doe\t1437\tlevel 20\ttrue", 1, true), text)
    assert.truthy(text:find("not saved: Sword\tconflict\nsaved: Shield\ttrue", 1, true), text)
    assert.truthy(text:find("  1. Jane Doe     3500\n  2. Sara         2100\n  3. Rebecca      1400\n", 1, true), text)
    assert.truthy(text:find("6 scores, 1 items", 1, true), text)
    assert.truthy(text:find("of a place\n  1. Jack Doe     2800  cheats\n  2. Sara         2100\n  3. Rebecca      1400\n\n", 1, true),
      text)
    assert.truthy(text:find("after one has left: 2\nafter all have left: 0 of 6 scores", 1, true), text)
  end)

  it("tells the same story again in the same store", function()
    local path = os.tmpname()
    local first, again = script("leaderboard.lua sqlite:" .. path), script("leaderboard.lua sqlite:" .. path)
    for _, ending in ipairs { "", "-wal", "-shm" } do os.remove(path .. ending) end
    assert.equal(first, again)
  end)
end)
