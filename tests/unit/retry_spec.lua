-- How long things take, in words, and when a failure is worth another attempt.
local retry = require "neap.retry"

describe("a duration", function()
  it("is a number of seconds or a text", function()
    for given, seconds in pairs {
      [90] = 90, [0.5] = 0.5, [0] = 0, ["90"] = 90, ["1.5s"] = 1.5, ["5m"] = 300, ["1h30m"] = 5400, ["2d"] = 172800,
    } do
      assert.equal(seconds, retry.seconds(given), given)
    end
  end)

  it("is nothing else", function()
    for _, given in ipairs { "", "s", "5x", "5 m", "m5", "1e3", "-5s", -1, math.huge, 0 / 0, {}, true } do
      assert.is_nil(retry.seconds(given), tostring(given))
    end
  end)

  it("is shown by its two largest units", function()
    for seconds, text in pairs {
      [0.012] = "0.012s", [0.25] = "0.2s", [1] = "1s", [59.5] = "59.5s", [60] = "1m", [61] = "1m1s", [5400] = "1h30m",
      [5401] = "1h30m", [86400 * 3 + 60] = "3d1m",
    } do
      assert.equal(text, retry.show(seconds))
    end
  end)
end)

describe("the delay before another attempt", function()
  it("is up to the base, then up to twice as much each time, at most five minutes", function()
    for n, most in pairs { [1] = 2, [2] = 4, [5] = 32, [20] = 300, [2000] = 300 } do
      local longest = 0
      for _ = 1, 200 do
        local delay = retry.delay(n, 2)
        assert.is_true(delay >= 0 and delay < most)
        longest = math.max(longest, delay)
      end
      assert.is_true(longest > most / 2)
    end
  end)
end)

describe("another attempt", function()
  it("is worth it unless the same would happen again", function()
    assert.is_true(retry.worth(""))
    assert.is_true(retry.worth "connection")
    assert.is_true(retry.worth "conflict")
    assert.is_false(retry.worth "usage")
    assert.is_false(retry.worth "mismatch")
  end)
end)
