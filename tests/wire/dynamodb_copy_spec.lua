-- scripts/copy.lua from SQLite to DynamoDB and back. What comes back is compared by sqlite3.
local endpoint = os.getenv "NEAP_TEST_DYNAMODB"
local copied = require "tests.wire.copied"
local bin = (os.getenv "BIN" or "bin") .. "/neap"
local capture = require "tests.capture"

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

  local function copy(from, to, models)
    local text, code = capture(("%s scripts/copy.lua '%s' '%s' %s"):format(bin, from, to, models))
    assert.equal(0, code, text)
    return text
  end

  local function write(file_name, text)
    local file = assert(io.open(root .. "/" .. file_name, "w"))
    file:write(text)
    file:close()
    return root .. "/" .. file_name
  end

  local function difference(a, b)
    return (capture(("bash -c 'diff <(sqlite3 %s .dump | sort) <(sqlite3 %s .dump | sort)'"):format(a, b)))
  end

  it("brings every type there and back unchanged", function()
    local models, from, to = write("models.lua", copied.MODELS), root .. "/from.db", root .. "/to.db"
    local text, code = capture(("%s %s sqlite:%s %s"):format(bin, write("fill.lua", FILL), from, models))
    assert.equal(0, code, text)
    copy("sqlite:" .. from, url, models)
    copy(url, "sqlite:" .. to, models)
    assert.equal("", difference(from, to))
  end)

  it("brings a shop there and back unchanged, and copies nothing twice", function()
    local shop, again = root .. "/shop.db", root .. "/again.db"
    capture(bin .. " scripts/chinook.lua sqlite:" .. shop)
    copy("sqlite:" .. shop, url, "scripts/chinook_models.lua")
    assert.matches("Track +3503 rows +0 copied", copy("sqlite:" .. shop, url, "scripts/chinook_models.lua"))
    copy(url, "sqlite:" .. again, "scripts/chinook_models.lua")
    assert.equal("", difference(shop, again))
  end)

  it("goes on where it was killed, in each direction", function()
    local models, killing = write("models.lua", copied.MODELS), write("killing.lua", copied.KILLING)
    local from, to = root .. "/killed.db", root .. "/whole.db"
    local there = url:gsub("{table}", "killed_{table}")
    local text, code = capture(("%s %s sqlite:%s %s"):format(bin, write("fill.lua", FILL), from, models))
    assert.equal(0, code, text)
    local legs = { "sqlite:" .. from, there, "sqlite:" .. to }
    for i = 1, 2 do
      local command = ("timeout 60 %s scripts/copy.lua '%s' '%s' "):format(bin, legs[i], legs[i + 1])
      text, code = capture(command .. killing)
      assert.equal(137, code, text)
      text, code = capture(command .. models)
      assert.equal(0, code, text)
      assert.matches("Note +2500 rows +1500 copied", text)
    end
    assert.equal("", difference(from, to))
  end)
end)
