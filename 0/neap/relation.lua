-- relation.lua: changing many_to_many relations: p.tags:add{ t1, t2 }. Each link is a row of the link table's model.
local host = require "neap.host"
local query = require "neap.query"
local kernel = require "neap.save_kernel"

--- The link table's class, the names of its two pointers and the owner's key.
local function link_of(relation, verb)
  local link, here, there, owner = query.link(relation)
  if link then return link, here, there, owner end
  error(host.error {
    kind = "usage",
    message = ("%s is for many_to_many relations; other related objects are saved with their pointer set"):format(verb),
  }, 0)
end

--- Objects or keys, one or a list, as a list.
local function list_of(items)
  return type(items) == "table" and items or { items }
end

--- The key of the other side of a link as one that finds it in a table: equal times and decimals are different values.
local function key_of(row, there)
  local key = row:key_of(there)
  return type(key) == "userdata" and tostring(key) or key
end

--- What the link table holds for the owner, by the key of the other side.
local function linked(link, here, there, owner)
  local have = {}
  for _, row in ipairs(link:where(here, owner):all()) do have[key_of(row, there)] = row end
  return have
end

--- Saves or deletes links in one go; the error of a single one is its own.
local function write(verb, links)
  if #links == 0 then return end
  local store = kernel.store_of(links[1])
  store[verb](store, #links > 1 and links or links[1])
end

--- Saves new links. What others have tied meanwhile is tied, but for a transaction, which that has broken.
local function tie(link, here, there, owner, new)
  local ok, e = pcall(write, "save", new)
  if ok then return end
  local taken = host.is(e, "conflict") or host.is(e, "batch")
  local kept = taken and not kernel.in_transaction(kernel.store_of(new[1]))
  local have = kept and linked(link, here, there, owner) or {}
  for _, row in ipairs(new) do
    local key = key_of(row, there)
    if key == nil or not have[key] then error(e, 0) end
  end
end

local function add_missing(link, here, there, owner, have, items)
  local new, wanted = {}, {}
  for _, item in ipairs(items) do
    local row = link { [here] = owner, [there] = item }
    local key = key_of(row, there)
    if key == nil or not have[key] and not wanted[key] then new[#new + 1] = row end
    if key ~= nil then wanted[key] = true end  -- an object that is new is saved with its link
  end
  tie(link, here, there, owner, new)
  return wanted
end

--- Ties objects to the owner; those that are tied already stay so.
---@param items any an object or key, or a list of them
function query.methods:add(items)
  local link, here, there, owner = link_of(self, "add")
  add_missing(link, here, there, owner, linked(link, here, there, owner), list_of(items))
end

--- Unties objects; the objects themselves stay.
---@param items any an object or key, or a list of them
function query.methods:remove(items)
  local link, here, there, owner = link_of(self, "remove")
  link:where(here, owner):where(there .. "__in", list_of(items)):delete()
end

--- Ties exactly these objects to the owner.
---@param items any a list of objects or keys
function query.methods:set(items)
  local link, here, there, owner = link_of(self, "set")
  local have = linked(link, here, there, owner)
  local wanted = add_missing(link, here, there, owner, have, list_of(items))
  local gone = {}
  for key, row in pairs(have) do
    if not wanted[key] then gone[#gone + 1] = row end
  end
  write("delete", gone)
end

--- The relation as a query of its own, to be narrowed: p.tags:query():where{…}. The relation itself serves as well.
function query.methods:query()
  return self:where {}
end

return query
