-- neap.migrate: numbered steps from one schema to the next, for what store:bind leaves alone: renaming, other types,
-- filling in. A folder holds them, 0001_first.lua and so on; the table neap_migrations says which were applied.
local fail = require "neap.fail".as
local host = require "neap.host"
local folder = require "neap.folder"
local kernel = require "neap.save_kernel"
local marks = require "neap.marks"
local now = require "neap.now"
local progress = require "neap.progress"
local own_table = require "neap.own_table"
local quoted = require "neap.sql.schema".quoted
local stores = require "neap.store"
local terminal = require "neap.terminal"
local view = require "neap.view"

local migrate = {}

-- ---- The files ----

--- FNV-1a of 64 bits: tells a file that was edited. The ends of lines may change on the way through version control.
local function checksum(text)
  local h = 0xcbf29ce484222325
  text = text:gsub("\r\n", "\n")
  for i = 1, #text do h = (h ~ text:byte(i)) * 0x100000001b3 end
  return ("%016x"):format(h)
end

local function read_text(path)
  local file, why = io.open(path, "rb")
  if not file then fail("forbidden", "%s", why) end
  local text = file:read "a"
  file:close()
  return text
end

--- Numbers count from 1 without gaps: whoever merges two branches is told, not guessed for.
local function check_numbers(files, dir)
  for i, file in ipairs(files) do
    local before = files[i - 1]
    if before and before.version == file.version then
      fail("usage", "%s: %s and %s have the same number; give the later one the next", dir, before.name, file.name)
    elseif file.version ~= i then
      fail("usage", "%s: %s comes where number %d was expected; numbers count from 1 without gaps", dir, file.name, i)
    end
  end
end

