-- Files of variables, as neap run --env-file reads them.
local env_file = require "neap.env_file"

local function read(text)
  local list, problem = env_file.read(text)
  if not list then return problem end
  local parts = {}
  for _, variable in ipairs(list) do parts[#parts + 1] = variable.name .. "=" .. variable.value end
  return table.concat(parts, "|")
end

describe("a file of variables", function()
  it("has a name and a value a line", function()
    assert.equal("A=1|B_2=x y|C=", read "A=1\nB_2 = x y  \n\nC=")
  end)

  it("has comments, and exports as a shell", function()
    assert.equal("A=1|B=x#y|C=z", read "# a\nA=1 # b\n  # c\nexport B=x#y\n\texport\tC=z\t#\n#")
  end)

  it("ends its lines as it likes", function()
    assert.equal("A=1|B=2|C=3", read "A=1\r\nB=\"2\"\r\nC='3'\r\n")
  end)

  it("has quotes, in which lines may end", function()
    assert.equal("A= # 'x' |B=a\n$HOME\\n|C=1\n2\t\"\\$x\\q", read [[
A=" # 'x' "
B='a
$HOME\n' # c
C="1\n2\t\"\\\$x\q"]])
  end)

  it("keeps the last of two", function()
    assert.equal("A=1|A=2", read "A=1\nA=2")
  end)

  it("is refused with the line that is wrong, and without what stands there", function()
    for text, problem in pairs {
      ["A=1\nsecret"] = "line 2: it is no NAME=value",
      ["A='1\n2'\n1B=secret"] = "line 3: it is no NAME=value",
      ["A-B=secret"] = "line 1: it is no NAME=value",
      ["A='secret"] = "line 1: a quote is not closed",
      ['A="secret\\"'] = "line 1: a quote is not closed",
      ["A='secret'more"] = "line 1: there is more behind the closing quote",
      ["A=1\0"] = "it holds a NUL",
    } do
      assert.equal(problem, read(text))
    end
  end)

  it("may be empty", function()
    assert.equal("", read "")
    assert.equal("", read "\n \n# a")
  end)
end)
