-- contract.lua: one set of specs over every store: a fresh database each, its capability table, and another client that
-- sees what is really there.
--
--   contract.each("saving", function(c)
--     it("keeps what was saved", function()
--       local Post = c.store:model("Post", { ... })
--       c.store:bind()
--       Post{ id = 1 }:save()
--       assert.same({ "1" }, c:client "SELECT id FROM Post")
--     end)
--   end)
local busted = require "busted"
local neap = require "neap"

local contract = { stores = {} }

--- What the sqlite3 command prints, line by line.
local function sqlite_client(self, sql)
  local input = os.tmpname()
  local file = assert(io.open(input, "w"))
  file:write(sql, ";\n")
  file:close()
  local pipe = assert(io.popen(("sqlite3 -batch %s < %s 2>&1"):format(self.path, input)))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  pipe:close()
  os.remove(input)
  return lines
end

contract.stores.sqlite = {
  --- Makes an empty database and gives its URL.
  fresh = function(self)
    self.path = os.tmpname()
    return "sqlite:" .. self.path
  end,
  drop = function(self)
    for _, suffix in ipairs { "", "-wal", "-shm", "-journal" } do os.remove(self.path .. suffix) end
  end,
  client = sqlite_client,
  -- Design, section 4: what store:supports must say.
  capabilities = {
    transactions = true, savepoints = true, joins = true, aggregates = true, conditions = true, sql = true, unique = true,
    returning = true, streams = false, for_update = false, null = false, checks = false, commands = false, requests = false,
    functions = false, push = false, channels = false,
  },
}

--- Runs the specs in body(c) over each store. c.store and c.url are new in every spec; c:client(text) asks another program.
---@param name string
---@param body fun(c: table)
function contract.each(name, body)
  local names = {}
  for store in pairs(contract.stores) do names[#names + 1] = store end
  table.sort(names)
  for _, store in ipairs(names) do
    local c = setmetatable({ name = store }, { __index = contract.stores[store] })
    busted.describe(name .. " on " .. store, function()
      busted.before_each(function()
        c.url = c:fresh()
        c.store = neap.open(c.url)
      end)
      busted.after_each(function()
        c.store:close()
        c:drop()
      end)
      body(c)
    end)
  end
end

return contract
