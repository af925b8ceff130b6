local neap = require "neap"

describe("lua/neap/meta", function()
  local text = ""
  for _, room in ipairs { "crud", "models", "mongo", "queries", "stores", "tasks", "values" } do
    text = text .. assert(io.open("lua/neap/meta/" .. room .. ".lua")):read "a"
  end

  it("has a file for editors that look where a module called neap is", function()
    assert.matches("^%-%-%-@meta\n.*\n%-%-%-@class neap\nlocal neap = {}\n\nreturn neap\n$",
      assert(io.open "lua/neap/meta/neap.lua"):read "a")
  end)

  it("annotates each name of neap", function()
    local missing = {}
    for name in pairs(neap) do
      local found = text:find("function neap." .. name .. "(", 1, true) or text:find("---@field " .. name .. " ", 1, true)
        or text:find("\nneap." .. name .. " =", 1, true)
      if not found then missing[#missing + 1] = name end
    end
    table.sort(missing)
    assert.same({}, missing)
  end)

  it("annotates the functions of each module", function()
    local missing = {}
    for _, module in ipairs { "bytes", "csv", "http", "json", "lease", "migrate" } do
      for name in pairs(neap[module]) do
        local found = text:find("function " .. module .. "." .. name .. "(", 1, true)
          or text:find("---@field " .. name .. " ", 1, true)
        if not found then missing[#missing + 1] = module .. "." .. name end
      end
    end
    for _, name in ipairs { "date", "datetime", "decimal", "now", "progress", "uuid" } do
      if not text:find("function neap." .. name .. "(", 1, true) then missing[#missing + 1] = name end
    end
    table.sort(missing)
    assert.same({}, missing)
  end)

  it("annotates what stores can do", function()
    neap.open "sqlite::memory:":close()
    local missing = {}
    for name in pairs(require "neap.view".methods) do
      if name ~= "open" and not text:find("function store:" .. name .. "(", 1, true) then missing[#missing + 1] = name end
    end
    table.sort(missing)
    assert.same({}, missing)
  end)

  it("annotates the types and what objects can do", function()
    neap.open "sqlite::memory:":close()
    local missing = {}
    for name in pairs(neap.types) do
      if not text:find("---@field " .. name .. " fun(", 1, true) then missing[#missing + 1] = "t." .. name end
    end
    for name in pairs(require "neap.object_kernel".methods) do
      if not text:find("function object:" .. name .. "(", 1, true) then missing[#missing + 1] = "object:" .. name end
    end
    assert.same({}, missing)
  end)

  it("annotates what queries and classes can do", function()
    neap.open "sqlite::memory:":close()
    local missing = {}
    local of_relations = { add = true, remove = true, set = true, query = true }
    for name in pairs(require "neap.query".methods) do
      local owner = of_relations[name] and "relation" or "query"
      if not text:find("function " .. owner .. ":" .. name .. "(", 1, true) then missing[#missing + 1] = owner .. ":" .. name end
    end
    for name in pairs(require "neap.object_kernel".class_methods) do
      if not text:find("function query:" .. name .. "(", 1, true) and not text:find("function model:" .. name .. "(", 1, true) then
        missing[#missing + 1] = "class:" .. name
      end
    end
    table.sort(missing)
    assert.same({}, missing)
  end)

  it("annotates the methods of columns, conditions and values", function()
    local t = neap.types
    local Thing = neap.open "sqlite::memory:":model("Thing", { id = t.integer { primary = true } })
    local missing = {}
    for class, value in pairs {
      column = Thing.id, condition = Thing.id:eq(1), decimal_value = neap.decimal "1", datetime_value = neap.now(),
      date_value = neap.date "2024-05-01", bytes_value = neap.bytes "x", task = neap.spawn(rawlen, ""),
    } do
      local index = debug.getmetatable(value).__index
      assert.truthy(index, class)
      for name in pairs(type(index) == "table" and index or {}) do
        if not name:find "^__" and not text:find("function " .. class .. ":" .. name .. "(", 1, true) then
          missing[#missing + 1] = class .. ":" .. name
        end
      end
    end
    table.sort(missing)
    assert.same({}, missing)
  end)

  it("is Lua", function()
    assert.is_function(load(text))
  end)
end)
