-- neap.grid: rows as a table whose columns stand below each other, written as they come: only the first ones are held,
-- to see how wide the columns are. On a terminal what does not fit is cut; nothing in a value reaches it that it would
-- obey.
local json = require "neap.json"
local marks = require "neap.marks"

local grid = {}

local SAMPLE = 200   -- rows that are looked at before the first is written
local NARROWEST = 8  -- columns of text are not made narrower than this, but left out
local GAP = "  "

-- ---- How wide a text is ----

-- Characters of East Asian scripts and pictures take two columns, those that combine with others none.
local wide = {
  { 0x1100, 0x115F }, { 0x2E80, 0x303E }, { 0x3041, 0xA4CF }, { 0xA960, 0xA97C }, { 0xAC00, 0xD7A3 },
  { 0xF900, 0xFAFF }, { 0xFE10, 0xFE19 }, { 0xFE30, 0xFE6F }, { 0xFF00, 0xFF60 }, { 0xFFE0, 0xFFE6 },
  { 0x1F300, 0x1F64F }, { 0x1F680, 0x1F6FF }, { 0x1F7E0, 0x1F7EB }, { 0x1F900, 0x1F9FF }, { 0x1FA70, 0x1FAFF },
  { 0x20000, 0x3FFFD },
}
local narrow = {
  { 0x300, 0x36F }, { 0x483, 0x489 }, { 0x591, 0x5BD }, { 0x610, 0x61A }, { 0x64B, 0x65F }, { 0x93C, 0x93C },
  { 0x941, 0x948 }, { 0x94D, 0x94D }, { 0xE31, 0xE31 }, { 0xE34, 0xE3A }, { 0xE47, 0xE4E }, { 0x1AB0, 0x1AFF },
  { 0x1DC0, 0x1DFF }, { 0x20D0, 0x20FF }, { 0x3099, 0x309A }, { 0xFE00, 0xFE0F }, { 0xFE20, 0xFE2F },
  { 0x1F3FB, 0x1F3FF }, { 0xE0100, 0xE01EF },
}

local function lies_in(ranges, code)
  local low, high = 1, #ranges
  while low <= high do
    local middle = (low + high) // 2
    if code < ranges[middle][1] then
      high = middle - 1
    elseif code > ranges[middle][2] then
      low = middle + 1
    else
      return true
    end
  end
  return false
end

local function width_of(code)
  if code < 0x300 then return 1 end
  return lies_in(narrow, code) and 0 or lies_in(wide, code) and 2 or 1
end

--- How many columns of a terminal the text takes.
---@param text string  UTF-8
---@return integer
function grid.width(text)
  if not text:find "[\x80-\xff]" then return #text end
  local width = 0
  for _, code in utf8.codes(text) do width = width + width_of(code) end
  return width
end

-- The text in so many columns at most, with a mark where something is missing.
local function cut(text, columns, mark)
  if #text <= columns or grid.width(text) <= columns then return text end
  local width, last = 0, 1
  for at, code in utf8.codes(text) do
    width = width + width_of(code)
    if width > columns - 1 then break end
    last = utf8.offset(text, 2, at)
  end
  return text:sub(1, last - 1) .. mark
end

-- ---- Values ----

