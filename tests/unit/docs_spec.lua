-- Every ```lua block of the README and the manual runs, in a folder of its own for each document. A comment before a block
-- says otherwise: <!-- not run: reason --> skips it, <!-- continues --> runs it behind the blocks before it,
-- <!-- after FILE --> runs it behind that file.
local function capture(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  return text, (pipe:close())
end

local here = capture("pwd"):gsub("\n", "")
local bin = os.getenv "BIN" or "bin"
local neap = (bin:sub(1, 1) == "/" and bin or here .. "/" .. bin) .. "/neap"

-- The lua blocks of a document: { line =, text =, skip =, continues = }.
local function blocks_of(path)
  local blocks, block, mark, number = {}, nil, nil, 0
  for line in io.lines(path) do
    number = number + 1
    if block and line:match "^```%s*$" then
      block = nil
    elseif block then
      block.text = block.text .. line .. "\n"
    elseif line:match "^```lua%s*$" then
      block = { line = number + 1, text = "", skip = mark and mark:match "^not run", continues = mark == "continues",
        after = mark and mark:match "^after (.+)" }
      blocks[#blocks + 1] = block
      mark = nil
    elseif line:match "%S" then
      mark = line:match "^<!%-%-%s*(.-)%s*%-%->%s*$"
    end
  end
  return blocks
end

-- Runs Lua text in a folder and gives what it printed, and whether it ended well.
local function run(folder, text)
  local file = assert(io.open(folder .. "/example.lua", "w"))
  file:write(text)
  file:close()
  return capture(("cd '%s' && SOURCES='%s' '%s' example.lua 2>&1 < /dev/null"):format(folder, here, neap))
end

describe("an example of the manual runs:", function()
  for path in capture("ls README.md docs/*.md docs/*/*.md 2>/dev/null"):gmatch "[^\n]+" do
    local before, folder = "", nil
    for _, block in ipairs(blocks_of(path)) do
      local text = block.continues and before .. block.text or block.text
      if block.after then text = assert(io.open(block.after)):read "a" .. text end
      before = block.skip and before or text
      if not block.skip then
        it(path .. ":" .. block.line, function()
          folder = folder or capture("mktemp -d"):gsub("\n", "")
          local output, ok = run(folder, text)
          assert.is_truthy(ok, output)
        end)
      end
    end
  end

  it("in a folder that is empty before", function()
    local output = run(capture("mktemp -d"):gsub("\n", ""), "print(1 + 1)")
    assert.equal("2\n", output)
  end)
end)
