-- chinook.lua: imports the Chinook data (scripts/data/chinook.json) into a store.
--   neap scripts/chinook.lua [URL]      default: $NEAP_STORE, else sqlite:chinook.db
-- It goes in batches and can be stopped at any time: run it again and it adds what is missing, and nothing else.
local neap = require "neap"

local BATCH = 500
local HERE = arg[0]:match "^(.*/)" or ""

-- What each field is called in the data; models in an order in which pointers find what they point to.
local SOURCES = {
  { "Genre", { id = "GenreId", name = "Name" } },
  { "MediaType", { id = "MediaTypeId", name = "Name" } },
  { "Artist", { id = "ArtistId", name = "Name" } },
  { "Album", { id = "AlbumId", title = "Title", artist = "ArtistId" } },
  { "Track", { id = "TrackId", name = "Name", album = "AlbumId", media_type = "MediaTypeId", genre = "GenreId",
    composer = "Composer", milliseconds = "Milliseconds", bytes = "Bytes", price = "UnitPrice" } },
  { "Employee", { id = "EmployeeId", first_name = "FirstName", last_name = "LastName", title = "Title",
    reports_to = "ReportsTo", born = "BirthDate", hired = "HireDate", address = "Address", city = "City",
    state = "State", country = "Country", postcode = "PostalCode", phone = "Phone", fax = "Fax", email = "Email" } },
  { "Customer", { id = "CustomerId", first_name = "FirstName", last_name = "LastName", company = "Company",
    address = "Address", city = "City", state = "State", country = "Country", postcode = "PostalCode",
    phone = "Phone", fax = "Fax", email = "Email", support = "SupportRepId" } },
  { "Invoice", { id = "InvoiceId", customer = "CustomerId", at = "InvoiceDate", address = "BillingAddress",
    city = "BillingCity", state = "BillingState", country = "BillingCountry", postcode = "BillingPostalCode",
    total = "Total" } },
  { "InvoiceLine", { id = "InvoiceLineId", invoice = "InvoiceId", track = "TrackId", price = "UnitPrice",
    quantity = "Quantity" } },
  { "Playlist", { id = "PlaylistId", name = "Name" } },
  { "PlaylistTrack", { playlist = "PlaylistId", track = "TrackId" } },
}

local MONEY = { UnitPrice = true, Total = true }

local function read_data(path)
  local file <close> = assert(io.open(path))
  return neap.json.decode(file:read "a")
end

-- The data writes money as 0.99 and what is not known as null or "".
local function value_of(row, name)
  local value = row[name]
  if value == neap.null or value == "" then return nil end
  return MONEY[name] and neap.decimal(("%.2f"):format(value)) or value
end

local function object_of(Model, row, fields)
  local values = {}
  for field, name in pairs(fields) do values[field] = value_of(row, name) end
  return Model(values)
end

-- A row's key as text, from the data or from the store.
local function key_of_row(row, fields)
  if fields.id then return tostring(row[fields.id]) end
  return row[fields.playlist] .. "/" .. row[fields.track]
end

local function keys_in_store(Model, fields)
  local keys = {}
  local names = fields.id and { "id" } or { "playlist", "track" }
  for object in Model:select(table.unpack(names)):each() do
    keys[fields.id and tostring(object.id) or object:key_of "playlist" .. "/" .. object:key_of "track"] = true
  end
  return keys
end

local function missing_rows(Model, rows, fields)
  local there, missing = keys_in_store(Model, fields), {}
  for _, row in ipairs(rows) do
    if not there[key_of_row(row, fields)] then missing[#missing + 1] = row end
  end
  return missing
end

local function import(store, Model, name, rows, fields)
  local bar <close> = neap.progress(#rows, name)
  for from = 1, #rows, BATCH do
    local objects = {}
    for i = from, math.min(from + BATCH - 1, #rows) do objects[#objects + 1] = object_of(Model, rows[i], fields) end
    store:save(objects)
    bar:step(#objects)
  end
end

local url = arg[1] or os.getenv "NEAP_STORE" or "sqlite:chinook.db"
local store = neap.open(url)
local Models = dofile(HERE .. "chinook_models.lua")(store)
store:bind()

local data = read_data(HERE .. "data/chinook.json")
local complete, added = 0, 0
for _, source in ipairs(SOURCES) do
  local name, fields = source[1], source[2]
  local missing = missing_rows(Models[name], data[name], fields)
  import(store, Models[name], name, missing, fields)
  complete = complete + #data[name] - #missing
  added = added + #missing
  print(("%-14s %6d complete %6d missing"):format(name, #data[name] - #missing, #missing))
end
print(("found %d rows complete and %d missing; %s"):format(complete, added,
  added > 0 and ("imported %d"):format(added) or "nothing changed"))
store:close()
