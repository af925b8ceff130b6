-- Two writers of the same few items on DynamoDB do at random what writers do, in any order; a model of the table says what each
-- of it has to give. The seed is printed; give it as SEED to see the same run again, and STEPS for another number of steps.
local neap = require "neap"
local t = neap.types

local endpoint = os.getenv "NEAP_TEST_DYNAMODB"
if not endpoint then
  print "dynamodb: left out, NEAP_TEST_DYNAMODB names no server"
  return
end

local seed = tonumber(os.getenv "SEED") or os.time()
local steps = tonumber(os.getenv "STEPS") or 5000
print("seed " .. seed)

local FIELDS = { "a", "b" }
local random = math.random

-- What a writer has: the object, and what it should hold: `base` is what it took to be in the table, `now` what it has made of that.
local Writer = {}
Writer.__index = Writer

local function copy(row)
  local out = {}
  for name, value in pairs(row) do out[name] = value end
  return out
end

local function same(one, other)
  for _, name in ipairs { "a", "b", "v" } do
    if one[name] ~= other[name] then return false end
  end
  return true
end

local function dirty(self) return not same(self.base, self.now) end

--- Writes the changes to the row of the model; versions count up.
local function write(self, row, versioned)
  for _, name in ipairs(FIELDS) do
    if self.now[name] ~= self.base[name] then row[name] = self.now[name] end
  end
  if versioned then
    row.v = (self.base.v or 0) + 1
    self.now.v = row.v
  end
  self.base = copy(self.now)
end

-- What is done: each gives what the model says of it (nil: it went well, else the kind of the error) and does it.
local actions = {}

function actions.load(self, table_, key)
  local row = table_[key]
  self.object = self.Model:find(key)
  self.base, self.now = row and copy(row), row and copy(row)
  assert(not row == not self.object, "found")
end

function actions.new(self, table_, key, versioned)
  self.object = self.Model { id = key, a = random(3) }
  self.base, self.now = {}, { a = self.object.a }
  local atomic = random(2) == 1
  local conflict = table_[key] and (atomic or versioned)
  local function act() self.object:save { atomic = atomic } end
  if conflict then
    return "conflict", act, function() self.object = nil end
  end
  return nil, act, function()
    table_[key] = table_[key] or {}
    write(self, table_[key], versioned)
  end
end

function actions.change(self)
  if not self.object then return end
  local name = FIELDS[random(#FIELDS)]
  local value = random(4)
  if value == 4 then value = nil end
  self.object[name] = value
  self.now[name] = value
end

local function save(self, table_, key, versioned, atomic)
  local row = table_[key]
  local function act() self.object:save { atomic = atomic } end
  if not atomic and not dirty(self) then return nil, act, function() end end
  if not row then return "not_found", act end
  if atomic and not same(row, self.base) then return "condition", act end
  if versioned and row.v ~= self.base.v then return "condition", act end
  return nil, act, function() write(self, row, versioned) end
end

function actions.save(self, table_, key, versioned)
  if self.object then return save(self, table_, key, versioned, false) end
end

function actions.save_atomically(self, table_, key, versioned)
  if self.object then return save(self, table_, key, versioned, true) end
end

function actions.delete(self, table_, key)
  if not self.object then return end
  local there = table_[key] ~= nil
  return nil, function() assert(self.object:delete() == there, "deleted") end, function()
    table_[key], self.object = nil, nil
  end
end

function actions.delete_atomically(self, table_, key)
  if not self.object then return end
  local row = table_[key]
  local function act() self.object:delete { atomic = true } end
  if not row then return "not_found", act end
  if not same(row, self.base) then return "condition", act end
  return nil, act, function() table_[key], self.object = nil, nil end
end

function actions.increment(self, table_, key, versioned)
  if not self.object or self.now.a ~= self.base.a then return end
  local row = table_[key]
  local function act() self.object:increment("a", 1) end
  if not row then return "not_found", act end
  return nil, act, function()
    row.a = (row.a or 0) + 1
    self.base.a, self.now.a = row.a, row.a
    if versioned then
      row.v = (row.v or 0) + 1
      self.base.v, self.now.v = row.v, row.v
    end
  end
end

local names = {}
for name in pairs(actions) do names[#names + 1] = name end
table.sort(names)

local function kind_of(e)
  for _, kind in ipairs { "condition", "conflict", "not_found" } do
    if neap.is(e, kind) then return kind end
  end
  return tostring(e)
end

describe("two writers on DynamoDB", function()
  local stores, prefix = {}, "writers_" .. os.tmpname():gsub("%W", "") .. "_"

  setup(function()
    for i = 1, 2 do
      stores[i] = neap.open {
        url = "dynamodb://us-east-1?endpoint=" .. endpoint, access_key = "spec", secret_key = "spec",
        table_template = prefix .. "{table}",
      }
      stores[i]:model("Plain", { id = t.string { primary = true }, a = t.integer(), b = t.integer() })
      stores[i]:model("Versioned", {
        id = t.string { primary = true }, a = t.integer(), b = t.integer(), v = t.integer { version = true },
      })
    end
    stores[1]:bind()
  end)

  teardown(function()
    for _, name in ipairs { "Plain", "Versioned" } do stores[1]:drop(stores[1]:model(name)) end
    for _, store in ipairs(stores) do store:close() end
  end)

  for _, name in ipairs { "Plain", "Versioned" } do
    it(("conflict exactly when they should: %s items (seed %d)"):format(name:lower(), seed), function()
      math.randomseed(seed)
      local versioned, rows, writers = name == "Versioned", {}, {}
      for i, store in ipairs(stores) do
        writers[i] = setmetatable({ Model = store:model(name), keys = {} }, Writer)
      end
      for step = 1, steps do
        local writer, key, action = writers[random(2)], "k" .. random(2), names[random(#names)]
        local place = writer.keys[key] or { Model = writer.Model }
        writer.keys[key] = place
        local expected, act, done = actions[action](place, rows, key, versioned)
        local ok, e = true, nil
        if act then ok, e = pcall(act) end
        local got = not ok and kind_of(e) or nil
        assert.equal(expected, got, ("step %d: %s of %s"):format(step, action, key))
        if done then done() end
      end
      for _, key in ipairs { "k1", "k2" } do
        local found, row = stores[1]:model(name):find(key), rows[key]
        assert.equal(row ~= nil, found ~= nil)
        if row then assert.same({ row.a, row.b, row.v }, { found.a, found.b, versioned and found.v or nil }) end
      end
    end)
  end
end)