--- { version =, name =, path =, text =, checksum = } of each migration in the folder, in order.
local function files_in(dir)
  if type(dir) ~= "string" then fail("usage", "the folder of the migrations is a path, not %s", host.show(dir)) end
  local files = {}
  for _, name in ipairs(folder.list(dir)) do
    local number = name:match "^(%d+)_.+%.lua$"
    if number then
      local path = dir .. "/" .. name
      local text = read_text(path)
      local version = math.tointeger(tonumber(number)) or math.maxinteger
      files[#files + 1] = { version = version, name = name, path = path, text = text, checksum = checksum(text) }
    elseif name:find "%.lua$" then
      fail("usage", "%s/%s: a migration is called NUMBER_WORDS.lua, such as 0001_first.lua", dir, name)
    end
  end
  table.sort(files, function(a, b) return a.version < b.version or a.version == b.version and a.name < b.name end)
  check_numbers(files, dir)
  return files
end

--- What a direction does: a function, or a list of statements. One text is a list of one.
local function read_work(file, direction, work)
  if work == nil or type(work) == "function" then return work end
  if type(work) == "string" then work = { work } end
  if type(work) ~= "table" or #work == 0 then
    fail("usage", "%s: %s is a function of the transaction, or a list of statements, not %s", file.name, direction,
      host.show(work))
  end
  for i, text in ipairs(work) do
    if type(text) ~= "string" then
      fail("usage", "%s: statement %d of %s is a text, not %s", file.name, i, direction, host.show(text))
    end
  end
  return work
end

local fields = { up = true, down = true, transaction = true }

--- Runs the file and keeps what it returned: file.up, file.down and file.transaction.
local function load_file(file)
  local chunk, why = load(file.text, "@" .. file.path, "t")
  if not chunk then fail("usage", "%s", why) end
  local step = chunk()
  if type(step) ~= "table" then
    fail("usage", "%s returned %s; a migration returns { up = function(tx) ... end, down = function(tx) ... end }",
      file.name, host.show(step))
  end
  if step[1] ~= nil then step = { up = step } end
  for name in pairs(step) do
    if not fields[name] then
      fail("usage", "%s: %s is no part of a migration; they are up, down and transaction", file.name,
        host.show_key(name))
    end
  end
  if step.up == nil then fail("usage", "%s has no up", file.name) end
  file.transaction = step.transaction ~= false
  file.up, file.down = read_work(file, "up", step.up), read_work(file, "down", step.down)
end

-- ---- What the database has seen ----

--- Sends a statement of ours, in which {name} is a table that is named as the store names all of them.
local function send(store, text, params)
  return store:sql(text:gsub("{([%w_]+)}", function(name) return quoted(store, name) end), params)
end

-- Both databases read the types: SQLite keeps times as text, as it does for models.
local COLUMNS = [[version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL,
  applied_at TIMESTAMP WITH TIME ZONE NOT NULL]]

--- What was applied, or nil if there is no such table.
local function applied_in(store)
  local rows, e = host.try(send, store, "SELECT version, name, checksum FROM {neap_migrations} ORDER BY version")
  if not rows and not host.is(e, "mismatch") then error(e, 0) end
  return rows
end

local function fault_of(row, place, file, dir)
  if row.version ~= place then
    return ("the database has seen migration %d (%s), but not %d"):format(row.version, row.name, place)
  elseif not file or file.name ~= row.name then
    return ("the database has seen %s, which is not in %s any more: put it back"):format(row.name, dir)
  elseif file.checksum ~= row.checksum then
    return ("%s has changed since the database saw it: put it back as it was, and write a new migration")
      :format(row.name)
  end
end

--- Raises unless the files still are what was applied.
local function check_applied(applied, files, dir)
  local faults = {}
  for i, row in ipairs(applied) do faults[#faults + 1] = fault_of(row, i, files[i], dir) end
  if #faults == 0 then return end
  local more = #faults > 1 and ("; %d more in e.errors"):format(#faults - 1) or ""
  error(host.error { kind = "mismatch", message = faults[1] .. more, errors = faults }, 0)
end

local function record(tx, file, direction)
  if direction == "up" then
    send(tx, "INSERT INTO {neap_migrations} (version, name, checksum, applied_at) VALUES (?, ?, ?, ?)",
      { file.version, file.name, file.checksum, now() })
  else
    send(tx, "DELETE FROM {neap_migrations} WHERE version = ?", { file.version })
  end
end

-- ---- One at a time ----

local ADVISORY = 0x6e6561706d696772  -- "neapmigr": what other programs will hardly ask PostgreSQL to lock

--- How a run keeps others out, by a transaction in a store beside the one that it works on: what that locks is free
--- when its process ends, however it ends, and what runs outside of transactions is not in its way.
local lock = {}

--- SQLite locks whole files, so it is another file.
function lock.sqlite(store)
  local file = store:sql "PRAGMA database_list"[1].file
  if file == "" then return end  -- nobody else sees what is in memory
  local path = (file .. "-migrate"):gsub("[%%?]", { ["%"] = "%25", ["?"] = "%3F" })
  return "sqlite:" .. path .. "?timeout=0"
end

--- CREATE INDEX CONCURRENTLY waits for every snapshot that is held: so the lock is tried, not waited for, and a
--- statement without a snapshot comes behind it.
function lock.postgres(store)
  return view.shared(store).given, function(tx)
    tx:sql "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
    local held = tx:sql("SELECT pg_try_advisory_xact_lock(?) AS held", { ADVISORY })[1].held
    tx:sql "SET LOCAL idle_in_transaction_session_timeout = 0"
    return held
  end
end

local closing = { __close = function(self) self.store:close() end }

--- Runs f and gives what it returned, or raises if another run is at work.
local function locked(store, f)
  local find = lock[view.kind(store)]
  if not find then fail("unsupported", "%s has no migrations: they are SQL", view.kind(store)) end
  local given, take = find(store)
  if not given then return f() end
  local held, result = false, nil
  local ok, e = pcall(function()
    local beside <close> = setmetatable({ store = stores.open(given) }, closing)
    beside.store:transaction(function(tx)
      held = not take or take(tx)
      if held then result = f() end
    end)
  end)
  if not held and (ok or host.is(e, "conflict") and e.retryable) then
    error(host.error {
      kind = "conflict", code = "locked", retryable = true,
      message = "another run of migrations is at work on this database: try again when it has ended",
    }, 0)
  elseif not ok then
    error(e, 0)
  end
  return result
end

-- ---- What a migration sends ----

--- The store or transaction as a migration is given it. It knows which statement failed; in a plan it sends nothing and
--- lists the statements.
---@param seen table  statements: those of a plan, else nil; statement and error: the one that failed last
local function observe(real, seen)
  local observed = {}
  function observed.sql(_, text, params)
    if seen.statements then
      table.insert(seen.statements, { sql = text, params = params or {} })
      return {}
    end
    local results = table.pack(pcall(real.sql, real, text, params))
    if results[1] then return table.unpack(results, 2, results.n) end
    seen.statement, seen.error = text, results[2]
    error(results[2], 0)
  end
  function observed.transaction(_, f, options)
    if seen.statements then return f(observed) end
    return real:transaction(function(tx) return f(observe(tx, seen)) end, options)
  end
  function observed.supports(_, capability) return real:supports(capability) end
  local function other(_, verb)
    local method = real[verb]
    if type(method) ~= "function" then return method end
    return function(_, ...)
      if seen.statements then fail("unsupported", "store:%s is not sent in a plan", verb) end
      return method(real, ...)
    end
  end
  return setmetatable(observed, { __index = other, __tostring = function() return tostring(real) end })
end

--- "db/0001_first.lua:3": where the file has the statement, if it stands there as it is.
local function place_of(file, text)
  local from = file.text:find(text, 1, true)
  if not from then return file.path end
  local _, lines = file.text:sub(1, from):gsub("\n", "")
  return ("%s:%d"):format(file.path, lines + 1)
end

local function perform(file, direction, real, seen)
  local work, tx = file[direction], observe(real, seen)
  if type(work) == "function" then return work(tx) end
  for _, text in ipairs(work) do
    seen.where = place_of(file, text)
    tx:sql(text)
  end
end

-- ---- Batches ----

-- Of each store that runs a migration outside of transactions: which, and how many calls of batches it has made.
local running = setmetatable({}, { __mode = "k" })

local PLACES = [[version INTEGER NOT NULL, direction TEXT NOT NULL, call INTEGER NOT NULL, done INTEGER NOT NULL,
  after TEXT, PRIMARY KEY (version, direction, call)]]

--- Where a call of batches is in its query; an interrupted one left it behind, with its last batch.
local Place = {}
Place.__index = Place

local function open_place(store)
  local at = running[view.shared(store)]
  if not at or kernel.in_transaction(store) then return end
  at.calls = at.calls + 1
  own_table(store, "neap_migration_batches", PLACES)
  return setmetatable({ key = { at.file.version, at.direction, at.calls } }, Place)
end

function Place:read(store)
  local v, d, c = table.unpack(self.key)
  return send(store,
    "SELECT done, after FROM {neap_migration_batches} WHERE version = ? AND direction = ? AND call = ?",
    { v, d, c })[1]
end

function Place:write(tx, done, after)
  local v, d, c = table.unpack(self.key)
  send(tx, "DELETE FROM {neap_migration_batches} WHERE version = ? AND direction = ? AND call = ?", { v, d, c })
  send(tx, "INSERT INTO {neap_migration_batches} (version, direction, call, done, after) VALUES (?, ?, ?, ?, ?)",
    { v, d, c, done, after or marks.null })
end

--- Runs f(objects, tx) over the rows of a query, so many at a time in the order of the query and of its keys. Each is a
--- transaction of its own, or part of the one around it. In a migration with `transaction = false` each batch is kept
--- with the place that it reached: run again, it goes on behind the last one that was kept.
---@param query table
---@param size integer
---@param f fun(objects: table, tx: table)
---@return integer rows  how many there were
function migrate.batches(query, size, f)
  host.check("count", size, "size")
  host.check("function", f, "f")
  local store = kernel.store_of(query)
  local place = open_place(store)
  local reached = place and place:read(store) or { done = 0 }
  local done, after = reached.done, reached.after
  if done > 0 and not after then return done end  -- it had ended
  local bar <close> = progress(terminal.columns(2) and query:count() or 0, "rows")
  bar:step(done)
  repeat
    local objects, next_after
    store:transaction(function(tx)
      objects, next_after = query:page { size = size, after = after }
      if #objects > 0 then f(objects, tx) end
      if place then place:write(tx, done + #objects, next_after) end
    end)
    done, after = done + #objects, next_after
    bar:step(#objects)
  until not after
  return done
end

-- ---- Running ----

local leaving = { __close = function(self) running[self.shared] = nil end }

--- What cannot run in a transaction: recorded when it has ended, together with what its batches have left behind.
local function perform_outside(store, file, direction, seen)
  local shared = view.shared(store)
  local at <close> = setmetatable({ shared = shared, file = file, direction = direction, calls = 0 }, leaving)
  running[shared] = at
  perform(file, direction, store, seen)
  store:transaction(function(tx)
    record(tx, file, direction)
    if at.calls > 0 then send(tx, "DELETE FROM {neap_migration_batches} WHERE version = ?", { file.version }) end
  end)
end

local function one_line(text)
  return (text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
end

--- The error says which file, which statement, and what is left.
local function tell(e, file, direction, seen, version)
  if getmetatable(e) ~= false then e = host.error { kind = "usage", message = host.show(e), cause = e } end
  local statement = seen.error == e and ("; the statement: " .. one_line(seen.statement)) or ""
  local left = file.transaction and "nothing of it was kept" or "what it had done stays: mend it and run it again"
  if seen.where then e.where = seen.where end
  e.migration = file.name
  e.message = ("%s, %s: %s%s; %s, the database is at version %d"):format(file.name, direction, e.message, statement,
    left, version)
  error(e, 0)
end

local function apply(store, file, direction, version)
  local seen = {}
  local done, e = host.try(function()
    if not file.transaction then
      perform_outside(store, file, direction, seen)
    else
      store:transaction(function(tx)
        record(tx, file, direction)
        perform(file, direction, tx, seen)
      end)
    end
    return true
  end)
  if not done then tell(e, file, direction, seen, version) end
end

local function undone(files, applied, count)
  if count > #applied then fail("usage", "down = %d, but the database has seen only %d migrations", count, #applied) end
  local steps = {}
  for i = #applied, #applied - count + 1, -1 do steps[#steps + 1] = files[i] end
  return steps
end

local function to_come(files, applied, to)
  if to > #files then fail("usage", "to = %d, but the last migration is number %d", to, #files) end
  if to < #applied then
    fail("usage", "to = %d, but the database is at version %d already; down = %d would undo what came since", to,
      #applied, #applied - to)
  end
  return table.move(files, #applied + 1, to, 1, {})
end

local known = { to = "count", down = "count", each = "function" }

local function check_options(options)
  host.check("table", options, "options")
  for name, value in pairs(options) do
    if not known[name] then
      fail("usage", "%s is no option of migrations; they are to, down and each", host.show_key(name))
    end
    host.check(known[name], value, name)
  end
  if options.to and options.down then fail("usage", "to and down are two directions: give one of them") end
end

--- The migrations to run, each loaded, and in which direction. Whatever is wrong with them is found before one is run.
local function steps_of(applied, dir, options)
  local files = files_in(dir)
  check_applied(applied, files, dir)
  local direction = options.down and "down" or "up"
  local steps = options.down and undone(files, applied, options.down)
    or to_come(files, applied, options.to or #files)
  for _, file in ipairs(steps) do
    load_file(file)
    if not file[direction] then fail("usage", "%s has no down: it cannot be undone", file.name) end
  end
  return steps, direction
end

--- Brings the database to the last migration in the folder, or to number `to`, or undoes the last `down` of them. Each
--- is a transaction of its own; one that fails leaves the version as it was. Two runs never work at once: the later one
--- raises `conflict` with the code "locked". Files that were changed since they were applied raise `mismatch`.
---@param store table
---@param dir string  the folder of the files
---@param options? table  to = integer, down = integer, each = function({ name =, direction =, seconds = })
---@return string[] names  those that were run
---@return integer version  at which the database is
function migrate.run(store, dir, options)
  options = options or {}
  check_options(options)
  local names, version = {}, nil
  locked(store, function()
    local applied = applied_in(store)
    if not applied then own_table(store, "neap_migrations", COLUMNS) end
    version = #(applied or {})
    local steps, direction = steps_of(applied or {}, dir, options)
    for i, file in ipairs(steps) do
      local began = now()
      apply(store, file, direction, version)
      names[i], version = file.name, version + (direction == "up" and 1 or -1)
      if options.each then options.each { name = file.name, direction = direction, seconds = now() - began } end
    end
  end)
  return names, version
end

--- What `run` with the same options would send, without sending it. A function is called with a transaction that lists
--- the statements of tx:sql and finds nothing; `unknown` says where it does something else.
---@param store table
---@param dir string
---@param options? table  to, down
---@return table[] steps  { name =, direction =, transaction =, statements = { { sql =, params = } }, unknown = }
function migrate.plan(store, dir, options)
  options = options or {}
  check_options(options)
  local steps, direction = steps_of(applied_in(store) or {}, dir, options)
  local plan = {}
  for i, file in ipairs(steps) do
    local seen = { statements = {} }
    local _, e = host.try(perform, file, direction, store, seen)
    plan[i] = { name = file.name, direction = direction, transaction = file.transaction, statements = seen.statements,
      unknown = e and tostring(e) }
  end
  return plan
end

return migrate
