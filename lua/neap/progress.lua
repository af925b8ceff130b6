-- neap.progress: how far a long job is, as a bar on a terminal; as lines of the log in a job; elsewhere
-- it prints nothing.
local host = require "neap.host"
local log = require "neap.log"
local now = require "neap.now"
local terminal = require "neap.terminal"

local INTERVAL, LOG_INTERVAL = 0.1, 10  -- seconds between two drawings, two lines

local Progress = {}
Progress.__index = Progress

local function draw(self)
  if self.logged then return log.info(self.label, { done = self.done, total = self.total }) end
  local columns = terminal.columns(2)
  if not (columns and io.stderr) then return end
  local share = self.total > 0 and math.min(self.done / self.total, 1) or 1
  local head, tail = self.label .. " ", (" %d/%d %3d%%"):format(self.done, self.total, share * 100 // 1)
  local room = math.max(columns - utf8.len(head) - #tail - 1, 0)
  local filled = math.floor(room * share)
  io.stderr:write("\r", head, ("█"):rep(filled), ("·"):rep(room - filled), tail)
  self.drawn = true
end

--- Says that `count` more are done.
---@param count? integer 1 unless given
function Progress:step(count)
  self.done = self.done + (count or 1)
  local time = now():timestamp()
  if self.done < self.total and time - self.last < (self.logged and LOG_INTERVAL or INTERVAL) then return end
  self.last = time
  draw(self)
end

--- Leaves the bar as it is and goes to the next line.
function Progress:close()
  if self.drawn then io.stderr:write "\n" end
  self.drawn = false
end
Progress.__close = Progress.close

local function start(total, label)
  local format = host.log_format()
  local logged = format and (format ~= "plain" or not terminal.columns(2))
  local last = logged and now():timestamp() or 0
  return setmetatable({ total = total, label = label or "", done = 0, last = last, logged = logged }, Progress)
end

--- For a query: iterates over its objects and shows how far it is.
local function each(query, label)
  local bar = start(query:count(), label)
  local next, state, first, closing = query:each()
  return function(_, previous)
    local object = next(state, previous)
    if object ~= nil then bar:step() else bar:close() end
    return object
  end, state, first, closing
end

--- neap.progress(1000, "import") gives a bar: bar:step(n), bar:close(), <close>.
--- for p in neap.progress(query, "posts") do … end runs over a query with one.
---@param what integer|table how many, or a query
---@param label? string
return function(what, label)
  if math.type(what) == "integer" then return start(what, label) end
  return each(what, label)
end
