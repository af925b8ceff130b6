-- Exact decimals.
local neap = require "neap"
local decimal = neap.decimal

local function fault(f, ...)
  local _, e = neap.try(f, ...)
  return type(e) == "table" and e.kind .. ": " .. e.message or e
end

describe("neap.decimal", function()
  it("keeps its scale", function()
    for text, canonical in pairs {
      ["1.10"] = "1.10", ["-0.00"] = "0.00", ["+007.5"] = "7.5", ["12e-3"] = "0.012", ["1.5E3"] = "1500", [".5"] = "0.5",
      ["0e5"] = "0", ["123456789012345678901234567890.0"] = "123456789012345678901234567890.0",
    } do
      assert.equal(canonical, tostring(decimal(text)))
    end
  end)

  it("is made from integers of 64 bits", function()
    assert.equal("-9223372036854775808", tostring(decimal(math.mininteger)))
    assert.equal("0", tostring(decimal(0)))
  end)

  it("refuses floats and says what to write", function()
    assert.truthy(fault(decimal, 1.5):find 'validation.*neap.decimal "1.5"')
    assert.truthy(fault(function() return decimal "1" + 0.5 end):find "^validation")
    assert.truthy(fault(function() return decimal "1" < 0.5 end):find "^validation")
  end)

  it("refuses text that is no number", function()
    for _, text in ipairs { "", "-", ".", "1.", "1e", "1e+", "0x10", "1 ", " 1", "nan", "inf", "1,5", "1.2.3", "--1", "1\0" } do
      assert.truthy(fault(decimal, text):find "^validation", text)
    end
  end)

  it("has at most 1,000 digits and exponents within 6,144", function()
    assert.equal(1000, #tostring(decimal(("9"):rep(1000))))
    assert.equal("1" .. ("0"):rep(999), tostring(decimal "1e999"))
    assert.equal(6144, decimal "1e-6144":scale())
    for _, text in ipairs { ("9"):rep(1001), "1e1000", "1e-6145", "1e99999999999", "1e-99999999999", "1e6145" } do
      assert.truthy(fault(decimal, text):find "^validation")
    end
    assert.truthy(fault(function() return decimal(("9"):rep(1000)) + 1 end):find "^validation")
    assert.truthy(fault(function() return decimal "1e-4000" * decimal "1e-4000" end):find "^validation")
  end)
end)

describe("decimal arithmetic", function()
  it("adds and subtracts exactly with the larger scale", function()
    assert.equal("3.305", tostring(decimal "1.10" + decimal "2.205"))
    assert.equal("0.00", tostring(decimal "1.10" - decimal "1.1" + decimal "0.00"))
    assert.equal("0.3", tostring(decimal "0.1" + decimal "0.2"))
    assert.equal("2.5", tostring(1 + decimal "1.5"))
    assert.equal("-0.5", tostring(1 - decimal "1.5"))
  end)

  it("multiplies exactly with the sum of the scales", function()
    assert.equal("1.2100", tostring(decimal "1.10" * decimal "1.10"))
    assert.equal("-15129", tostring(decimal "123" * -123))
  end)

  it("divides to 28 digits, half to even", function()
    assert.equal("0.3333333333333333333333333333", tostring(decimal "1" / 3))
    assert.equal("0.6666666666666666666666666667", tostring(decimal "2" / 3))
    assert.equal("2.5", tostring(decimal "10" / 4))
    assert.equal("1.00", tostring(decimal "2.00" / 2))
    assert.equal("3333333333333333333333333333000", tostring(decimal "1e31" / 3):sub(1, 31))
  end)

  it("divides to a scale, half to even", function()
    assert.equal("3.33", tostring(decimal "10":div(3, 2)))
    assert.equal("0.12", tostring(decimal "0.125":div(1, 2)))
    assert.equal("0.38", tostring(decimal "0.375":div(1, 2)))
    assert.equal("0.000", tostring(decimal "1":div(decimal "1e900", 3)))
  end)

  it("rounds half to even", function()
    for text, rounded in pairs { ["2.5"] = "2", ["3.5"] = "4", ["-2.5"] = "-2", ["2.51"] = "3", ["-0.4"] = "0" } do
      assert.equal(rounded, tostring(decimal(text):round()))
    end
    assert.equal("1.00", tostring(decimal "1":round(2)))
  end)

  it("has // and % that round down, as integers have", function()
    for _, pair in ipairs { { 7, 2 }, { -7, 2 }, { 7, -2 }, { -7, -2 }, { 6, 3 }, { -6, 3 } } do
      local a, b = pair[1], pair[2]
      assert.equal(a // b, (decimal(a) // b):tointeger())
      assert.equal(a % b, (decimal(a) % b):tointeger())
    end
    assert.equal("1.5", tostring(decimal "7.5" % 2))
  end)

  it("refuses to divide by zero", function()
    for _, f in ipairs {
      function(d) return d / 0 end, function(d) return d // 0 end, function(d) return d % 0 end, function(d) return d:div(0, 2) end,
    } do
      assert.truthy(fault(f, decimal "1"):find "^validation.*zero")
    end
  end)

  it("agrees with integers on random operands", function()
    local seed = tonumber(os.getenv "SEED") or os.time()
    math.randomseed(seed)
    for _ = 1, 2000 do
      local a, b = math.random(-1000000, 1000000), math.random(1, 1000) * (math.random(2) * 2 - 3)
      local da, db = decimal(a), decimal(b)
      local text = ("seed %d: %d, %d"):format(seed, a, b)
      assert.equal(a + b, (da + db):tointeger(), text)
      assert.equal(a - b, (da - db):tointeger(), text)
      assert.equal(a * b, (da * db):tointeger(), text)
      assert.equal(a // b, (da // db):tointeger(), text)
      assert.equal(a % b, (da % db):tointeger(), text)
      assert.equal(a < b, da < db, text)
    end
  end)
end)

describe("a decimal", function()
  it("compares by number", function()
    assert.is_true(decimal "1.10" == decimal "1.1")
    assert.is_true(decimal "1.10":eq(decimal "1.1") and decimal "2.0":eq(2))
    assert.is_true(decimal "-1e-6144" < 0 and 0 < decimal "1e-6144" and decimal "2" <= 2)
    assert.equal(-1, decimal "1":compare(2))
    assert.is_false(decimal "1" == neap.datetime(0))
  end)

  it("becomes a number or an integer where that is possible", function()
    assert.equal(1.1, decimal "1.10":tonumber())
    assert.equal("float", math.type(decimal "5":tonumber()))
    assert.equal(5, decimal "5.00":tointeger())
    assert.is_nil(decimal "5.5":tointeger())
    assert.is_nil(decimal "9223372036854775808":tointeger())
    assert.truthy(fault(function() return decimal "1e999":tonumber() end):find "^validation")
  end)

  it("tells its scale and changes its sign", function()
    assert.equal(2, decimal "1.10":scale())
    assert.equal("-1.10", tostring(-decimal "1.10"))
    assert.equal("0.0", tostring(-decimal "0.0"))
  end)
end)
