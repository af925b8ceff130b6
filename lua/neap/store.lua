-- store.lua: what scripts do with a store as a whole: open it, look at it through options, run transactions.
local host = require "neap.host"
local opening = require "neap.opening"
local usage = require "neap.fail".usage
local view = require "neap.view"

local decode = opening.decode
local store = view.methods  -- every store and view indexes this table

store.supports = view.supports
store.sql = view.sql
store.close = view.close

-- ---- Opening ----

local function unsupported(format, ...)
  error(host.error { kind = "unsupported", message = string.format(format, ...) }, 0)
end

--- Everything after "?": a=1&b=2.
local function read_options(query, known, url)
  local options = {}
  for pair in query:gmatch "[^&]+" do
    local name, value = pair:match "^([^=]*)=(.*)$"
    if not name then usage('"%s" in %s is no option; options look like ?timeout=5&mode=ro', pair, url) end
    if not known[name] then usage('"%s" in %s is no option of this store; it knows mode and timeout', name, url) end
    options[name] = known[name](decode(value), url)
  end
  return options
end

local sqlite_options = {
  mode = function(value, url)
    if value ~= "ro" and value ~= "rw" then usage('mode=%s in %s: it is ro (only read) or rw', value, url) end
    return value
  end,
  timeout = function(value, url)
    local seconds = tonumber(value)
    if not seconds or seconds < 0 then usage("timeout=%s in %s: it is a number of seconds", value, url) end
    return seconds
  end,
}

local given_options = { url = true, mode = true, timeout = true, table_template = true }

local function open_sqlite(rest, given, url, granted)
  for name in pairs(given) do
    if not given_options[name] then
      usage("%s is no option of this store; they are url, mode, timeout and table_template", host.show_key(name))
    end
  end
  local path, query = rest:match "^([^?]*)[?]?(.*)$"
  path = decode(path:gsub("^//", ""))
  if path == "" then usage("%s names no file; write sqlite:shop.db or sqlite::memory:", url) end
  local template = given.table_template
  if template ~= nil then opening.table_template(template) end
  if path:find "%z" then usage("%q has a NUL in its path", url) end
  local options = read_options(query, sqlite_options, url)
  options.mode = given.mode and sqlite_options.mode(given.mode, url) or options.mode
  return require "neap.sql".open {
    path = path,
    read_only = options.mode == "ro",
    timeout = given.timeout or options.timeout,
    table_template = given.table_template,
    granted = granted,
  }
end

-- ---- PostgreSQL ----

local function seconds(name)
  return function(value, url)
    local n = tonumber(value)
    if not n or n < 0 then usage("%s=%s in %s: it is a number of seconds", name, value, url) end
    return n
  end
end

--- What is ours; all else in a URL is libpq's: sslmode, application_name, target_session_attrs, ...
local postgres_options = {
  connect_timeout = seconds "connect_timeout",
  timeout = seconds "timeout",
  wait = seconds "wait",
  idle = seconds "idle",
  share = function(value, url)
    value = tostring(value)
    if value ~= "true" and value ~= "false" then usage("share=%s in %s: it is true or false", value, url) end
    return value == "true"
  end,
  pool = function(value, url)
    local n = math.tointeger(tonumber(value))
    if not n or n < 1 or n > 256 then usage("pool=%s in %s: it is a number of connections, 1 to 256", value, url) end
    return n
  end,
}

local function encode(text)
  return (tostring(text):gsub("[^%w._~-]", function(c) return ("%%%02X"):format(c:byte()) end))
end

