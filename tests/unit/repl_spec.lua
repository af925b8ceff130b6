local repl = require "neap.repl"

describe("repl.show", function()
  it("writes values so that they can be read", function()
    assert.equal('"a\\nb"', repl.show "a\nb")
    assert.equal("nil", repl.show(nil))
    assert.equal("{}", repl.show {})
    assert.equal('{ 1, 2, a = "x", ["b c"] = true, [1.5] = 0 }',
      repl.show { 1, 2, a = "x", ["b c"] = true, [1.5] = 0 }:gsub("(%[1.5%] = 0), (a = \"x\"), (.*) }", "%2, %3, %1 }"))
  end)

  it("breaks long tables into lines and cuts what is too much", function()
    local list = {}
    for i = 1, 100 do list[i] = i * 1000 end
    local text = repl.show(list)
    assert.matches("^{\n  1000,\n", text)
    assert.matches("…\n}$", text)
    assert.equal("{ { { {…} } } }", repl.show { { { { 1 } } } })
  end)

  it("uses __tostring", function()
    assert.equal("mine", repl.show(setmetatable({}, { __tostring = function() return "mine" end })))
  end)
end)

describe("repl.compile", function()
  it("takes expressions, statements and a leading =", function()
    assert.equal(2, repl.compile "1 + 1" ())
    assert.equal(2, repl.compile "= 1 + 1" ())
    assert.is_function(repl.compile "local x = 1")
  end)

  it("asks for more where a chunk is not finished", function()
    assert.same({ nil, "more" }, { repl.compile "for i = 1, 2 do" })
    assert.matches("near '%)'", select(2, repl.compile "x = )"))
  end)
end)
