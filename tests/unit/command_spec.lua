-- The words of the command: what is declared of them is what the command reads, what --help and the manual page say and what
-- shells complete.
local command = require "neap.command"

local neap = (os.getenv "BIN" or "bin") .. "/neap"

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  return text
end

local function run(arguments)
  local pipe = io.popen(("%s %s 2>&1"):format(neap, arguments))
  local text = pipe:read "a"
  return text, select(3, pipe:close())
end

-- Options as the manual page has them in a section, "--to N", in its order.
local function manual_of(section)
  local page = read("docs/man/neap.1"):gsub("\\%-", "-"):gsub("\\fR", "")
  local text = assert((page .. "\n.SH"):match("\n%.SH " .. section .. "\n(.-)\n%.SH"), "no section " .. section)
  local found = {}
  for line in text:gmatch "%.TP\n%.%u+ (%-[^\n]+)" do found[#found + 1] = line:gsub('"', ""):gsub("%s+", " "):upper() end
  return found
end

describe("neap --help", function()
  it("names each word, which tells of itself", function()
    local text = run "--help"
    for _, found in ipairs(command.words()) do
      if found.word ~= "" then
        assert.is_truthy(text:find("\n       neap " .. found.word .. " [options]", 1, true), found.word)
        assert.equal(command.help(found.word), (run(found.word .. " --help")))
      end
    end
  end)

  it("names options that the command reads", function()
    local dir = os.tmpname()
    os.remove(dir)
    for _, option in ipairs(command.words()[1].options) do
      local text = run(option.flag .. " " .. dir .. " < /dev/null")
      assert.is_nil(text:find("unknown option", 1, true), option.flag)
      assert.is_truthy(run("--help"):find("\n  " .. option.flag .. " ", 1, true), option.flag)
    end
    os.execute("rm -rf " .. dir)
  end)
end)

describe("the manual page", function()
  it("names each word in its synopsis", function()
    local synopsis = read "docs/man/neap.1":match "\n%.SH SYNOPSIS\n(.-)\n%.SH"
    for i, found in ipairs(command.words()) do
      assert.is_truthy(i == 1 or synopsis:find("\n.B neap " .. found.word .. "\n", 1, true), found.word)
    end
  end)

  for _, found in ipairs(command.words()) do
    it("lists the options of neap " .. found.word, function()
      local declared = {}
      for _, option in ipairs(found.options) do
        local known = option.flag == "--help" and found.word ~= ""  -- is told once
        if not known then declared[#declared + 1] = (option.flag .. " " .. (option.value or "")):upper():gsub(" $", "") end
      end
      assert.same(declared, manual_of(found.word == "" and "OPTIONS" or found.word:upper()))
    end)
  end
end)

describe("a word", function()
  local dir, module

  -- Runs `neap try ARGUMENTS` with a word of that name, which prints what it was given.
  local function try(arguments) return run(("--lua-dir %s try %s"):format(dir, arguments)) end

  setup(function()
    dir = os.tmpname()
    os.remove(dir)
    os.execute(("mkdir -p %s/neap/command"):format(dir))
    module = assert(io.open(dir .. "/neap/command/try.lua", "w"))
    module:write [[
      return {
        about = "print what it is given", operands = "script.lua [args...]",
        options = { { "--count N", "a count" }, { "--timeout TIME", "a time" }, { "--log text|json", "a choice" },
          { "--env-file FILE", "a file" }, { "--dry-run", "a flag" } },
        exits = { [1] = "it failed" },
        run = function(options, ...)
          local list = {}
          for name, value in pairs(options) do list[#list + 1] = name .. "=" .. tostring(value) end
          table.sort(list)
          print(table.concat(list, " ") .. ":" .. table.concat({ ... }, ","))
          if options.dry_run then error("it is dry", 0) end
        end,
      }]]
    module:close()
  end)

  teardown(function() os.execute("rm -rf " .. dir) end)

  it("reads its options up to the first operand that takes all that follows", function()
    assert.equal("count=3 log=json:a.lua,--count,x\n", (try "--count 3 --log=json a.lua --count x"))
  end)

  it("reads durations as seconds", function()
    for text, seconds in pairs { ["90s"] = 90, ["5m"] = 300, ["1h30m"] = 5400, ["1.5s"] = 1.5, ["2d"] = 172800, ["7"] = 7 } do
      local got = try("--timeout " .. text .. " a"):match "timeout=(%S+):a"
      assert.equal(seconds, tonumber(got), text)
    end
  end)

  it("takes what follows -- as it is", function() assert.equal(":--count\n", (try "-- --count")) end)

  it("refuses what it does not know", function()
    for arguments, message in pairs {
      [""] = "it takes script.lua [args...]",
      ["--nonsense a"] = "--nonsense is no option",
      ["--dry-run=1 a"] = "--dry-run takes no value",
      ["--count"] = "a value is missing after --count",
      ["--count 0 a"] = "--count takes a whole number above 0, not 0",
      ["--count 1e3 a"] = "--count takes a whole number above 0, not 1e3",
      ["--timeout 5x a"] = "--timeout takes a duration like 90s, 5m or 1h30m, not 5x",
      ["--log yaml a"] = "--log takes text or json, not yaml",
    } do
      local text, code = try(arguments)
      assert.equal("neap try: " .. message .. "; see neap try --help\n", text)
      assert.equal(2, code, arguments)
    end
  end)

  it("prints its error as one line and ends with 1", function()
    local text, code = try "--dry-run a"
    assert.equal("dry_run=true:a\nneap try: it is dry\n", text)
    assert.equal(1, code)
  end)
end)
