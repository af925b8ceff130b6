-- project.lua: the algebra of projections: which fields of a model are given out, and which are loaded beside them.
--
-- A projection knows for each field whether it is in or out. What was named by the caller outranks defaults, and what
-- the settings force outranks all.
local faults = require "neap.mongo.faults"
local filter = require "neap.mongo.filter"
local host = require "neap.host"
local kernel = require "neap.mongo.kernel"
local marks = require "neap.marks"
local words = require "neap.mongo.words"

local projection = {}
projection.__index = projection

-- ---- Reading ----

--- 1, true and 1.0 are in; 0, false and 0.0 out.
local function switch(value)
  if value == true or value == 1 then return true end
  if value == false or value == 0 then return false end
end

--- The names in a list or a text, each once, with the pointers to them.
local function read_list(ctx, list, pointer)
  local named, order = {}, {}
  for i, name in ipairs(list) do
    local at = type(list) == "table" and list.text and pointer or faults.at(pointer, i - 1)
    if type(name) ~= "string" then
      ctx.faults:query(at, "a name was expected, not %s", host.show(name))
    elseif not named[name] then
      named[name] = { value = true, pointer = at }
      order[#order + 1] = name
    end
  end
  return named, order
end

local function split(text)
  local list = words.split(text)
  list.text = true
  return list
end

--- Values by name, in the order of their names: a table has none of its own.
local function read_object(ctx, object, pointer)
  local named, order = {}, words.sorted_keys(object)
  for _, name in ipairs(order) do
    local value, at = object[name], faults.at(pointer, name)
    local on = switch(value)
    if on == nil and kernel.form(value) == nil then
      ctx.faults:query(at, "a projection says 1 or 0, not %s", host.show(value))
    end
    named[name] = { value = on, query = kernel.form(value) and value, pointer = at }
  end
  return named, order
end

local function read(ctx, input, pointer)
  local form = kernel.form(input)
  if type(input) == "string" then return read_list(ctx, split(input), pointer) end
  if form == "list" then return read_list(ctx, input, pointer) end
  if form then return read_object(ctx, input, pointer) end
  if input == 0 or input == false then return {}, {} end
  ctx.faults:query(pointer, "a projection is a text, a list or an object, not %s", host.show(input))
  return {}, {}
end

--- Takes the relations out of what was named: a list of { name, value or query, pointer }.
local function take_relations(settings, named, order)
  local relations, rest = {}, {}
  for _, name in ipairs(order) do
    if settings:relation(name) and not settings:column(name) then
      relations[#relations + 1] = { name = name, entry = named[name] }
      named[name] = nil
    else
      rest[#rest + 1] = name
    end
  end
  return relations, rest
end

--- The relation whose objects a name counts: "comments.count". Second: it may not be counted.
local function counted(ctx, settings, name, pointer)
  local relation = settings:relation(name:match "^(.*)%.count$" or "")
  if not relation or not relation.many then return nil end
  local allowed = ctx.term and ctx:term(pointer, true) and filter.number(ctx, settings, relation, name, pointer)
  return relation, ctx.term and not allowed
end

local function check_names(ctx, settings, named, order)
  for _, name in ipairs(order) do
    local relation, refused = counted(ctx, settings, name, named[name].pointer)
    if refused or settings.legacy[name:match "^[^.]*"] and name:find(".", 1, true) then
      named[name] = nil
    elseif relation and not named[name].query then
      named[name].counts = relation
    elseif not settings:column(name) and not settings.legacy[name] then
      ctx.faults:unknown(named[name].pointer, "field", name, settings.info.name, settings:names "cepr")
      named[name] = nil
    elseif named[name].query then
      ctx.faults:query(named[name].pointer, "%s is no relation: a projection says 1 or 0", host.show_key(name))
      named[name] = nil
    end
  end
end

--- All names that a full projection has.
local function all_names(settings)
  local set = {}
  for _, name in ipairs(settings:names "cep") do set[name] = true end
  for name in pairs(settings.legacy) do set[name] = true end
  return set
end

--- "include", "exclude", or "mixed" where all names are there. No name at all: nothing is included.
local function mode_of(ctx, settings, named, pointer)
  local ins, outs, n = false, false, 0
  for _, entry in pairs(named) do
    ins, outs, n = ins or entry.value == true, outs or entry.value == false, n + 1
  end
  if not (ins and outs) then return outs and "exclude" or "include" end
  for name in pairs(all_names(settings)) do
    if not named[name] then
      ctx.faults:query(pointer, "a projection says 1 everywhere, or 0 everywhere, or names every field of %s",
        settings.info.name)
      return "exclude"
    end
  end
  return "mixed"
end

local nothing = { mode = "exclude", names = {}, counts = {}, relations = {} }

--- What a projection text, list or object says: { mode, names = { name = boolean }, counts = { name = true },
--- relations }.
local function parse(ctx, settings, input, pointer)
  local named, order = read(ctx, input, pointer)
  local relations, rest = take_relations(settings, named, order)
  check_names(ctx, settings, named, rest)
  local said = { mode = mode_of(ctx, settings, named, pointer), names = {}, counts = {}, relations = relations }
  if next(named) == nil and #relations > 0 and relations[1].entry.value == false then said.mode = "exclude" end
  for name, entry in pairs(named) do
    said.names[name] = entry.value == true
    if entry.counts then said.counts[name] = true end
  end
  return said
end

-- ---- Building ----

local merged_mode = {
  include = { include = "include", exclude = "include", mixed = "mixed" },
  exclude = { include = "mixed", exclude = "exclude", mixed = "mixed" },
  mixed = { include = "mixed", exclude = "mixed", mixed = "mixed" },
}

--- What the settings force, whatever was asked for.
local function apply_forced(self)
  local settings = self.settings
  for name in pairs(settings.force_include or {}) do
    if settings.info.columns[name] and not self.full[name] then
      if self.mode == "exclude" then self.mode = "mixed" end
      self.full[name], self.named[name] = true, true
    end
  end
  for name in pairs(settings.hidden) do
    if self.full[name] ~= nil then self.full[name], self.named[name] = nil, nil end
  end
end

local function apply_bundles(self)
  local bundled = {}
  for name, needs in pairs(self.settings.bundles) do
    if self.full[name] then
      for _, need in ipairs(needs) do bundled[#bundled + 1] = need end
    end
  end
  for _, need in ipairs(bundled) do self:load(need) end
end

--- The projection that a Query Object asks for; input nil: the default one. Faults go to ctx.
---@return table projection, table relations  that it names, { name =, entry = { value =, query =, pointer = } }
function projection.new(ctx, settings, input, pointer)
  local self = setmetatable({ settings = settings, full = {}, named = {}, quiet = {}, counted = {} }, projection)
  if input == nil then input = settings.given.default_projection end
  local said = input ~= nil and parse(ctx, settings, input, pointer) or nothing
  self.mode = said.mode
  for name in pairs(all_names(settings)) do self.full[name] = said.mode == "exclude" end
  if said.mode == "exclude" then
    for name in pairs(settings.default_exclude) do
      if self.full[name] ~= nil then self.full[name], self.named[name] = false, false end
    end
  end
  for name, value in pairs(said.names) do self.full[name], self.named[name] = value, value end
  for name in pairs(said.counts) do self.counted[name] = true end
  apply_forced(self)
  apply_bundles(self)
  for name in pairs(settings.ensure_loaded or {}) do self:load(name) end
  return self, said.relations
end

--- Adds what another projection says; what it names outranks what stood here. Gives the relations that it names.
---@param quietly? boolean  the fields are loaded, but not given out
function projection:merge(ctx, input, pointer, quietly)
  local said = parse(ctx, self.settings, input, pointer)
  for name in pairs(said.counts) do self.counted[name] = true end
  for name, value in pairs(said.names) do
    if quietly then
      if value then self:load(name) end
    else
      self.full[name], self.named[name] = value, value
    end
  end
  if not quietly then
    self.mode = merged_mode[self.mode][said.mode]
    apply_forced(self)
    apply_bundles(self)
  end
  return said.relations
end

--- Loads a field, or notes a relation, without giving it out.
function projection:load(name)
  if self.settings.info.columns[name] and not self.settings.legacy[name] then self.quiet[name] = true end
end

-- ---- Asking ----

--- Whether the field is given out.
function projection:gives(name) return self.full[name] == true end

--- How many objects relations lead to, where that is given out: "comments.count".
function projection:counts()
  local list = {}
  for _, field in ipairs(self.settings.info.list) do
    local name = field.name .. ".count"
    if self.counted[name] and self.full[name] then list[#list + 1] = name end
  end
  return list
end

--- The fields that are given out: columns, then what is computed, then counts, in declared order.
function projection:output()
  local list = {}
  for pass = 1, 2 do
    for _, field in ipairs(self.settings.info.list) do
      local now = field.group ~= "relation" and (field.group == "column") == (pass == 1)
      if now and self.full[field.name] then list[#list + 1] = field.name end
    end
  end
  local counts = self:counts()
  return table.move(counts, 1, #counts, #list + 1, list)
end

local function add_needs(info, field, add)
  if field.group ~= "property" then return add(field.name) end
  for _, need in ipairs(field.needs) do add(need) end
  if #field.needs > 0 then return end
  for _, other in ipairs(info.list) do
    if other.group == "column" then add(other.name) end
  end
end

--- The columns and expressions that have to be loaded, in declared order.
function projection:columns()
  local info, wanted, list = self.settings.info, {}, {}
  local function add(name)
    local field = info.columns[name] or info.columns[(info.relations[name] or {}).pointer]
    if field and field.group ~= "property" then wanted[field.name] = true end
  end
  for _, field in ipairs(info.list) do
    local loaded = field.group ~= "relation" and (self.full[field.name] or self.quiet[field.name])
    if loaded then add_needs(info, field, add) end
  end
  for _, field in ipairs(info.list) do
    if wanted[field.name] and field.group ~= "relation" then list[#list + 1] = field.name end
  end
  return list
end

--- The computed fields that are given out and come from code.
function projection:properties()
  local list = {}
  for name, field in pairs(self.settings.info.computed) do
    if field.group == "property" and self.full[name] then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

--- { name = 1 or 0 } as it stands: the names that are in, or in exclude mode those that are out; all of them if mixed.
function projection:as_is()
  local result = {}
  for name, value in pairs(self.mode == "mixed" and self.full or self.named) do
    if self.mode == "mixed" or value == (self.mode == "include") then result[name] = value and 1 or 0 end
  end
  return marks.object(result)
end

--- { name = 1 or 0 } of every field.
function projection:all()
  local result = {}
  for name, value in pairs(self.full) do result[name] = value and 1 or 0 end
  return marks.object(result)
end

return projection
