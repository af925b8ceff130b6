-- manual.lua: prints the manual page of the C API from the comments in neap.h.
-- Usage: neap scripts/package/manual.lua host/neap.h
local path = assert(arg[1], "usage: neap scripts/package/manual.lua host/neap.h")

local function escape(text)
  text = text:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("`([^`]*)`", "\\fB%1\\fR")
  return (text:gsub("^[.']", "\\&%0"):gsub("\n([.'])", "\n\\&%1"))
end

-- Entries { heads, text }: what stands in a section, each with the comments before and behind it. One with no comment
-- and no empty line before it belongs to the one before.
local sections = { constants = {}, options = {}, functions = {} }
local about, comments, apart = {}, {}, false
local section, version, statement = nil, nil, ""

local function add(list, head, comment)
  comments[#comments + 1] = comment
  local text = table.concat(comments, "\n")
  if text == "" and #list > 0 and not apart then
    table.insert(list[#list].heads, head)
  else
    list[#list + 1] = { heads = { head }, text = text }
  end
  comments, apart = {}, false
end

local function begin(name)
  section = name
  sections[name].about, comments = table.concat(comments, "\n"), {}
end

local function read_comment(line)
  local text = line:match "^%s*// ?(.*)$"
  if text then comments[#comments + 1] = text end
  return text
end

local function read_code(line)
  local code, comment = line:match "^%s*(.-)%s*// (.*)$"
  code = code or line:match "^%s*(.-)%s*$"
  if code:find "^typedef struct neap_options" then
    begin "options"
  elseif code == "enum {" then
    begin "constants"
  elseif code:find "^}" then
    section = nil
  elseif section then
    add(sections[section], (code:gsub(",$", "")), comment)
  elseif code:find "^enum { " then
    add(sections.constants, code:match "^enum { (.*) };$", comment)
  elseif code:find "^NEAP_API" or statement ~= "" then
    statement = statement == "" and code:gsub("^NEAP_API ", "") or statement .. " " .. code
    if statement:find ";$" then
      add(sections.functions, statement, comment)
      statement = ""
    end
  end
end

for line in io.lines(path) do
  version = version or line:match '^#define NEAP_VERSION "(.*)"'
  if line == "" or line:find "^#" then
    if #about == 0 then about = comments end
    comments, apart = {}, true
  elseif not read_comment(line) then
    read_code(line)
  end
end

local function show(title, list)
  print(".SH " .. title)
  if list.about and list.about ~= "" then print(escape(list.about)) end
  for _, entry in ipairs(list) do
    for i, head in ipairs(entry.heads) do print((i == 1 and ".TP\n.B " or ".TQ\n.B ") .. escape(head)) end
    if entry.text ~= "" then print(escape(entry.text)) end
  end
end

local name, what = about[1]:match "^(.-)%.h: (.-)%.?$"
print(('.TH NEAP 3 "" "neap %s" "C API"\n.SH NAME\n%s \\- %s'):format(version, name, escape(what)))
print ".SH SYNOPSIS\n.B #include <neap.h>\n.PP"
print ".B cc program.c $(pkg\\-config \\-\\-cflags \\-\\-libs neap)\n.SH DESCRIPTION"
print((escape(table.concat(about, "\n", about[2] == "" and 3 or 2)):gsub("\n\n", "\n.PP\n")))
show("FUNCTIONS", sections.functions)
show("OPTIONS", sections.options)
show("CONSTANTS", sections.constants)
print ".SH SEE ALSO\n.BR neap (1),\n.BR pkg\\-config (1)"
