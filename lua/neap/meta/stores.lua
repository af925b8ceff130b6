---@meta
-- What editors show about stores, views and transactions (LuaLS annotations). Never run.

---@class neap
local neap = {}

---Opens a store: "sqlite:shop.db", "sqlite::memory:", or a table with `url` and the options of the store. Without an argument
---the URL is in NEAP_STORE, else it is sqlite:neap.db. Raises `usage` for a URL that names no store. A host that grants its
---scripts stores by name takes these names alone: any other raises `forbidden`.
---@param url? string|table
---@return neap.store
function neap.open(url) end

---Declares models for the tables and views that a database has: keys, types, references as pointers and relations, indexes. What is
---declared already stays as it is.
---@param store neap.store
---@param options? { only?: string[], keys?: table<string, string|string[]> } some tables; the key of a view or table that has none
---@return table<string, neap.model> models by their names
---@return { table: string, column?: string, reason: string }[] left what has no model, or is no pointer
function neap.reflect(store, options) end

---A condition that is met where any of these is.
---@param conditions neap.condition[]
---@return neap.condition
function neap.any_of(conditions) end

---A condition that is met where none of these is.
---@param conditions neap.condition[]
---@return neap.condition
function neap.none_of(conditions) end

---A store as one sees it: what `neap.open`, `store:with` and the function of `store:transaction` are given.
---@class neap.store
local store = {}

---Whether the store can do it: "transactions", "savepoints", "joins", "aggregates", "conditions", "sql", "unique", "streams",
---"for_update", "null", "returning", "checks", "commands", "requests", "functions", "push", "channels",
---"copy". Raises `usage` for another name.
---@param capability string
---@return boolean
function store:supports(capability) end

---`read_units` and what follows are DynamoDB's.
---@class neap.model.options
---@field table? string its name in the store
---@field open? boolean any field goes
---@field view? boolean bind makes no table of it
---@field read_units? integer
---@field write_units? integer
---@field billing? "on_demand"|"provisioned"
---@field ttl? string the field that says when an item ends
---@field stream? "keys"|"new"|"old"|"new_and_old"
---@field scan? boolean queries may read the whole table

---Declares a model, or gives one that is declared.
---@param name string
---@param fields? table { field = type } or a list of { "field", type }; {} is an open model
---@param options? neap.model.options
---@return neap.model
function store:model(name, fields, options) end

---Creates the tables, columns and indexes that are declared and missing, and compares the rest. Raises `mismatch`, with every
---difference { model =, what =, expected =, actual = } in e.errors, and then changes nothing.
---@param options? { concurrently?: boolean, update?: boolean, timeout?: number } concurrently: make indexes behind the transaction,
---while others write (PostgreSQL). update: change what differs where that can be changed; timeout: seconds to wait for tables (DynamoDB)
---@return (string|{ operation: string, request: table })[] done what was run; empty when all was there
function store:bind(options) end

---Drops the table of a model with all that is in it, if it is there.
---@param class neap.model
function store:drop(class) end

---Runs f(tx) in a transaction: commits when it returns, rolls back when it raises. Inside another one: a savepoint.
---@param f fun(tx: neap.store): any
---@param options? { retries?: integer, token?: string, mode?: "read"|"write" } retries: how often to begin anew after a conflict.
---Of stores that write when a transaction commits: a token of the script's own, and whether it only reads
---@return any
function store:transaction(f, options) end

---In a transaction of a store that writes when it commits (DynamoDB): the object, which is not written itself, must be there then
---and meet the condition. Without one it must be as it was read inside; a new one must not be there.
---@param object neap.object
---@param condition? neap.condition|table
function store:check(object, condition) end

---Listens to a channel, on stores that have them (PostgreSQL): what is sent from now on comes out of each().
---@param channel string
---@return neap.listener
function store:listen(channel) end

---@class neap.listener
local listener = {}

---Notifications: { channel =, payload =, process = }. Ends after `wait` seconds without one; by default never.
---@param options? { wait?: number }
---@return fun(): table?
function listener:each(options) end

---Gives the connection back.
function listener:close() end

---The rows of a COPY ... TO STDOUT, on stores that have it (PostgreSQL), in the format that it names.
---@param text string
---@return neap.copy
function store:copy_out(text) end

---@class neap.copy
local copy = {}

---Each row as the server spells it, with the end of its line.
---@return fun(): string?
function copy:each() end

---Ends it early, and gives the connection back.
function copy:close() end

---Sends data to a COPY ... FROM STDIN, on stores that have it (PostgreSQL): all of it is written, or nothing.
---@param text string
---@param source string|fun(): string?|file*|neap.copy pieces of any size
---@return integer rows
function store:copy_in(text, source) end

