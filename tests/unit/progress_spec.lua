-- How far a long job is: drawn on a terminal only. `script` gives a terminal to a command.
local neap = require "neap"
local bin = (os.getenv "BIN" or "bin") .. "/neap"

local function capture(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read "a"
end

local code = [[
local neap = require [=[neap]=]
do
  local bar <close> = neap.progress(4, [=[import]=])
  for _ = 1, 4 do bar:step() end
end
]]

describe("neap.progress", function()
  it("prints nothing where there is no terminal", function()
    assert.equal("", capture(bin .. " -e '" .. code .. "' 2>&1"))
  end)

  it("draws a bar on a terminal and ends its line", function()
    local text = capture("script -qec \"" .. bin .. " -e '" .. code .. "'\" /dev/null")
    assert.truthy(text:find("\rimport ", 1, true), text)
    assert.truthy(text:find(" 4/4 100%%\r?\n$"), text)
  end)

  it("counts what is done", function()
    local bar = neap.progress(10, "import")
    bar:step()
    bar:step(5)
    assert.equal(6, bar.done)
    bar:close()
  end)

  it("runs over a query", function()
    local t = neap.types
    local store <close> = setmetatable({ open = neap.open "sqlite::memory:" }, { __close = function(s) s.open:close() end })
    local Post = store.open:model("Post", { id = t.integer { primary = true, auto = true }, title = t.string() })
    store.open:bind()
    store.open:save { Post { title = "a" }, Post { title = "b" } }
    local titles = {}
    for post in neap.progress(Post:order "id", "posts") do titles[#titles + 1] = post.title end
    assert.same({ "a", "b" }, titles)
  end)
end)
