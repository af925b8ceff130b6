---@meta
-- What editors show about tasks, errors, the log and progress bars (LuaLS annotations). Never run.

---@class neap
local neap = {}

-- ---- Tasks, errors and the log ----

---@class neap.task
local task = {}
---Waits until the task has ended and gives what its function returned; raises its error.
---@return any ...
function task:await() end
---The task's present wait, and every later one, raises `cancelled`.
function task:cancel() end

---@class neap.error
---@field kind? "usage"|"validation"|"not_found"|"multiple"|"conflict"|"condition"|"unsupported"|"auth"|"forbidden"|"limit"|"throttled"|"timeout"|"cancelled"|"connection"|"protocol"|"server"|"query"|"batch"|"mismatch"
---@field message string what happened, in one line
---@field where? string file and line of the script
---@field store? string
---@field code? string of the store or the system
---@field status? integer HTTP status
---@field detail? string what the server said
---@field errors? table all faults: by field, or a list
---@field retryable? boolean the same call may succeed when made again
---@field outcome? "unknown" a write that may or may not have happened
---@field cause? any
---@field traceback? string

---Starts f(...) as a task of its own, with a clean context.
---@param f function
---@param ... any
---@return neap.task
function neap.spawn(f, ...) end

---Runs the functions side by side and gives their first results in order. The first error cancels the others and is raised
---when all have ended.
---@param functions function[]
---@return any[]
function neap.all(functions) end

---Gives what the first function to end returned; the others are cancelled and have ended by then.
---@param functions function[]
---@return any ...
function neap.race(functions) end

---Calls f(element, index) for each element, at most n side by side, and gives the first results in order.
---@param list any[]
---@param n integer
---@param f fun(element: any, index: integer): any
---@return any[]
function neap.gather(list, n, f) end

---Calls f(...) and cancels it when the time is over; raises `timeout` once it has ended.
---@param seconds number
---@param f function
---@param ... any
---@return any ...
function neap.timeout(seconds, f, ...) end

---Waits; 0 lets the other tasks run.
---@param seconds number
function neap.sleep(seconds) end

---Calls f(...) and gives its results, or nil and the error object (or the table that the script raised).
---@param f function
---@param ... any
---@return any ...
function neap.try(f, ...) end

---Whether e is an error object of that kind.
---@param e any
---@param kind string
---@return boolean
function neap.is(e, kind) end

---In a stock Lua: lets waits pass through pcall, require and coroutines. Elsewhere it does nothing.
function neap.install() end

---@class neap.log
neap.log = {}
---Writes one line: the text and the fields as key=value. Passwords and keys in URLs become ***.
---@param text string
---@param fields? table<string, any>
function neap.log.debug(text, fields) end
---@param text string
---@param fields? table<string, any>
function neap.log.info(text, fields) end
---@param text string
---@param fields? table<string, any>
function neap.log.warn(text, fields) end
---@param text string
---@param fields? table<string, any>
function neap.log.error(text, fields) end

-- ---- Progress ----

---@class neap.progress.bar
local progress_bar = {}
---@param count? integer how many more are done; 1 unless given
function progress_bar:step(count) end
function progress_bar:close() end

---A bar on standard error when that is a terminal, else nothing. For a query: iterates over its objects.
---@overload fun(query: table, label?: string): fun(): table
---@param total integer
---@param label? string
---@return neap.progress.bar
function neap.progress(total, label) end
