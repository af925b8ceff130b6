-- Points in time and dates.
local neap = require "neap"
local datetime, date = neap.datetime, neap.date

local function fault(f, ...)
  local _, e = neap.try(f, ...)
  return type(e) == "table" and e.kind .. ": " .. e.message or e
end

describe("neap.datetime", function()
  it("reads and prints ISO 8601 in UTC with microseconds", function()
    assert.equal("2015-07-20T09:05:57.463255+00:00", tostring(datetime "2015-07-20T09:05:57.463255+00:00"))
    assert.equal("2015-07-20T09:05:57.500000+00:00", tostring(datetime "2015-07-20T09:05:57.5Z"))
  end)

  it("takes offsets, a space for the T, a missing fraction, missing seconds and a date alone", function()
    local at = datetime "2015-07-20T09:05:00Z"
    for _, text in ipairs { "2015-07-20T11:05:00+02:00", "2015-07-20 09:05", "2015-07-20T05:35-0330", "2015-07-20t10:05:00,000+01" } do
      assert.equal(at, datetime(text), text)
    end
    assert.equal(datetime "2015-07-20T00:00:00Z", datetime "2015-07-20")
  end)

  it("cuts a fraction after six digits", function()
    assert.equal(datetime "2015-07-20T00:00:00.123456Z", datetime "2015-07-20T00:00:00.123456999Z")
  end)

  it("is made from seconds, from fields and from a date", function()
    assert.equal(datetime "1970-01-01T00:00:00.250Z", datetime(0.25))
    assert.equal(datetime "2015-07-20T09:00Z", datetime { year = 2015, month = 7, day = 20, hour = 9 })
    assert.equal(datetime "2015-07-20", datetime(date "2015-07-20"))
  end)

  it("refuses what is no time and says why", function()
    for text, why in pairs {
      ["2015-02-29"] = "2015-02 has no day 29", ["2015-13-01"] = "month 13", ["2015-06-30T23:59:60Z"] = "leap seconds are not kept",
      ["2015-07-20T24:00Z"] = "hour 24", ["0001-01-01T00:00+01:00"] = "outside the years", ["0000-01-01"] = "year 0",
      ["yesterday"] = "expected ISO 8601", ["2015-07-20T09:05Z "] = "expected ISO 8601", ["2015-07-20\0"] = "expected ISO 8601",
    } do
      local message = fault(datetime, text)
      assert.truthy(message:find("^validation") and message:find(why, 1, true), message)
    end
  end)

  it("names a wrong field and the nearest right one", function()
    assert.truthy(fault(datetime, { yeer = 2015 }):find("did you mean year?", 1, true))
    assert.truthy(fault(function() return datetime "2015-07-20".hours end):find("did you mean hour?", 1, true))
  end)

  it("has its parts in UTC", function()
    local at = datetime "2015-07-20T09:05:57.463255+02:00"
    assert.same({ 2015, 7, 20, 7, 5, 57, 463255 },
      { at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond })
  end)

  it("knows the calendar to both ends", function()
    for _, text in ipairs { "0001-01-01T00:00:00.000000+00:00", "1600-02-29T12:00:00.000001+00:00",
      "1969-12-31T23:59:59.999999+00:00", "9999-12-31T23:59:59.999999+00:00" } do
      assert.equal(text, tostring(datetime(text)))
    end
  end)

  it("made of a table needs a year", function()
    assert.truthy(fault(datetime, {}):find("validation: a datetime needs a year", 1, true))
    assert.truthy(fault(date, { month = 2 }):find("validation: a date needs a year", 1, true))
  end)

  it("subtracts to seconds, exact to the microsecond", function()
    assert.equal(0.000001, datetime "2015-07-20T00:00:00.000001Z" - datetime "2015-07-20")
    assert.equal(86400.0, datetime "2015-07-21" - datetime "2015-07-20")
    assert.equal(-1.5, datetime(0) - datetime(1.5))
  end)

  it("adds and subtracts seconds", function()
    local at = datetime "2015-07-20"
    assert.equal(datetime "2015-07-20T00:00:01.500Z", at + 1.5)
    assert.equal(datetime "2015-07-19T23:59:59Z", at - 1)
    assert.equal(at + 5, 5 + at)
  end)

  it("does not leave the years 0001 to 9999", function()
    for _, seconds in ipairs { 1 / 0, -1 / 0, 0 / 0, math.maxinteger, math.mininteger, 1e300 } do
      assert.truthy(fault(function() return datetime(0) + seconds end):find "^validation")
      assert.truthy(fault(datetime, seconds):find "^validation")
    end
    assert.truthy(fault(function() return datetime "9999-12-31T23:59:59.999999Z" + 0.000001 end):find "^validation")
  end)

  it("compares with other datetimes only", function()
    assert.is_true(datetime(1) < datetime(2) and datetime(2) <= datetime(2) and datetime(2) ~= datetime(3))
    assert.is_true(datetime(0) ~= date "1970-01-01")
    assert.truthy(fault(function() return datetime(0) < 5 end):find "^usage")
  end)

  it("gives its date and its timestamp", function()
    assert.equal(date "1969-12-31", datetime "1969-12-31T23:59Z":date())
    assert.equal("integer", math.type(datetime(5):timestamp()))
    assert.equal(5.25, datetime(5.25):timestamp())
  end)

  it("formats as strftime does", function()
    assert.equal("2015-07-20 09:05:57.463255 201 Mon Monday Jul July 2015-W30-1 AM 09 100%",
      datetime "2015-07-20T09:05:57.463255Z":format "%Y-%m-%d %H:%M:%S.%f %j %a %A %b %B %G-W%V-%u %p %I 100%%")
    assert.equal("2004-W53 2005-01-01 00:00:00 +0000 UTC", datetime "2005-01-01":format "%G-W%V %F %T %z %Z")
  end)

  it("refuses conversions that it does not know", function()
    assert.truthy(fault(function() return datetime(0):format "%Q" end):find "^usage")
    assert.truthy(fault(function() return datetime(0):format "%" end):find "^usage")
  end)

  it("orders as its text does", function()
    local texts = { "0001-01-01", "0999-12-31", "1969-12-31T23:59:59.999999", "1970-01-01", "2015-07-20", "9999-12-31" }
    for i = 2, #texts do
      assert.is_true(datetime(texts[i - 1]) < datetime(texts[i]))
      assert.is_true(tostring(datetime(texts[i - 1])) < tostring(datetime(texts[i])))
    end
  end)
end)

