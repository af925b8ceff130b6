-- settings.lua: what a Query Object may ask of a model. Checked when they are given, those of related models when first
-- needed.
local class = require "neap.class"
local faults = require "neap.mongo.faults"
local filter = require "neap.mongo.filter"
local host = require "neap.host"
local kernel = require "neap.mongo.kernel"
local projection = require "neap.mongo.project"
local usage = require "neap.fail".usage
local words = require "neap.mongo.words"

local settings = {}
settings.__index = settings

-- ---- Which there are ----

local handlers = { "project", "sort", "filter", "join", "joinf", "aggregate", "group", "limit", "count" }

-- Names: a list of fields; the letters say which groups of them: column, expression, property, relation.
local names = {
  default_exclude = "cep", default_unexclude_properties = "ep", force_include = "cepr", force_exclude = "cepr",
  ensure_loaded = "cepr", aggregate_columns = "ce", allowed_relations = "r", banned_relations = "r",
  legacy_fields = false,
}
local booleans = {
  default_exclude_properties = true, aggregate_labels = true, regex_enabled = true, raiseload = true,
  raiseload_col = true, raiseload_rel = true,
}
local counts = { max_items = true, max_depth = true, max_nodes = true, max_terms = true, max_in = true }
local others = {
  default_projection = true, bundled_project = true, force_filter = true, scalar_operators = true,
  array_operators = true, related = true, related_models = true,
}
for _, handler in ipairs(handlers) do booleans[handler .. "_enabled"] = true end

--- What holds where nothing is said.
settings.limits = { max_depth = 8, max_nodes = 32, max_terms = 500, max_in = 1000 }

