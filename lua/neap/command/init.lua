-- neap.command: the words of the command. neap/command/WORD.lua declares `neap WORD`; what is typed is read by that
-- declaration, and --help and the completions of shells are printed from it:
--
--   return {
--     about = "run the migrations in a folder",          -- the line in neap --help
--     operands = "URL dir",                              -- [FILE] may be left out; [args...] takes all that follows
--     options = { { "--to N", "only up to number N" }, { "--plan", "send nothing" } },
--     exits = { [1] = "a migration failed" },            -- 0, 2 and --help are understood
--     run = function(options, url, dir) … end,           -- options.to, options.plan; --dry-run is dry_run
--   }
--
-- What a value is called says how it is read, see `readers`, and what shells complete: FILE, DIR, script.lua; a|b is a
-- choice. An option's text may have more than one line.
local host = require "neap.host"
local retry = require "neap.retry"

local command = {}

local FAILED, WRONG, LOCKED = 1, 2, 75

local neap = {
  options = {
    { "-e CODE", "run the code; its arguments follow" },
    { "--lua-dir DIR", "Lua modules in DIR win over the embedded ones" },
    { "--dump-lua DIR", "write the embedded Lua modules to DIR" },
    { "--busted", "run specs with busted, inside neap; what follows is for busted" },
    { "--version", "print the version" },
  },
  exits = { [1] = "the script failed", [75] = "locked by another run" },
}

local function count_of(text)
  local n = text:find "^%d+$" and math.tointeger(tonumber(text))
  return n and n > 0 and n
end

-- By what a value is called: what gives it from its text, or nil, and what is wanted.
local readers = {
  N = { count_of, "a whole number above 0" },
  TIME = { retry.seconds, "a duration like 90s, 5m or 1h30m" },
}

local function declared(word) return word == "" and neap or require("neap.command." .. word) end