describe("neap.now", function()
  it("is a datetime of this machine's clock", function()
    assert.is_true(math.abs(neap.now():timestamp() - os.time()) < 60)
  end)
end)

describe("neap.date", function()
  it("reads and prints ISO 8601", function()
    assert.equal("2015-07-20", tostring(date "2015-07-20"))
  end)

  it("is made from fields and from a datetime", function()
    assert.equal(date "2016-02-29", date { year = 2016, month = 2, day = 29 })
    assert.equal(date "2015-07-20", date(datetime "2015-07-20T23:59:59Z"))
  end)

  it("refuses what is no day", function()
    for _, text in ipairs { "2015-02-29", "2015-7-20", "2015-07-20T00:00", "", "0000-12-31" } do
      assert.truthy(fault(date, text):find "^validation")
    end
    assert.truthy(fault(date, { year = 2015, hour = 1 }):find "^usage")
  end)

  it("counts in days", function()
    assert.equal(31, date "2015-08-20" - date "2015-07-20")
    assert.equal(date "2016-03-01", date "2016-02-28" + 2)
    assert.equal(date "2015-12-31", date "2016-01-01" - 1)
    assert.truthy(fault(function() return date "9999-12-31" + 1 end):find "^validation")
    assert.truthy(fault(function() return date "2015-07-20" + 0.5 end):find "^usage")
  end)

  it("has parts, a format and a midnight", function()
    local d = date "2015-07-20"
    assert.same({ 2015, 7, 20 }, { d.year, d.month, d.day })
    assert.equal("20 Jul 2015", d:format "%d %b %Y")
    assert.equal(datetime "2015-07-20", d:datetime())
  end)
end)

describe("neap.uuid", function()
  it("is random by default", function()
    assert.truthy(neap.uuid():find "^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-%x%x%x%x%x%x%x%x%x%x%x%x$")
    assert.are_not.equal(neap.uuid(), neap.uuid())
  end)

  it("sorts by the time it was made in version 7", function()
    local last = neap.uuid { version = 7 }
    for _ = 1, 10000 do
      local next = neap.uuid { version = 7 }
      assert.is_true(last < next)
      last = next
    end
  end)

  it("tells its version", function()
    for _, version in ipairs { 1, 4, 7 } do assert.equal(tostring(version), neap.uuid { version = version }:sub(15, 15)) end
    assert.truthy(fault(neap.uuid, { version = 5 }):find "^usage")
  end)
end)