local letters = { ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(character)
  return letters[character] or ("\\x%02x"):format(character:byte())
end

local function escape_code(character)
  return ("\\u{%x}"):format(utf8.codepoint(character))
end

-- What a terminal would obey, and bytes that are no text, as escapes: controls, and marks that turn the direction.
local function plain(text)
  if text:find "[%c\x7f]" then text = text:gsub("[%c\x7f]", escape) end
  if not text:find "[\x80-\xff]" then return text end
  if not utf8.len(text) then return (text:gsub("[\x80-\xff]", escape)) end
  return (text:gsub("\xc2[\x80-\x9f]", escape_code):gsub("\xe2\x80[\x8b-\x8f\xa8-\xae]", escape_code)
    :gsub("\xe2\x81[\xa6-\xa9]", escape_code))
end

-- A text that would read as nothing, or as an absent value, stands in quotes.
local function text_of(value, columns)
  if type(value) == "string" then
    if columns and #value > 8 * columns then value = value:sub(1, (utf8.offset(value, 0, 8 * columns) or 0) - 1) end
    local text = plain(value)
    return (text == "" or text == "NULL" or text:find "^ " or text:find " $") and '"' .. text .. '"' or text
  end
  local encoded = type(value) == "table" and json.encode(value) or tostring(value)
  return plain(encoded)
end

local function is_number(value)
  return type(value) == "number" or type(value) == "userdata" and value ~= marks.null
    and tostring(value):find "^-?[%d.]+$" ~= nil
end

-- ---- Layout ----

local Layout = {}
Layout.__index = Layout

-- The widest that columns of text may be, so that all columns fit; nil where they do not.
local function widest(widths, numbers, columns)
  local function total(limit)
    local sum = #GAP * (#widths - 1)
    for i, width in ipairs(widths) do sum = sum + (numbers[i] and width or math.min(width, limit)) end
    return sum
  end
  local low, high = NARROWEST, columns
  if total(low) > columns then return nil end
  while low < high do
    local middle = (low + high + 1) // 2
    if total(middle) <= columns then low = middle else high = middle - 1 end
  end
  return low
end

-- Leaves out columns on the right until the others fit.
function Layout:fit(columns)
  local limit = widest(self.widths, self.numbers, columns)
  while not limit and #self.widths > 1 do
    table.remove(self.widths)
    limit = widest(self.widths, self.numbers, columns)
  end
  for i, width in ipairs(self.widths) do
    self.widths[i] = math.min(width, self.numbers[i] and columns or limit or columns)
  end
end

function Layout:measure(rows)
  for i, name in ipairs(self.names) do
    local width, number = grid.width(name), nil
    for _, row in ipairs(rows) do
      local value = row[i]
      width = math.max(width, grid.width(value == nil and "NULL" or text_of(value, self.columns)))
      if value ~= nil and number ~= false then number = is_number(value) end
    end
    self.widths[i], self.numbers[i] = width, number or false
  end
  if self.columns then self:fit(self.columns) end
end

-- One line of texts; `styles` names those that are set apart.
function Layout:line(texts, styles)
  local parts = {}
  for i, width in ipairs(self.widths) do
    local text = self.columns and cut(texts[i], width, self.style.more) or texts[i]
    local blanks = (" "):rep(width - grid.width(text))
    local style = styles and styles[i]
    if style and self.style.color then text = style .. text .. "\27[0m" end
    local last = i == #self.widths
    parts[i] = self.numbers[i] and blanks .. text or text .. (last and "" or blanks)
  end
  self.write(table.concat(parts, GAP), "\n")
end

local BOLD, FAINT = "\27[1m", "\27[2m"

function Layout:head()
  local dashes, bold = {}, {}
  for i, width in ipairs(self.widths) do dashes[i], bold[i] = self.style.dash:rep(width), BOLD end
  self:line(self.names, bold)
  self:line(dashes)
end

function Layout:row(row)
  local texts, styles = {}, {}
  for i = 1, #self.widths do
    local value = row[i]
    if value == nil then
      texts[i], styles[i] = "NULL", FAINT
    else
      texts[i] = text_of(value, self.columns)
    end
  end
  self:line(texts, styles)
end

function Layout:foot(count)
  local hidden = table.concat(self.names, ", ", #self.widths + 1)
  local more = hidden ~= "" and ("; not shown: %s"):format(hidden) or ""
  self.write(("(%d row%s%s)\n"):format(count, count == 1 and "" or "s", more))
end

--- How the standard output is written to: `columns` of the terminal, nil where it is none; its colours and marks.
---@return table style
function grid.style()
  local columns = require "neap.terminal".columns(1)
  local function env(name) return os.getenv(name) or "" end
  local locale = (env "LC_ALL" .. " " .. env "LC_CTYPE" .. " " .. env "LANG"):match "%S+" or ""
  local dumb = env "TERM" == "dumb" or env "TERM" == ""
  local unicode = locale:lower():find "utf%-?8" and not dumb
  return {
    columns = columns, color = columns ~= nil and env "NO_COLOR" == "" and not dumb,
    more = unicode and "…" or "~", dash = unicode and "─" or "-",
  }
end

--- Writes rows as a table, the first ones when they have been looked at, each other as it comes, and how many there
--- were.
---@param names string[]  the head
---@param next_row fun(): table?  gives the next row: values by their columns' places; nil at the end
---@param style? table  as grid.style gives it
---@param write? fun(...)  io.write unless given
---@return integer count
function grid.write(names, next_row, style, write)
  style = style or grid.style()
  local self = setmetatable({ names = {}, widths = {}, numbers = {}, columns = style.columns, style = style,
    write = write or io.write }, Layout)
  for i, name in ipairs(names) do self.names[i] = plain(name) end
  local rows = {}
  while #rows < SAMPLE do
    local row = next_row()
    if not row then break end
    rows[#rows + 1] = row
  end
  self:measure(rows)
  self:head()
  for i, row in ipairs(rows) do self:row(row) rows[i] = false end
  local count = #rows
  for row in count == SAMPLE and next_row or function() end do
    self:row(row)
    count = count + 1
  end
  self:foot(count)
  return count
end

--- Writes one row, a line for each of its values.
---@param names string[]
---@param row table
---@param style? table
---@param write? fun(...)
function grid.record(names, row, style, write)
  style, write = style or grid.style(), write or io.write
  local width = 0
  for _, name in ipairs(names) do width = math.max(width, grid.width(plain(name))) end
  local room = style.columns and math.max(style.columns - width - #GAP, NARROWEST)
  for i, name in ipairs(names) do
    local head, text = plain(name), row[i] == nil and "NULL" or text_of(row[i], style.columns)
    local blanks = (" "):rep(width - grid.width(head))
    if room then text = cut(text, room, style.more) end
    if style.color then head, text = BOLD .. head .. "\27[0m", row[i] == nil and FAINT .. text .. "\27[0m" or text end
    write(head, blanks, GAP, text, "\n")
  end
end

return grid