-- { flag = "--lua-dir", key = "lua_dir", value = "DIR", about = … }, in declared order, --help last.
local function options_of(word)
  local list = {}
  for _, entry in ipairs(declared(word).options or {}) do
    local flag, value = entry[1]:match "^(%S+) ?(.*)$"
    list[#list + 1] = { flag = flag, value = value ~= "" and value or nil, about = entry[2] }
  end
  list[#list + 1] = { flag = "--help", about = word == "" and "print this text, or with a WORD that of the word"
    or "print this text" }
  for _, option in ipairs(list) do option.key = option.flag:gsub("^%-+", ""):gsub("%-", "_") end
  return list
end

--- The words of the command with what is declared of them, sorted; before them "", the command itself.
---@return { word: string, about: string, operands: string, options: table[] }[]
function command.words()
  local names = { "" }
  for file in pairs(host.sources()) do names[#names + 1] = file:match "^neap/command/(%l+)%.lua$" end
  table.sort(names)
  local list = {}
  for _, word in ipairs(names) do
    if word ~= "init" then
      local found = declared(word)
      list[#list + 1] = { word = word, about = found.about, operands = found.operands or "",
        options = options_of(word) }
    end
  end
  return list
end

-- Two columns; a line break within the second stays within it.
local function columns(rows, indent)
  local width, lines = 0, {}
  for _, row in ipairs(rows) do width = math.max(width, #row[1]) end
  for i, row in ipairs(rows) do
    local about = row[2]:gsub("\n", "\n" .. (" "):rep(#indent + width + 2))
    lines[i] = ("%s%-" .. width .. "s  %s\n"):format(indent, row[1], about)
  end
  return table.concat(lines)
end

local function exits_of(word)
  local codes, list = { [0] = "done", [WRONG] = "wrong use" }, {}
  for code, about in pairs(declared(word).exits or { [FAILED] = "failed" }) do codes[code] = about end
  for code in pairs(codes) do list[#list + 1] = code end
  table.sort(list)
  for i, code in ipairs(list) do list[i] = ("%d %s"):format(code, codes[code]) end
  return table.concat(list, ", ")
end

local function usage_of(word, found)
  return (("neap %s [options] %s"):format(word, found.operands or ""):gsub("%s+$", ""))
end

local function usages(word)
  if word ~= "" then return { { usage_of(word, declared(word)), declared(word).about } } end
  local rows = {
    { "neap [options] script.lua [args]", "run a script (- reads standard input)" },
    { "neap [options]", "type Lua: history, completion, results are printed" },
  }
  for _, found in ipairs(command.words()) do
    if found.word ~= "" then rows[#rows + 1] = { usage_of(found.word, found), found.about } end
  end
  return rows
end

--- What --help prints.
---@param word? string none: of the command itself
---@return string
function command.help(word)
  word = word or ""
  local rows = {}
  for i, option in ipairs(options_of(word)) do
    rows[i] = { option.flag .. (option.value and " " .. option.value or ""), option.about }
  end
  return "usage: " .. columns(usages(word), "       "):sub(8) .. "options:\n" .. columns(rows, "  ")
    .. ("exit codes: %s, 128+n ended by signal n\n"):format(exits_of(word))
end

--- Ends the command: it was used wrongly.
---@param word string
---@param format string
function command.wrong(word, format, ...)
  io.stderr:write("neap ", word, ": ", format:format(...), "; see neap ", word, " --help\n")
  os.exit(WRONG)
end

local function read_value(word, option, text)
  if not option.value then return true end
  if not text then command.wrong(word, "a value is missing after %s", option.flag) end
  local value, wanted = text, ""
  if option.value:find("|", 1, true) then
    value = ("|" .. option.value .. "|"):find("|" .. text .. "|", 1, true) and text
    wanted = option.value:gsub("|", " or ")
  elseif readers[option.value] then
    value, wanted = readers[option.value][1](text), readers[option.value][2]
  end
  if not value then command.wrong(word, "%s takes %s, not %s", option.flag, wanted, text) end
  return value
end

-- Reads the option in arguments[i]; gives the index of what follows.
local function read_option(word, known, arguments, i, options)
  local flag, value = arguments[i]:match "^(%-%-[^=]+)=(.*)$"
  local option = known[flag or arguments[i]]
  if not option then command.wrong(word, "%s is no option", flag or arguments[i]) end
  if flag and not option.value then command.wrong(word, "%s takes no value", flag) end
  if option.value and not flag then
    i = i + 1
    value = arguments[i]
  end
  options[option.key] = read_value(word, option, value)
  return i + 1
end

local function check_operands(word, operands, names)
  local least, most = 0, 0
  for name in names:gmatch "%S+" do
    most = name:find("...", 1, true) and math.huge or most + 1
    if not name:find "^%[" then least = least + 1 end
  end
  if #operands < least then command.wrong(word, "it takes %s", names) end
  if #operands > most then command.wrong(word, "%s is one too many", operands[most + 1]) end
end

local function read(word, arguments)
  local names, known = declared(word).operands or "", {}
  local options, operands, i, ended = {}, {}, 1, false
  for _, option in ipairs(options_of(word)) do known[option.flag] = option end
  known["-h"] = known["--help"]
  while arguments[i] do
    if not ended and arguments[i] == "--" then
      ended, i = true, i + 1
    elseif not ended and arguments[i]:find "^%-." then
      i = read_option(word, known, arguments, i, options)
    else
      operands[#operands + 1] = arguments[i]
      ended, i = ended or names:find("...", 1, true), i + 1
    end
  end
  if not options.help then check_operands(word, operands, names) end
  return options, operands
end

--- What this program was started with before its word or script, for starting it again.
---@return string[]
function command.before()
  local words, first = {}, -1
  while arg[first - 1] do first = first - 1 end
  return table.move(arg, first + 1, -1, 1, words)
end

--- Runs the word arguments[0] with what was typed behind it. An error is one line and exit code 1, or 75 where its code
--- is "locked".
---@param arguments string[]
function command.run(arguments)
  local word = arguments[0]
  local options, operands = read(word, arguments)
  if options.help then return io.write(command.help(word)) end
  local _, e = host.try(function() declared(word).run(options, table.unpack(operands)) end)
  if not e then return end
  if host.is(e, "cancelled") then error(e, 0) end
  io.stdout:flush()
  io.stderr:write("neap ", word, ": ", tostring(e), "\n")
  os.exit(e.code == "locked" and LOCKED or FAILED)
end

return command
