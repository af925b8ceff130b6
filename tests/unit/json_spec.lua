-- JSON text to Lua values and back.
local neap = require "neap"
local json = neap.json

local function fault(f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok)
  assert.equal("validation", e.kind)
  return e.message
end

describe("json.decode", function()
  it("reads scalars", function()
    assert.equal(1, json.decode "1")
    assert.equal("tide", json.decode '"tide"')
    assert.equal(true, json.decode " true ")
    assert.equal(false, json.decode "false")
    assert.equal(neap.null, json.decode "null")
  end)

  it("reads nested lists and objects", function()
    assert.same({ a = { 1, { b = "x" } }, c = {} }, json.decode '{ "a" : [ 1 , { "b" : "x" } ] , "c" : {} }')
  end)

  it("keeps null inside containers", function()
    local v = json.decode '[null, {"a": null}]'
    assert.equal(neap.null, v[1])
    assert.equal(neap.null, v[2].a)
  end)

  it("keeps all 64 bits of an integer", function()
    for _, text in ipairs { "0", "-1", "9007199254740993", "9223372036854775807", "-9223372036854775808" } do
      assert.equal("integer", math.type(json.decode(text)))
      assert.equal(text, json.encode(json.decode(text)))
    end
  end)

  it("reads a number with a fraction or an exponent as a float where that is exact", function()
    for text, value in pairs {
      ["1.0"] = 1.0, ["0.1"] = 0.1, ["1e2"] = 100.0, ["-2.5E-3"] = -0.0025, ["5e-324"] = 5e-324,
      ["1.7976931348623157e308"] = 1.7976931348623157e308, ["0e99999"] = 0.0,
    } do
      assert.equal("float", math.type(json.decode(text)))
      assert.equal(value, json.decode(text))
    end
  end)

  it("reads a number that no float is as a decimal, with all its digits", function()
    for _, text in ipairs { "12345678901234567890.10", "0.1000000000000000055", "18446744073709551616" } do
      assert.equal(neap.decimal(text), json.decode(text))
      assert.equal(text, json.encode(json.decode(text)))
    end
  end)

  it("reads escapes and surrogate pairs", function()
    assert.equal('"\\/\b\f\n\r\té🌊\0', json.decode [["\"\\\/\b\f\n\r\t\u00e9\uD83C\uDF0A\u0000"]])
  end)

  it("reads large containers", function()
    local list, object = {}, {}
    for i = 1, 1000 do
      list[i] = tostring(i)
      object[i] = ('"k%d":%d'):format(i, i)
    end
    local values = json.decode("[" .. table.concat(list, ",") .. "]")
    assert.equal(1000, #values)
    assert.equal(777, values[777])
    local members = json.decode("{" .. table.concat(object, ",") .. "}")
    for i = 1, 1000 do assert.equal(i, members["k" .. i]) end
  end)

  it("says where a text is wrong", function()
    assert.equal("invalid JSON at line 2, column 8 (byte 9): expected ',' or '}', found '1'",
      fault(json.decode, '{\n"a": 1 1}'):match "invalid.*")
  end)

  it("refuses what is no JSON", function()
    for _, text in ipairs {
      "", " ", "[1,]", "[1", "{,}", '{"a"}', '{"a":}', "{1:2}", "tru", "nulls", "01", "1.", ".5", "1e", "+1", "-",
      "0x10", "NaN", "Infinity", "[1]]", "'a'", '"a', '"\\x"', '"\\u12"', "\xef\xbb\xbf1", "1e99999999999", "-1e99999999999",
      "\0", '"a\nb"',
    } do
      fault(json.decode, text)
    end
  end)

  it("refuses duplicate keys, however they are written", function()
    assert.match('duplicate key "a"', fault(json.decode, '{"a":1,"b":2,"a":3}'), 1, true)
    assert.match("line 2, column 1 ", fault(json.decode, '{"a":1,\n"\\u0061":2}'), 1, true)
    local long = ("k"):rep(50)
    assert.match("duplicate", fault(json.decode, ('{"%s":1,"%s":2}'):format(long, long)))
    local many = {}
    for i = 1, 100 do many[i] = ('"k%d":1'):format(i) end
    assert.match('duplicate key "k1"', fault(json.decode, "{" .. table.concat(many, ",") .. ',"k1":2}'))
  end)

  it("takes the same key in different objects", function()
    assert.same({ a = { a = { a = 1 } }, b = { a = 2 } }, json.decode '{"a":{"a":{"a":1}},"b":{"a":2}}')
  end)

  it("refuses text that is not UTF-8", function()
    for _, s in ipairs { "\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "abcdefgh\xe9" } do
      assert.match("UTF%-8", fault(json.decode, '"' .. s .. '"'))
    end
  end)

  it("refuses lone surrogates", function()
    for _, s in ipairs { "\\ud800", "\\udc00", "\\ud800\\ud800", "\\ud800x" } do
      assert.match("surrogate", fault(json.decode, '"' .. s .. '"'))
    end
  end)

  it("limits how deep containers nest", function()
    local function nested(n) return ("["):rep(n) .. ("]"):rep(n) end
    json.decode(nested(100))
    assert.match("too deeply", fault(json.decode, nested(101)))
    assert.match("too deeply", fault(json.decode, nested(4), { depth = 3 }))
    json.decode(nested(5000), { depth = 5000 })
    assert.match("too deeply", fault(json.decode, ("["):rep(1000000)))
  end)

  it("reads texts above the size that is read in one go", function()
    local row = '{"data":{},"id":123456789,"name":"a name of some length","tags":["a","b"]}'
    local text = "[" .. (row .. ","):rep(2000) .. row .. "]"
    assert.equal(2001, #json.decode(text))
    assert.is_true(text == json.encode(json.decode(text)))
    assert.match("expected ',' or ']', found '!'", fault(json.decode, text:sub(1, -2) .. "!"), 1, true)
  end)
end)

describe("json.encode", function()
  it("sorts keys by bytes", function()
    assert.equal('{"B":1,"a":2,"aa":3,"é":4}', json.encode { aa = 3, a = 2, ["é"] = 4, B = 1 })
    local many, keys = {}, {}
    for i = 1, 300 do keys[i], many["k" .. i] = ('"k%d":%d'):format(i, i), i end
    table.sort(keys, function(a, b) return a:match "%w+" < b:match "%w+" end)
    assert.equal("{" .. table.concat(keys, ",") .. "}", json.encode(many))
  end)

  it("tells integers from floats", function()
    local numbers = { 1, 1.0, -0.0, 1e22, 1e-4, 1e-5, 123456.789 }
    assert.equal("[1,1.0,-0.0,1e+22,0.0001,1e-05,123456.789]", json.encode(numbers))
  end)

  it("writes the shortest digits that read back", function()
    local seed = os.time()
    math.randomseed(seed)
    for _ = 1, 2000 do
      local d = string.unpack("d", string.pack("i8", math.random(0)))
      if d == d and math.abs(d) < math.huge then
        assert.equal(d, json.decode(json.encode(d)), "seed " .. seed)
      end
    end
    assert.equal("0.30000000000000004", json.encode(0.1 + 0.2))
    assert.equal("5.684341886080802e-14", json.encode(2.0 ^ -44))
    assert.equal("5e-324", json.encode(5e-324))
  end)

  it("escapes what must be escaped, and nothing else", function()
    assert.equal([["\"\\/\b\f\n\r\t\u0000\u001f]] .. '\127é🌊"', json.encode '"\\/\b\f\n\r\t\0\31\127é🌊')
  end)

  it("writes {} as an object and a marked list as a list", function()
    assert.equal("{}", json.encode {})
    assert.equal("[]", json.encode(neap.array {}))
    assert.equal("[]", json.encode(neap.set {}))
    assert.equal('{"a":[1,2]}', json.encode(neap.object { a = { 1, 2 } }))
  end)

  it("writes back what was decoded", function()
    for _, text in ipairs { "[]", "{}", "[[],{}]", '{"a":[],"b":{},"c":null}', '[1,2.5,"x",true,null]' } do
      assert.equal(text, json.encode(json.decode(text)))
    end
    local emptied = json.decode "[1]"
    emptied[1] = nil
    assert.equal("[]", json.encode(emptied))
  end)

  it("takes a list whose keys were set in any order", function()
    local list = {}
    for i = 9, 1, -1 do list[i] = i end
    assert.equal("[1,2,3,4,5,6,7,8,9]", json.encode(list))
  end)

  it("indents", function()
    local text = json.encode({ b = {}, a = { 1, 2 } }, { indent = 2 })
    assert.equal('{\n  "a": [\n    1,\n    2\n  ],\n  "b": {}\n}', text)
  end)

  it("writes decimals with their digits and times as ISO 8601", function()
    local at = neap.datetime "2015-07-20T09:05:57.463255+00:00"
    assert.equal('[1.10,"2015-07-20T09:05:57.463255+00:00"]', json.encode { neap.decimal "1.10", at })
  end)

  it("writes bytes as base64, points and sets plainly", function()
    assert.equal('"aGk="', json.encode(neap.bytes "hi"))
    assert.equal('{"latitude":1.0,"longitude":2.5}', json.encode(neap.geopoint(1, 2.5)))
    assert.equal("[1,2]", json.encode(neap.set { 1, 2, 1 }))
  end)

  it("names what it cannot write, and where it is", function()
    local deep = { data = { items = { 1, 2, { f = print } } } }
    assert.match("a function (at data.items[3].f)", fault(json.encode, deep), 1, true)
    assert.match("NaN is no number of JSON (at [2])", fault(json.encode, { 1, 0 / 0 }), 1, true)
    assert.match('infinity is no number of JSON (at ["a b"])', fault(json.encode, { ["a b"] = math.huge }), 1, true)
    assert.match("not valid UTF-8", fault(json.encode, "\xff"), 1, true)
    assert.match("cannot write JSON: a coroutine$", fault(json.encode, coroutine.create(print)))
    assert.match("nil", fault(json.encode, nil), 1, true)
  end)

  it("refuses keys that are no strings", function()
    assert.match("key 3 is an integer", fault(json.encode, { [3] = true }), 1, true)
    assert.match("key 1 is an integer", fault(json.encode, neap.object { "a" }), 1, true)
    assert.match("a key is a boolean", fault(json.encode, { x = { [true] = 1 } }), 1, true)
    fault(json.encode, { 1, 2, x = 3 })
    fault(json.encode, { 1, nil, 3 })
  end)

  it("refuses a table that contains itself, not one that comes twice", function()
    local t = {}
    t.x = { 1, { y = t } }
    assert.match("contains itself (at x[2].y)", fault(json.encode, t), 1, true)
    local twice = { 1 }
    assert.equal('{"a":[1],"b":[1]}', json.encode { a = twice, b = twice })
  end)

  it("limits how deep tables nest", function()
    local t = {}
    for _ = 1, 150 do t = { t } end
    assert.match("too deeply", fault(json.encode, t), 1, true)
    assert.equal(151 * 2, #json.encode(t, { depth = 151 }))
  end)
end)
