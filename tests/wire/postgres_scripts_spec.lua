-- The programs in scripts/ on PostgreSQL: they do and print what they do and print on SQLite, byte by byte.
local base = os.getenv "NEAP_TEST_POSTGRES"
local bin = (os.getenv "BIN" or "bin") .. "/neap"

local function capture(command)
  local pipe = assert(io.popen("{ " .. command .. "; } 2>&1"))
  local text = pipe:read "a"
  local _, _, code = pipe:close()
  return text, code
end

describe("the scripts on PostgreSQL", function()
  local root, name, urls

  setup(function()
    root = capture "mktemp -d":gsub("\n", "")
    name = "scripts_" .. root:match "(%w+)$":lower()
    assert.equal("", (capture(("psql -q '%s' -c 'CREATE DATABASE %s'"):format(base, name))))
    urls = { "sqlite:" .. root .. "/shop.db", (base:gsub("/%w+$", "/" .. name)) }
  end)

  teardown(function()
    capture(("psql -q '%s' -c 'DROP DATABASE %s'"):format(base, name))
    capture("rm -r " .. root)
  end)

  --- What a script prints over both stores, where the URL stands as %s.
  local function both(command)
    local printed = {}
    for i, url in ipairs(urls) do
      local text, code = capture(("COLUMNS=100 %s scripts/%s"):format(bin, command:format("'" .. url .. "'")))
      assert.equal(0, code, text)
      printed[i] = text
    end
    assert.equal(printed[1], printed[2])
    return printed[2]
  end

  local function psql(statement) return (capture(("psql -qAt '%s' -c '%s'"):format(urls[2], statement)):gsub("\n$", "")) end

  it("import a shop, and what is missing in it", function()
    assert.matches("found 0 rows complete and 15607 missing; imported 15607", both "chinook.lua %s")
    assert.matches("found 15607 rows complete and 0 missing; nothing changed", both "chinook.lua %s")
    psql "DELETE FROM playlist_tracks WHERE playlist_id = 1"
    local missing = 8715 - tonumber(psql "SELECT count(*) FROM playlist_tracks")
    local text = capture(("%s scripts/chinook.lua '%s'"):format(bin, urls[2]))
    assert.matches(("%d missing; imported %d\n"):format(missing, missing), text)
    assert.equal("3503|2240|8715|numeric", psql [[SELECT (SELECT count(*) FROM tracks), (SELECT count(*) FROM invoice_lines),
      (SELECT count(*) FROM playlist_tracks), pg_typeof(price) FROM tracks LIMIT 1]])
  end)

  it("report on it", function()
    both "chinook.lua %s"
    for _, format in ipairs { "text", "csv", "json" } do
      assert.matches("USA", both("report.lua --store %s --format " .. format))
      assert.matches("202%d%-%d%d%-%d%d", both("report.lua --store %s customer 1 --format " .. format))
    end
  end)

  it("tell the story of the game scores", function()
    assert.equal(capture(bin .. " scripts/leaderboard.lua"), capture(("%s scripts/leaderboard.lua '%s'"):format(bin, urls[2])))
  end)
end)