local known = {}
for _, group in ipairs { names, booleans, counts, others } do
  for name in pairs(group) do known[#known + 1] = name end
end
table.sort(known)

-- ---- What a model has ----

local models = setmetatable({}, { __mode = "k" })

--- The fields of a class: a list in declared order, also by name; `columns` and `relations` apart.
local function describe(of)
  local made = models[of]
  if made then return made end
  made = { name = kernel.model(of), list = {}, columns = {}, relations = {}, computed = {}, keys = {} }
  for _, field in ipairs(kernel.fields(of)) do
    made.list[#made.list + 1] = field
    if field.group == "relation" then
      made.relations[field.name] = field
    else
      made.columns[field.name] = field
      if field.group ~= "column" then made.computed[field.name] = field end
      if field.primary then made.keys[#made.keys + 1] = field.name end
    end
  end
  models[of] = made
  return made
end
settings.describe = describe

-- ---- Checking ----

local function show(model, setting) return ("Query Object settings of %s: %s"):format(model, setting) end

--- The names that the groups allow, in declared order.
local function names_of(model, groups)
  local list = {}
  for _, field in ipairs(model.list) do
    if groups:find(field.group:sub(1, 1), 1, true) then list[#list + 1] = field.name end
  end
  return list
end

local function to_set(list)
  local set = {}
  for _, name in ipairs(list) do set[name] = true end
  return set
end

--- A setting of names as a set; a text is split at blanks.
local function check_names(self, setting, value, groups)
  local model = self.info
  local list = type(value) == "string" and words.split(value) or value
  if type(list) ~= "table" then usage("%s is a list of names, not %s", show(model.name, setting), host.show(value)) end
  local valid = groups and names_of(model, groups)
  local legal = valid and to_set(valid)
  for _, name in ipairs(list) do
    if legal and not legal[name] and not self.legacy[name] then
      usage("%s: %s is none of its names%s", show(model.name, setting), host.show_key(name), class.hint(name, valid))
    end
  end
  return to_set(list), list
end

local function check_known(given, model)
  for name in pairs(given) do
    local of = names[name] ~= nil or booleans[name] or counts[name] or others[name]
    if not of then usage("%s is no setting%s", show(model, host.show_key(name)), class.hint(name, known)) end
  end
end

local function check_kinds(given, model)
  for name, value in pairs(given) do
    if booleans[name] and type(value) ~= "boolean" then
      usage("%s is true or false, not %s", show(model, name), host.show(value))
    elseif counts[name] and (math.type(value) ~= "integer" or value < 1) then
      usage("%s is an integer > 0, not %s", show(model, name), host.show(value))
    end
  end
end

--- What is not loaded raises: columns always, relations where the settings say so.
local function raises(given, model)
  if given.raiseload ~= nil and (given.raiseload_col ~= nil or given.raiseload_rel ~= nil) then
    usage("%s stands for raiseload_col and raiseload_rel", show(model, "raiseload"))
  elseif given.raiseload_col == false then
    usage("%s: columns that were not loaded always raise", show(model, "raiseload_col"))
  end
  return given.raiseload or given.raiseload_rel or false
end

local function check_operators(given, model)
  for _, setting in ipairs { "scalar_operators", "array_operators" } do
    for name, f in pairs(given[setting] or {}) do
      if type(name) ~= "string" or not name:find "^%$%a" or type(f) ~= "function" then
        usage('%s holds { ["$name"] = function(column, value) … end }, not %s', show(model, setting),
          host.show_key(name))
      elseif filter.is_operator(name) then
        usage("%s: %s is there already", show(model, setting), name)
      end
    end
  end
end

local function check_bundles(self, given)
  local bundles = {}
  for name, needs in pairs(given.bundled_project or {}) do
    if not self.info.columns[name] then
      usage("%s: %s is no field%s", show(self.info.name, "bundled_project"), host.show_key(name),
        class.hint(name, names_of(self.info, "cep")))
    end
    local _, list = check_names(self, "bundled_project", needs, "cepr")
    bundles[name] = list
  end
  return bundles
end

local function check_related(self, given)
  if given.allowed_relations and given.banned_relations then
    usage("%s and banned_relations exclude each other", show(self.info.name, "allowed_relations"))
  end
  local related = given.related
  if type(related) == "table" then
    for name in pairs(related) do
      if name ~= "*" and not self.info.relations[name] then
        usage("%s: %s is no relation%s", show(self.info.name, "related"), host.show_key(name),
          class.hint(name, names_of(self.info, "r")))
      end
    end
  elseif related ~= nil and type(related) ~= "function" then
    usage("%s is a table or a function that gives one, not %s", show(self.info.name, "related"), host.show(related))
  end
end

--- Those by model: a name that there is not would leave the model open.
local function check_related_models(self, by_model)
  if by_model == nil or type(by_model) == "function" then return end
  local setting = show(self.info.name, "related_models")
  if type(by_model) ~= "table" then
    usage("%s is a table or a function that gives one, not %s", setting, host.show(by_model))
  end
  for key in pairs(by_model) do
    local there = key == "*"
    if not there and type(key) == "string" then there = pcall(kernel.class, self.class, key) end
    if type(key) ~= "string" then there = pcall(kernel.model, key) end
    if not there then usage("%s: %s is no model", setting, host.show_key(key)) end
  end
end

--- The condition that goes with everything, nil = none.
local function force_filter(self, given)
  if given == nil then return nil end
  if type(given) == "function" then given = given(self.class) end
  if type(given) ~= "table" and type(given) ~= "userdata" then
    usage("%s is a condition or a function that gives one, not %s", show(self.info.name, "force_filter"),
      host.show(given))
  end
  if kernel.form(given) ~= "list" then return kernel.condition(self.class, given) end
  return kernel.condition(self.class, { ["$and"] = given })
end

-- ---- Building ----

--- What can never be learned of: what force_exclude and `secret` say, and the relation of a hidden pointer.
local function hidden(self, excluded)
  local set = {}
  for name in pairs(excluded) do set[name] = true end
  for _, field in ipairs(self.info.list) do
    if field.secret then set[field.name] = true end
  end
  for _, field in ipairs(self.info.list) do
    if field.pointer and set[field.pointer] then set[field.name] = true end
  end
  return set
end

local function default_exclude(self, given)
  local set = check_names(self, "default_exclude", given.default_exclude or {}, "cep")
  local back = check_names(self, "default_unexclude_properties", given.default_unexclude_properties or {}, "ep")
  if next(back) and given.default_exclude_properties == false then
    usage("%s needs default_exclude_properties", show(self.info.name, "default_unexclude_properties"))
  end
  for name, field in pairs(self.info.computed) do
    local out = field.group == "property" and given.default_exclude_properties ~= false and not back[name]
    if out then set[name] = true end
  end
  return set
end

local function check_projection(self)
  local ctx = { faults = faults.new() }
  projection.new(ctx, self, nil, "")
  if #ctx.faults > 0 then usage("%s: %s", show(self.info.name, "default_projection"), ctx.faults[1].message) end
end

local function compile(of, given)
  local info = describe(of)
  if type(given) ~= "table" then usage("%s are a table, not %s", show(info.name, "they"), host.show(given)) end
  check_known(given, info.name)
  check_kinds(given, info.name)
  check_operators(given, info.name)
  local self = setmetatable({ class = of, info = info, given = given, legacy = {}, nested = {} }, settings)
  self.plans = { young = {}, old = {}, n = 0 }  -- of Query Objects, by shape: see parse.lua
  self.eager = raises(given, info.name)
  self.legacy = check_names(self, "legacy_fields", given.legacy_fields or {})
  check_related(self, given)
  check_related_models(self, given.related_models)
  for setting, groups in pairs(names) do
    if groups and given[setting] ~= nil then self[setting] = check_names(self, setting, given[setting], groups) end
  end
  self.default_exclude = default_exclude(self, given)
  self.bundles = check_bundles(self, given)
  self.hidden = hidden(self, self.force_exclude or {})
  self.condition = force_filter(self, given.force_filter)
  self.max_items = given.max_items
  check_projection(self)
  self.given_limits = setmetatable({}, { __index = function(_, name) return given[name] or settings.limits[name] end })
  return self
end

--- Compiles the settings of a class. Raises `usage` for what is unknown or makes no sense. Where there are none it is
--- done once, so that the plans of Query Objects last.
---@param of table  a class
---@param given? table
function settings.compile(of, given)
  if given ~= nil then return compile(of, given) end
  local info = describe(of)
  info.open = info.open or compile(of, {})
  return info.open
end

-- ---- Asking ----

--- Whether an operation is on.
function settings:enabled(handler)
  if handler == "joinf" and self.given.join_enabled == false then return false end
  return self.given[handler .. "_enabled"] ~= false
end

--- A field, expression or property that may be asked for.
function settings:column(name) return not self.hidden[name] and self.info.columns[name] or nil end

--- A relation that may be named; whether it may be used is another question.
function settings:relation(name) return not self.hidden[name] and self.info.relations[name] or nil end

--- What may be named, for hints: groups as in "cep".
function settings:names(groups)
  local list = {}
  for _, name in ipairs(names_of(self.info, groups)) do
    if not self.hidden[name] then list[#list + 1] = name end
  end
  return list
end

--- What the tables say of a relation: settings, false (denied), or nil (nothing).
local function look_up(self, relation)
  local related, by_model = self.given.related, self.given.related_models
  if type(related) == "function" then related = related() end
  if type(by_model) == "function" then by_model = by_model() end
  local target = self:target(relation)
  local places = {
    { related, relation.name }, { related, "*" },
    { by_model, relation.target }, { by_model, target }, { by_model, "*" },
  }
  for _, place in ipairs(places) do
    local value = place[1] and place[1][place[2]]
    if type(value) == "function" then value = value(relation.name, target) end
    if value ~= nil then return value end
  end
end

--- The class that a relation leads to.
function settings:target(relation) return kernel.class(self.class, relation.target) end

--- The settings of what a relation leads to; false where it is not allowed.
function settings:related(relation)
  local name = relation.name
  if self.nested[name] == nil then
    local allowed, banned = self.allowed_relations, self.banned_relations
    local found = false
    if (not allowed or allowed[name]) and not (banned and banned[name]) then found = look_up(self, relation) end
    self.nested[name] = found ~= false and settings.compile(self:target(relation), found)
  end
  return self.nested[name]
end

return settings
