-- chinook_models.lua: the models of the Chinook data, a shop for music. chinook.lua fills them, report.lua asks them.
local neap = require "neap"
local t = neap.types

--- Declares all models in a store and gives them by name.
---@param store table
---@return table<string, table>
return function(store)
  local Models = {}

  Models.Genre = store:model("Genre", {
    id   = t.integer { primary = true },
    name = t.string  { required = true, max = 120 },
  }, { table = "genres" })

  Models.MediaType = store:model("MediaType", {
    id   = t.integer { primary = true },
    name = t.string  { required = true, max = 120 },
  }, { table = "media_types" })

  Models.Artist = store:model("Artist", {
    id     = t.integer  { primary = true },
    name   = t.string   { required = true, max = 120 },
    albums = t.has_many ("Album", "artist"),
  }, { table = "artists" })

  Models.Album = store:model("Album", {
    id     = t.integer  { primary = true },
    title  = t.string   { required = true, max = 160 },
    artist = t.pointer  ("Artist", { index = true, required = true }),
    tracks = t.has_many ("Track", "album"),
  }, { table = "albums" })

  Models.Track = store:model("Track", {
    id           = t.integer { primary = true },
    name         = t.string  { required = true, max = 200 },
    album        = t.pointer ("Album", { index = true }),
    media_type   = t.pointer ("MediaType", { required = true }),
    genre        = t.pointer ("Genre", { index = true }),
    composer     = t.string  { max = 220 },
    milliseconds = t.integer { required = true, min = 0 },
    bytes        = t.integer { min = 0 },
    price        = t.decimal { scale = 2, required = true },
  }, { table = "tracks" })

  Models.Employee = store:model("Employee", {
    id         = t.integer  { primary = true },
    first_name = t.string   { required = true, max = 20 },
    last_name  = t.string   { required = true, max = 20 },
    title      = t.string   { max = 30 },
    reports_to = t.pointer  "Employee",
    born       = t.datetime (),
    hired      = t.datetime (),
    address    = t.string   { max = 70 },
    city       = t.string   { max = 40 },
    state      = t.string   { max = 40 },
    country    = t.string   { max = 40 },
    postcode   = t.string   { max = 10 },
    phone      = t.string   { max = 24 },
    fax        = t.string   { max = 24 },
    email      = t.string   { max = 60 },
    customers  = t.has_many ("Customer", "support"),
  }, { table = "employees" })

  Models.Customer = store:model("Customer", {
    id         = t.integer  { primary = true },
    first_name = t.string   { required = true, max = 40 },
    last_name  = t.string   { required = true, max = 20 },
    company    = t.string   { max = 80 },
    address    = t.string   { max = 70 },
    city       = t.string   { max = 40 },
    state      = t.string   { max = 40 },
    country    = t.string   { max = 40, index = true },
    postcode   = t.string   { max = 10 },
    phone      = t.string   { max = 24 },
    fax        = t.string   { max = 24 },
    email      = t.string   { required = true, unique = true, max = 60 },
    support    = t.pointer  ("Employee", { index = true }),
    invoices   = t.has_many ("Invoice", "customer"),
  }, { table = "customers" })

  Models.Invoice = store:model("Invoice", {
    id       = t.integer  { primary = true },
    customer = t.pointer  ("Customer", { index = true, required = true }),
    at       = t.datetime { required = true, index = true },
    address  = t.string   { max = 70 },
    city     = t.string   { max = 40 },
    state    = t.string   { max = 40 },
    country  = t.string   { max = 40, index = true },
    postcode = t.string   { max = 10 },
    total    = t.decimal  { scale = 2, required = true },
    lines    = t.has_many ("InvoiceLine", "invoice"),
  }, { table = "invoices" })

  Models.InvoiceLine = store:model("InvoiceLine", {
    id       = t.integer { primary = true },
    invoice  = t.pointer ("Invoice", { index = true, required = true }),
    track    = t.pointer ("Track", { index = true, required = true }),
    price    = t.decimal { scale = 2, required = true },
    quantity = t.integer { required = true, min = 1 },
  }, { table = "invoice_lines" })

  Models.Playlist = store:model("Playlist", {
    id     = t.integer      { primary = true },
    name   = t.string       { required = true, max = 120 },
    tracks = t.many_to_many ("Track", { through = "PlaylistTrack" }),
  }, { table = "playlists" })

  Models.PlaylistTrack = store:model("PlaylistTrack", {
    playlist = t.pointer ("Playlist", { primary = true }),
    track    = t.pointer ("Track", { primary = true }),
  }, { table = "playlist_tracks" })

  return Models
end
