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

---A bar on standard error when that is a terminal, entries in a log with times, else nothing. For a query: iterates over
---its objects.
---@overload fun(query: table, label?: string): fun(): table
---@param total integer
---@param label? string
---@return neap.progress.bar
function neap.progress(total, label) end

-- ---- Jobs ----

---@class neap.job.options
---@field name? string that of `neap run` unless given
---@field store? neap.store keeps the marks, in its table neap_checkpoints: SQLite or PostgreSQL
---@field history? string a file that keeps them, and notes each run for `neap jobs`
---@field lock? true|string one run at a time: by the name of the job, or by this one
---@field lock_store? neap.store where the lock of a function is, for one run on however many machines
---@field retries? integer how often to run again what fails
---@field retry_delay? number|string up to this long (1s) before that, up to twice as long each time
---@field timeout? number|string seconds or "5m" for all attempts together

---@class neap.job
---@field name string
---@field attempts integer
local job = {}
---Remembers how far the job has come. In a transaction of the store that keeps the marks: if that is committed.
---@param key string
---@param value any what JSON can hold; nil forgets
function job:checkpoint(key, value) end
---What was remembered last, in this run or one before; nil if nothing was.
---@param key string
---@return any
function job:resume(key) end
---Forgets all marks: the next run begins anew.
function job:clear() end

---A job. With a function: calls it with the job, once at a time, for so long, again if it fails, as the options say, and gives
---what it returns. Raises `conflict` with the code "locked" where another run has the lock, and `timeout`. Without one these
---options are for the script, which begins again under `neap run`: what that was not told, they say.
---@overload fun(options?: neap.job.options): neap.job
---@param options neap.job.options
---@param f fun(job: neap.job): any
---@return any ...
function neap.job(options, f) end