--- Takes our options out of the query of a URL; returns them and the rest of the URL.
local function split_options(rest, url)
  local base, query = rest:match "^([^?]*)[?]?(.*)$"
  local options, others = {}, {}
  for pair in query:gmatch "[^&]+" do
    local name, value = pair:match "^([^=]*)=(.*)$"
    local read = name and postgres_options[name]
    if read then options[name] = read(decode(value), url) else others[#others + 1] = pair end
  end
  return options, base, others
end

--- The database that a URL names, however its user, password and other options are given.
local function place_of(base, others)
  local named = {}
  for _, pair in ipairs(others) do
    local name, value = pair:match "^(%w+)=(.*)$"
    if name then named[name] = decode(value) end
  end
  local user, hosts, name = base:gsub("^//", ""):match "^([^/]-)@?([^/@]*)/?([^/]*)$"
  user = named.user or user and user:match "^[^:]+" or host.getenv "PGUSER" or host.getenv "USER" or ""
  hosts = named.host or named.hostaddr or hosts ~= "" and hosts or host.getenv "PGHOST" or ""
  name = named.dbname or name ~= "" and decode(name) or host.getenv "PGDATABASE" or decode(user)
  local port = named.port or host.getenv "PGPORT" or "5432"
  local list = {}
  for one in hosts:lower():gmatch "[^,]+" do list[#list + 1] = one:find ":%d+$" and one or one .. ":" .. port end
  return ("postgres:%s/%s"):format(#list > 0 and table.concat(list, ",") or port, name)
end

local function open_postgres(rest, given, url, granted)
  local options, base, others = split_options(rest, url)
  for name, value in pairs(given) do
    local read = postgres_options[name]
    if type(name) ~= "string" then usage("%s is no option of this store", host.show_key(name)) end
    if read then
      options[name] = read(value, url)
    elseif name ~= "url" and name ~= "table_template" then
      others[#others + 1] = encode(name) .. "=" .. encode(value)
    end
  end
  table.sort(others)
  options.url = "postgres:" .. base .. (#others > 0 and "?" .. table.concat(others, "&") or "")
  options.place = place_of(base, others)
  options.table_template, options.granted = given.table_template, granted
  local connect = require "neap.sql".connect
  if not connect then unsupported("%s: this neap was built without PostgreSQL (WITH_PG=0)", url) end
  return connect(options)
end

local function open_dynamodb(...)
  return require "neap.dynamodb.store".open(...)
end

local schemes = {
  sqlite = open_sqlite, postgres = open_postgres, postgresql = open_postgres, dynamodb = open_dynamodb,
}

local function redact(url)
  return (url:gsub("^([%w+]+://[^/@]*:)[^/@]*@", "%1***@"):gsub("(password=)[^&]*", "%1***")
    :gsub("([a-z]+_key=)[^&]*", "%1***"):gsub("(session_token=)[^&]*", "%1***"))
end

-- What scripts may say about a store that they are granted by its name.
local own_options = { url = true, timeout = true, table_template = true, pool = true, idle = true }

--- What opens the store of that name in a host that grants its stores by name; nil where scripts may open any.
local function grant(name, given)
  local url = host.granted(name)
  if not url then return nil end
  local options = {}
  for option, value in next, given do
    if not own_options[option] or (option == "pool" and value ~= 1) then
      usage("%s is not for scripts to say about %s", host.show_key(option), host.show_key(name))
    end
    if option ~= "url" then options[option] = value end
  end
  return url, options
end

--- Opens a store. Where the host grants stores by name, that name stands in place of the URL.
---@param spec? string|table  a URL, or a table with `url` and options; none: $NEAP_STORE, else sqlite:neap.db
---@return table store
function store.open(spec)
  local given = type(spec) == "table" and spec or {}
  local name = type(spec) == "table" and spec.url or spec
  local url, options = grant(name, given)
  local granted = url and name
  if not granted then url, options = name or os.getenv "NEAP_STORE" or "sqlite:neap.db", given end
  if type(url) ~= "string" then usage("the store to open is a URL such as sqlite:shop.db, not %s", host.show(url)) end
  local scheme, rest = url:match "^([%a][%w+.-]*):(.*)$"
  if not scheme then usage('"%s" is no URL of a store; write sqlite:%s for a file', redact(url), redact(url)) end
  local open = schemes[scheme]
  if not open then usage('"%s" is no kind of store; known: sqlite, postgres, dynamodb', scheme) end
  local opened = open(rest, options, granted or redact(url), granted)
  view.shared(opened).given = type(spec) == "table" and spec or name or url  -- opens it once more
  return opened
end

-- ---- What only other stores have ----

-- The capability behind a verb, and what does the same on a store without it.
local elsewhere = {
  capacity = { "requests", "nothing that it does is counted in units" },
  call = { "functions", "call a function of the script" },
  check = { "checks", "inside a transaction nobody else changes what it has read: compare there" },
  copy_in = { "copy", "store:save takes lists" },
  copy_out = { "copy", "q:each gives rows" },
  command = { "commands", "store:sql sends it statements" },
  installations = { "push", "parse has it" },
  job = { "functions", "neap.spawn runs a function beside the others" },
  listen = { "channels", "ask again after a neap.sleep" },
  push = { "push", "parse has it" },
  request = { "requests", "store:sql sends it statements" },
  stream = { "streams", "give the model a t.datetime{ auto_now = true } and ask for what is newer" },
}

local function refuse(self, verb)
  local what = elsewhere[verb]
  local message = ("%s has no %s (store:%s): %s"):format(view.kind(self), what[1], verb, what[2])
  error(host.error { kind = "unsupported", message = message }, 0)
end

setmetatable(store, {
  __index = function(_, verb)
    return elsewhere[verb] and function(self) refuse(self, verb) end
  end,
})

--- Sends a request of the service as it is.
---@param operation string
---@param payload? table
---@return table reply
function store.request(self, operation, payload)
  if not self:supports "requests" then refuse(self, "request") end
  return require "neap.dynamodb.store".request(self, operation, payload)
end

--- What was spent of each table, in capacity units, where the store was opened with capacity = true or a rate.
---@return table<string, { read: number, write: number }> units
function store.capacity(self)
  if not self:supports "requests" then refuse(self, "capacity") end
  return require "neap.dynamodb.store".capacity(self)
end

--- The changes of a model's table, in their order.
---@param class table  the model
---@param position string|table|userdata  "trim_horizon", "latest", a datetime, or a token
---@return table stream
function store.stream(self, class, position)
  if not self:supports "streams" then refuse(self, "stream") end
  return require "neap.dynamodb.stream"(self, class, position)
end

-- ---- Channels ----

local listener = {}
listener.__index = listener

--- Listens to a channel: what is sent to it from now on comes out of each(). Has a connection until it is closed.
---@param channel string
---@return table listener
function store.listen(self, channel)
  if not self:supports "channels" then refuse(self, "listen") end
  return setmetatable({ rows = view.listen(self, channel) }, listener)
end

--- An iterator over notifications: { channel =, payload =, process = }. Ends after `wait` seconds without one (default:
--- never), and closes the listener when the loop is left.
---@param options? { wait: number }
function listener.each(self, options)
  local wait = options and options.wait
  return function()
    local ok, n = pcall(view.hear, self.rows, wait)
    if ok then return n end
    if wait and host.is(n, "timeout") then return nil end
    error(n, 0)
  end, nil, nil, self.rows
end

--- Gives the connection back.
function listener.close(self)
  local _ <close> = self.rows
end

-- ---- COPY ----

local forms = { ["in"] = { "from%s+stdin", "COPY ... FROM STDIN" }, out = { "to%s+stdout", "COPY ... TO STDOUT" } }

local function check_copy(self, text, direction)
  if not self:supports "copy" then refuse(self, "copy_" .. direction) end
  local form, lower = forms[direction], type(text) == "string" and text:lower() or ""
  if not lower:find "^%s*copy%f[%A]" or not lower:find("%f[%a]" .. form[1] .. "%f[%A]") then
    usage("store:copy_%s takes one statement, %s, not %s", direction, form[2], host.show(text))
  end
end

local copy = {}
copy.__index = copy

--- The rows of a COPY ... TO STDOUT as they come, in the format that it names. Has a connection until they have ended.
---@param text string
---@return table copy
function store.copy_out(self, text)
  check_copy(self, text, "out")
  return setmetatable({ rows = view.copy(self, text, false) }, copy)
end

--- An iterator over the rows: each as the server spells it, with the end of its line.
function copy.each(self)
  local rows = self.rows
  return function() return view.copied(rows) end, nil, nil, rows
end

--- Ends it early, and gives the connection back.
function copy.close(self)
  local _ <close> = self.rows
end

-- What gives the pieces of a source one by one, as `for` takes it.
local function pieces(source)
  local kind = type(source)
  if kind == "function" then return source end
  if io.type(source) == "file" then return function() return source:read(65536) end end
  if kind == "string" then return string.gmatch(source, ".+") end
  if (kind == "table" or kind == "userdata") and source.each then return source:each() end
  usage("store:copy_in takes data from a string, a function, a file or what has each(), not %s", host.show(source))
end

--- Sends data to a COPY ... FROM STDIN; all of it is written, or nothing.
---@param text string
---@param source string|fun(): string?|file*|table  gives the data in pieces of any size; a table by its each()
---@return integer rows how many were written
function store.copy_in(self, text, source)
  check_copy(self, text, "in")
  local piece, state, first, closing = pieces(source)
  local rows <close> = view.copy(self, text, true)
  for data in piece, state, first, closing do
    if type(data) ~= "string" then usage("the source of a copy gives text, not %s", host.show(data)) end
    view.put(rows, self, data)
  end
  return view.put(rows, self)
end

-- ---- Views ----

-- What ends something is made before that begins, so that nothing can fail in between.
local leaving = {
  __close = function(self)
    if self.before ~= false then view.leave(self.before) end
  end,
}

--- Runs f(v) while the view counts for its store.
local function within(v, f)
  local entered <close> = setmetatable({ before = false }, leaving)
  view.enter(v, entered)
  return f(v)
end

local view_options = {
  atomic = true, consistent = true, persist = true, timeout = true, scope = true, session = true, master_key = true,
  dry_run = true,
}

--- { class, condition } for each model of options.scope.
local function scopes(self, options)
  local list = {}
  host.check("table", options.scope or {}, "scope")
  for name, condition in pairs(options.scope or {}) do list[#list + 1] = { self:model(name), condition } end
  return list
end

--- A view of the store with options; with a function, they count for everything that it does on the store.
---@param options table  atomic, consistent, dry_run, persist = "overwrite", timeout, scope = { Model = condition }
---@param f? fun(view: table): any
function store.with(self, options, f)
  host.check("table", options, "options")
  if f ~= nil then host.check("function", f, "f") end
  for name in pairs(options) do
    if not view_options[name] then
      usage("%s is no option of store:with; they are atomic, consistent, dry_run, persist, scope and timeout",
        host.show_key(name))
    end
  end
  local v = view.derive(self, options, scopes(self, options))
  if not f then return v end
  return within(v, f)
end

-- ---- Transactions ----

local ending = { __close = function(self) view.rollback(self.tx) end }

local function attempt(self, f, reads, token)
  local begun <close> = setmetatable({ tx = false }, ending)
  local results = table.pack(within(view.begin(self, begun, reads, token), f))
  view.commit(begun.tx)
  return results
end

local transaction_options = { retries = true, token = true, mode = true }

local function check_transaction(options)
  host.check("table", options, "options")
  for name in pairs(options) do
    if not transaction_options[name] then
      usage("%s is no option of store:transaction; they are mode, retries and token", host.show_key(name))
    end
  end
  local retries, token, mode = options.retries or 0, options.token, options.mode
  if math.type(retries) ~= "integer" or retries < 0 then
    usage("retries must be an integer >= 0, not %s", host.show(retries))
  end
  if token ~= nil and (type(token) ~= "string" or #token < 1 or #token > 36) then
    usage("token is text of 1 to 36 bytes, not %s", host.show(token))
  end
  if mode ~= nil and mode ~= "read" and mode ~= "write" then
    usage('mode must be "read" or "write", not %s', host.show(mode))
  end
  return retries, mode == "read", token
end

--- Runs f(tx) in a transaction: commits when it returns, rolls back when it raises. Inside another one: a savepoint.
---@param f fun(tx: table): any
---@param options? { retries: integer, token: string, mode: string }  retries: how often to begin anew, after a while,
---  when a conflict is worth it (default 0); token, mode = "read": of stores that write when a transaction commits
---@return any what f returned
function store.transaction(self, f, options)
  host.check("function", f, "f")
  local left, reads, token = check_transaction(options or {})
  local most = 0.01  -- seconds
  while true do
    local ok, results = pcall(attempt, self, f, reads, token)
    if ok then return table.unpack(results, 1, results.n) end
    if left <= 0 or not (host.is(results, "conflict") and results.retryable) then error(results, 0) end
    host.sleep(most * math.random())  -- those who met once would meet again if they began at the same time
    left, most = left - 1, math.min(most * 2, 1)
  end
end

--- In a transaction that is written when it commits: the object, which is not written itself, must be there then and
--- meet the condition. Without one it must be as it was read inside; a new one must not be there.
---@param object table
---@param condition? table
function store.check(self, object, condition)
  if not self:supports "checks" then refuse(self, "check") end
  require "neap.save".check(self, object, condition)
end

return store