---A view with options, or f(view) with these options for all that it does on the store.
---@param options { atomic?: boolean, consistent?: boolean, dry_run?: boolean, persist?: "overwrite", timeout?: number, scope?: table }
---@param f? fun(view: neap.store): any
---@return any
function store:with(options, f) end

---Operations that are independent of each other: batch:save(p), batch:delete(p), batch:run().
---@return table batch
function store:batch() end

---Saves a list of objects, each for itself. Raises `batch`, with { index =, object =, error = } of those that failed.
---@param objects table
---@return table objects
function store:save(objects) end

---Loads a list of objects anew. Raises `not_found` with those that are gone.
---@param objects table
---@return table objects
function store:load(objects) end

---Deletes a list of objects, each for itself.
---@param objects table
function store:delete(objects) end

---Runs one statement with ? or :name for values.
---@param text string
---@param params? table
---@return table|integer rows plain tables, or how many rows were changed
function store:sql(text, params) end

---Sends a request of DynamoDB as it is: `store:request("DescribeTable", { TableName = "posts" })`. An empty list is neap.array{}.
---@param operation string of DynamoDB or DynamoDB Streams
---@param payload? table its members
---@return table reply
function store:request(operation, payload) end
---What DynamoDB has cost since the store was opened, if it was opened with `capacity = true` or a rate.
---@return table<string, { read: number, write: number }> units by table
function store:capacity() end
---A change of an item of DynamoDB. `expired` where the service deleted it at its time.
---@class neap.change
---@field event "insert"|"modify"|"remove"
---@field key any
---@field old? table
---@field new? table
---@field at neap.datetime.value
---@field sequence string
---@field expired? true

---@class neap.stream
local stream = {}

---The next change, or nil when there is none now. Raises `not_found` where changes behind a token are gone.
---@return neap.change?
function stream:next() end
---Changes as they come; ends after `wait` seconds without one (default: never).
---@param options? { wait: number }
---@return fun(): neap.change?
function stream:each(options) end
---Where it stands, as plain data that may be kept as JSON.
---@return table token
function stream:token() end

---The changes of a model's table in DynamoDB, as long as it keeps them: a day. Raises `usage` for a table without a stream.
---@param class table the model
---@param position "trim_horizon"|"latest"|neap.datetime.value|table table: a token
---@return neap.stream
function store:stream(class, position) end
---Closes all connections; open transactions are rolled back.
function store:close() end

---Numbered files that bring a database from one schema to the next: `require "neap.migrate"`.
---@class neap.migrate
local migrate = {}

---Runs the migrations in a folder that the database has not seen, or undoes the last ones. Raises `mismatch` for files that were
---changed since, `conflict` with the code "locked" while another run is at work.
---@param target neap.store
---@param dir string
---@param options? { to?: integer, down?: integer, each?: fun(step: { name: string, direction: string, seconds: number }) }
---@return string[] names, integer version
function migrate.run(target, dir, options) end

---What `run` would send, without sending it: { name =, direction =, transaction =, statements = { { sql =, params = } }, unknown = }.
---@param target neap.store
---@param dir string
---@param options? { to?: integer, down?: integer }
---@return table[] steps
function migrate.plan(target, dir, options) end

---Runs f(objects, tx) over the rows of a query, so many at a time, each batch a transaction.
---@param query neap.query|neap.model
---@param size integer
---@param f fun(objects: table, tx: neap.store)
---@return integer rows
function migrate.batches(query, size, f) end

---Locks in a store, for jobs that must not run twice at once on however many machines: `require "neap.lease"`.
---@class neap.lease
local lease = {}

---Takes the lock, or gives nil and who has it. Waits while the holder gives no sign of life, a whole lease at most. `seconds`, 30
---unless given, is how long the lock outlives the last sign of its holder's life.
---@param target neap.store
---@param name string
---@param options? { seconds?: number }
---@return neap.lock? lock, { name: string, host: string, pid: integer, since: userdata, token: integer, seconds: number }? holder
function lease.take(target, name, options) end

---@class neap.lock
---@field name string
---@field token integer counts up with every holder
local lock = {}

---Runs f(...) and renews the lock meanwhile. What f and all that it starts write is refused once the lock is lost: `conflict` with the
---code "lost" is raised, and f is cancelled.
---@param f fun(...): any
---@return any what f returned
function lock:run(f, ...) end

---Shows that the holder lives, as `run` does by itself. Raises `conflict` with the code "lost" if somebody else has the lock.
function lock:renew() end

---Gives the lock back. False and the error if the store cannot be told: then the lock lapses.
---@return boolean, table?
function lock:release() end
