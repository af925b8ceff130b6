-- report.lua: what the shop of chinook.lua sold.
--   neap scripts/report.lua [--store URL] [--format text|csv|json] [--top N] [section] ...
-- Sections: countries, months, artists, customer ID. Without one it gives the first three; `customer ID` lists
-- a customer's invoices with their tracks.
local neap = require "neap"
local terminal = require "neap.terminal"

local HERE = arg[0]:match "^(.*/)" or ""
local DEFAULT_COLUMNS = 80

-- ---- The command line ----

local function usage(message)
  io.stderr:write("report.lua: ", message, "\n",
    "usage: report.lua [--store URL] [--format text|csv|json] [--top N] [countries|months|artists|customer ID] ...\n")
  os.exit(2)
end

local function integer(text, what)
  local n = math.tointeger(tonumber(text))
  if not n or n < 1 then usage(what .. " must be a whole number above 0, not " .. tostring(text)) end
  return n
end

local function read_arguments()
  local options = { store = os.getenv "NEAP_STORE" or "sqlite:chinook.db", format = "text", top = 10, sections = {} }
  local i = 0
  local function next_argument(what)
    i = i + 1
    return arg[i] or usage(what .. " is missing")
  end
  while arg[i + 1] do
    local word = next_argument ""
    if word == "--store" then options.store = next_argument "the URL of --store"
    elseif word == "--format" then options.format = next_argument "the format of --format"
    elseif word == "--top" then options.top = integer(next_argument "the number of --top", "--top")
    elseif word == "customer" then
      local id = integer(next_argument "the id of customer", "the id of customer")
      options.sections[#options.sections + 1] = { word, id }
    elseif word == "countries" or word == "months" or word == "artists" then
      options.sections[#options.sections + 1] = { word }
    else usage(("%q is neither an option nor a section"):format(word)) end
  end
  if #options.sections == 0 then options.sections = { { "countries" }, { "months" }, { "artists" } } end
  return options
end

-- ---- Sections: each gives { title =, columns =, rows =, bar = the column that the chart shows } ----

local section = {}

function section.countries(Models)
  local rows = Models.Invoice:group "country":order("-sales", "country"):aggregate {
    invoices = { ["$count"] = true }, sales = { ["$sum"] = "total" },
  }
  return { title = "Sales by country", columns = { "country", "invoices", "sales" }, rows = rows, bar = "sales" }
end

-- Invoices stream in order of time, so this works on stores that know no months.
function section.months(Models)
  local rows, row = {}, nil
  for invoice in Models.Invoice:select("at", "total"):order("at"):each() do
    local month = invoice.at:format "%Y-%m"
    if not row or row.month ~= month then
      row = { month = month, invoices = 0, sales = neap.decimal "0.00" }
      rows[#rows + 1] = row
    end
    row.invoices, row.sales = row.invoices + 1, row.sales + invoice.total
  end
  return { title = "Sales by month", columns = { "month", "invoices", "sales" }, rows = rows, bar = "sales" }
end

function section.artists(Models, options)
  local groups = Models.InvoiceLine:group "track.album.artist.name":order("-sold", "track.album.artist.name")
    :limit(options.top):aggregate { sold = { ["$sum"] = "quantity" } }
  local rows = {}
  for i, group in ipairs(groups) do rows[i] = { artist = group["track.album.artist.name"], sold = group.sold } end
  return { title = "Artists by tracks sold", columns = { "artist", "sold" }, rows = rows, bar = "sold" }
end

-- One statement a relation and level, however many invoices there are.
function section.customer(Models, _, id)
  local customer = Models.Customer:find(id) or usage(("there is no customer %d"):format(id))
  local rows = {}
  local lines = Models.InvoiceLine:order("id"):include "track"
  for _, invoice in ipairs(customer.invoices:order("at", "id"):include({ lines = lines }):all()) do
    for _, line in ipairs(invoice.lines:all()) do
      rows[#rows + 1] = {
        invoice = invoice.id, date = invoice.at:date(), track = line.track.name, quantity = line.quantity,
        amount = line.price * line.quantity,
      }
    end
  end
  return { title = ("Invoices of %s %s, %s"):format(customer.first_name, customer.last_name, customer.country),
    columns = { "invoice", "date", "track", "quantity", "amount" }, rows = rows }
end

-- ---- Formats ----

local function cells_of(report, row)
  local cells = {}
  for i, column in ipairs(report.columns) do cells[i] = tostring(row[column] == nil and "" or row[column]) end
  return cells
end

-- Cuts or fills a text to a number of characters.
local function fit(text, room, right)
  local n = utf8.len(text) or #text
  if n > room then return text:sub(1, utf8.offset(text, room) - 1) .. "…" end
  local blanks = (" "):rep(room - n)
  return right and blanks .. text or text .. blanks
end

local function widths_of(lines)
  local widths = {}
  for _, cells in ipairs(lines) do
    for i, cell in ipairs(cells) do widths[i] = math.max(widths[i] or 1, utf8.len(cell) or #cell) end
  end
  return widths
end

-- Makes the widest column narrower where the line would not fit; gives the room that is left for a bar.
local function squeeze(widths, columns)
  local widest, room = 1, columns - #widths
  for i, width in ipairs(widths) do
    room = room - width
    if width > widths[widest] then widest = i end
  end
  if room < 0 then widths[widest] = math.max(widths[widest] + room, 1) end
  return math.max(room, 0)
end

local function number_of(value)
  return tonumber(tostring(value))
end

local function bar(report, row, room)
  if not report.bar then return "" end
  local most = 0
  for _, other in ipairs(report.rows) do most = math.max(most, number_of(other[report.bar])) end
  return most > 0 and ("█"):rep(math.floor(number_of(row[report.bar]) / most * room + 0.5)) or ""
end

local function print_table(report, columns)
  local lines, first = { { table.unpack(report.columns) } }, report.rows[1]
  for i, row in ipairs(report.rows) do lines[i + 1] = cells_of(report, row) end
  local widths = widths_of(lines)
  local room = squeeze(widths, columns)
  for l, cells in ipairs(lines) do
    for i, cell in ipairs(cells) do cells[i] = fit(cell, widths[i], first and number_of(first[report.columns[i]])) end
    cells[#cells + 1] = l > 1 and bar(report, report.rows[l - 1], room) or ""
    print((table.concat(cells, " "):gsub("%s+$", "")))
  end
end

local write = {}

function write.text(reports)
  local columns = terminal.columns(1) or tonumber(os.getenv "COLUMNS") or DEFAULT_COLUMNS
  for n, report in ipairs(reports) do
    print((n > 1 and "\n" or "") .. report.title)
    print_table(report, columns)
  end
end

function write.csv(reports)
  for n, report in ipairs(reports) do
    local rows = {}
    for i, row in ipairs(report.rows) do rows[i] = cells_of(report, row) end
    io.write(n > 1 and "\n" or "", neap.csv.encode(rows, { header = report.columns }))
  end
end

function write.json(reports)
  local list = neap.array {}
  for i, report in ipairs(reports) do list[i] = { title = report.title, rows = neap.array(report.rows) } end
  print(neap.json.encode(list, { indent = 2 }))
end

-- ---- Main ----

local options = read_arguments()
if not write[options.format] then usage(("%q is no format; they are text, csv and json"):format(options.format)) end
local store = neap.open(options.store)
local Models = dofile(HERE .. "chinook_models.lua")(store)
local reports = {}
for i, wanted in ipairs(options.sections) do
  local report, problem = neap.try(section[wanted[1]], Models, options, wanted[2])
  if neap.is(problem, "mismatch") then
    io.stderr:write "report.lua: the store has no shop in it; chinook.lua imports one\n"
    os.exit(1)
  end
  reports[i] = report or error(problem, 0)
end
write[options.format](reports)
store:close()
