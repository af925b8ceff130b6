-- scripts/copy.lua from SQLite to DynamoDB and back. What comes back is compared by sqlite3.
local endpoint = os.getenv "NEAP_TEST_DYNAMODB"
local copied = require "tests.wire.copied"
local bin = (os.getenv "BIN" or "bin") .. "/neap"
local capture = require "tests.capture"
local copy, dump = copied.copy, copied.dump

-- DynamoDB keeps decimals without their scale, no doubles beyond 1e126 and sets in an order of its own; its local server
-- keeps no empty text.
local FILL = copied.FILL:gsub('"1.50"', '"1.5"'):gsub('"%-0.000100"', '"-0.0001"'):gsub("1e300", "1e100")
  :gsub('"a", ""', '"a", "b"'):gsub("3, 1 }", "1, 3 }")

describe("copy.lua with DynamoDB", function()
  local root, url, prefix

  setup(function()
    root = capture "mktemp -d":gsub("\n", "")
    prefix = "copy_" .. root:match "(%w+)$" .. "_"
    url = ("dynamodb://us-east-1?endpoint=%s&access_key=key&secret_key=secret&table_template=%s{table}"):format(endpoint, prefix)
  end)

  teardown(function() capture("rm -r " .. root) end)

  it("brings every type there and back unchanged", function()
    local from, to = root .. "/from.db", root .. "/to.db"
    local models = copied.fill(root, from, FILL)
    copy("sqlite:" .. from, url, models)
    copy(url, "sqlite:" .. to, models)
    assert.equal(dump(from), dump(to))
  end)

  it("brings a shop there and back unchanged, and copies nothing twice", function()
    local shop, again = root .. "/shop.db", root .. "/again.db"
    capture(bin .. " scripts/chinook.lua sqlite:" .. shop)
    copy("sqlite:" .. shop, url, "scripts/chinook_models.lua")
    assert.matches("Track +3503 rows +0 copied", copy("sqlite:" .. shop, url, "scripts/chinook_models.lua"))
    copy(url, "sqlite:" .. again, "scripts/chinook_models.lua")
    assert.equal(dump(shop), dump(again))
  end)

  it("goes on where it was killed, in each direction", function()
    local from, to = root .. "/killed.db", root .. "/whole.db"
    local there = url:gsub("{table}", "killed_{table}")
    local models = copied.fill(root, from, FILL)
    local legs = { "sqlite:" .. from, there, "sqlite:" .. to }
    for i = 1, 2 do
      copied.kill(root, legs[i], legs[i + 1])
      assert.matches("Note +2500 rows +1500 copied", copy(legs[i], legs[i + 1], models))
    end
    assert.equal(dump(from), dump(to))
  end)
end)
