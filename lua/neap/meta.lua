---@meta neap
-- What editors show about neap (LuaLS annotations). Never run.

-- ---- Values: marks and JSON ----

---@class neap.null an explicit null; prints `null`
---@class neap.geopoint
---@field latitude number degrees, -90 to 90
---@field longitude number degrees, -180 to 180

---@class neap.bytes.value
local bytes_value = {}
---@return string
function bytes_value:base64() end
---@return string lower case
function bytes_value:hex() end

---@class neap.bytes
---@overload fun(s: string): neap.bytes.value
local bytes = {}
---Raises `validation` if the text is not base64 (RFC 4648, padded).
---@param text string
---@return neap.bytes.value
function bytes.from_base64(text) end

---@class neap.json
---@field null neap.null
local json = {}

---@class neap.json.decode_options
---@field depth? integer the deepest nesting that is accepted; 100 unless given

---Reads one JSON value. Raises `validation` with line, column and byte.
---@param text string
---@param options? neap.json.decode_options
---@return any
function json.decode(text, options) end

---@class neap.json.encode_options
---@field indent? integer blanks a level; 0, everything in one line, unless given
---@field depth? integer the deepest nesting that is written; 100 unless given

---Writes a value as JSON, keys sorted. Raises `validation` with the place of what cannot be written.
---@param value any
---@param options? neap.json.encode_options
---@return string
function json.encode(value, options) end

-- ---- Values: datetimes, dates, decimals, uuids, CSV ----

---A point in time: microseconds since 1970-01-01 UTC, years 0001 to 9999. Parts are in UTC.
---@class neap.datetime.value
---@field year integer
---@field month integer
---@field day integer
---@field hour integer
---@field minute integer
---@field second integer
---@field microsecond integer
---@operator add(number): neap.datetime.value
---@operator sub(number): neap.datetime.value
---@operator sub(neap.datetime.value): number
local datetime_value = {}
---Raises `usage` for a conversion that it does not know.
---@param format string as of strftime: `%Y-%m-%d %H:%M:%S.%f`
---@return string
function datetime_value:format(format) end
---@return neap.date.value the day in UTC
function datetime_value:date() end
---@return number seconds since 1970-01-01 UTC; an integer when there is no fraction
function datetime_value:timestamp() end

---A day of the calendar, years 0001 to 9999.
---@class neap.date.value
---@field year integer
---@field month integer
---@field day integer
---@operator add(integer): neap.date.value
---@operator sub(integer): neap.date.value
---@operator sub(neap.date.value): integer
local date_value = {}
---@param format string as of datetime:format
---@return string
function date_value:format(format) end
---@return neap.datetime.value its midnight in UTC
function date_value:datetime() end

---An exact number of at most 1,000 digits, with a scale that is kept. Mixes with integers; floats raise `validation`.
---@class neap.decimal.value
---@operator add(neap.decimal.value|integer): neap.decimal.value
---@operator sub(neap.decimal.value|integer): neap.decimal.value
---@operator mul(neap.decimal.value|integer): neap.decimal.value
---@operator div(neap.decimal.value|integer): neap.decimal.value
---@operator idiv(neap.decimal.value|integer): neap.decimal.value
---@operator mod(neap.decimal.value|integer): neap.decimal.value
---@operator unm: neap.decimal.value
local decimal_value = {}
---Divides and rounds half to even.
---@param x neap.decimal.value|integer
---@param scale integer digits after the point
---@return neap.decimal.value
function decimal_value:div(x, scale) end
---Rounds half to even.
---@param scale? integer digits after the point; 0 unless given
---@return neap.decimal.value
function decimal_value:round(scale) end
---@param x neap.decimal.value|integer
---@return boolean equal by number: 1.10 and 1.1 are
function decimal_value:eq(x) end
---@param x neap.decimal.value|integer
---@return integer -1, 0 or 1
function decimal_value:compare(x) end
---@return number the nearest float; raises `validation` beyond their range
function decimal_value:tonumber() end
---@return integer? nil if it has a fraction or does not fit 64 bits
function decimal_value:tointeger() end
---@return integer digits after the point
function decimal_value:scale() end

---@class neap.csv.options
---@field header? boolean|string[] true: the first row names the columns; false: rows are lists; or the names themselves
---@field delimiter? string one byte; "," unless given
---@field quote? string one byte; '"' unless given

---@class neap.csv.writer
local csv_writer = {}
---@param ... table rows: lists, or tables or objects keyed by column
---@return neap.csv.writer
function csv_writer:write(...) end
function csv_writer:close() end

---@class neap.csv
local csv = {}
---Iterates over the rows of a file as it is read. Raises `not_found`, or `validation` with the line of a fault.
---@param path string|file*
---@param options? neap.csv.options
---@return fun(): table<string, string>
function csv.read(path, options) end
---@param text string
---@param options? neap.csv.options
---@return table<string, string>[]
function csv.parse(text, options) end
---@param rows table[]
---@param options? neap.csv.options
---@return string
function csv.encode(rows, options) end
---@param path string|file*
---@param options? neap.csv.options
---@return neap.csv.writer
function csv.writer(path, options) end

---@class neap
---@field csv neap.csv
---@field null neap.null
---@field json neap.json
---@field bytes neap.bytes
local neap = {}

---Marks a table as a list, also when it is empty. Returns the same table.
---@generic T: table
---@param t? T
---@return T
function neap.array(t) end

---Marks a table as a map. Returns the same table.
---@generic T: table
---@param t? T
---@return T
function neap.object(t) end

---Marks a list as a set and drops its duplicates. Returns the same table; `==` ignores the order.
---@generic T: table
---@param t? T
---@return T
function neap.set(t) end

---@param latitude number
---@param longitude number
---@return neap.geopoint
function neap.geopoint(latitude, longitude) end

---A point in time, from ISO 8601 text (UTC without an offset), seconds since 1970, a date, or its fields in UTC. Raises
---`validation`.
---@param value string|number|table|neap.date.value
---@return neap.datetime.value
function neap.datetime(value) end

---@return neap.datetime.value
function neap.now() end

---A day, from text like "2015-07-20", a datetime, or { year =, month =, day = }. Raises `validation`.
---@param value string|table|neap.datetime.value
---@return neap.date.value
function neap.date(value) end

---An exact number, from text like "1.10" or an integer. Raises `validation`, for floats too.
---@param value string|integer|neap.decimal.value
---@return neap.decimal.value
function neap.decimal(value) end

---@param options? { version: 1|4|7 } 4, random, unless given; 7 sorts by the time it was made
---@return string
function neap.uuid(options) end

-- ---- Tasks, errors and the log ----

---@class neap.task
local task = {}
---Waits until the task has ended and gives what its function returned; raises its error.
---@return any ...
function task:await() end
---The task's present wait, and every later one, raises `cancelled`.
function task:cancel() end

---@class neap.error
---@field kind "usage"|"validation"|"not_found"|"multiple"|"conflict"|"condition"|"unsupported"|"auth"|"forbidden"|"limit"|"throttled"|"timeout"|"cancelled"|"connection"|"protocol"|"server"|"query"|"batch"|"mismatch"
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

---Calls f(...) and gives its results, or nil and the error object.
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

-- ---- Models and objects ----

---What `t.integer{…}` and its like give: a description that `store:model` compiles. It may be shared.
---@class neap.type

---Options of all kinds: primary, auto, default, required, unique, index, secret, column, validate; by kind: min, max, match,
---one_of, scale, version, auto_now, auto_now_add, on_delete, lazy, hash_key, range_key.
---@alias neap.type.options table

---The words of a declaration.
---@class neap.types
---@field string fun(options?: neap.type.options): neap.type UTF-8 text without NUL; min and max count characters
---@field integer fun(options?: neap.type.options): neap.type 64 bits
---@field number fun(options?: neap.type.options): neap.type a float, never NaN
---@field decimal fun(options?: neap.type.options): neap.type exact; scale = digits behind the point
---@field boolean fun(options?: neap.type.options): neap.type
---@field datetime fun(options?: neap.type.options): neap.type microseconds, UTC
---@field timestamp fun(options?: neap.type.options): neap.type a datetime of whole seconds
---@field date fun(options?: neap.type.options): neap.type
---@field uuid fun(options?: neap.type.options): neap.type
---@field bytes fun(options?: neap.type.options): neap.type
---@field json fun(options?: neap.type.options): neap.type whatever JSON can say
---@field geopoint fun(options?: neap.type.options): neap.type
---@field file fun(options?: neap.type.options): neap.type
---@field bytestream fun(options?: neap.type.options): neap.type
---@field list fun(of?: neap.type, options?: neap.type.options): neap.type
---@field set fun(of?: neap.type, options?: neap.type.options): neap.type a list without duplicates, compared without order
---@field map fun(of?: neap.type|table<string, neap.type>, options?: neap.type.options): neap.type
---@field pointer fun(model: string, options?: neap.type.options): neap.type kept as the key of the other object
---@field relation fun(model: string, options?: neap.type.options): neap.type that the server keeps
---@field has_one fun(model: string, pointer?: string, options?: neap.type.options): neap.type
---@field has_many fun(model: string, pointer?: string, options?: neap.type.options): neap.type
---@field many_to_many fun(model: string, options: { through: string }): neap.type
---@field computed fun(of: neap.type, how: { sql?: string, needs?: string[], get?: function, set?: function, path?: string }): neap.type
---@field index fun(parts: table): neap.type { "author", "-title", where = condition, column = name }
---@field unique fun(parts: table): neap.type
---@field global_index fun(options: table): neap.type DynamoDB
---@field local_index fun(options: table): neap.type DynamoDB
neap.types = {}

---A model, seen through a view of its store. Called with a table of fields it makes an object. Every method of a query is one of
---the model too; `Post.title` is a column expression, `Post.fields.title` always. Functions defined on it are methods of its
---objects; before_save, after_save, before_delete and after_delete run around writes.
---@class neap.model: neap.query
---@field fields table<string, neap.column>
---@overload fun(fields?: table): neap.model.object
local model = {}

---A new object, saved.
---@param fields table
---@return neap.model.object
function model:create(fields) end

---Saves the fields into the row that has the same values of the unique fields, else as a new one.
---@param fields table
---@param unique string[]
---@return neap.model.object object
---@return boolean created
function model:upsert(fields, unique) end

---An object of a model: fields are read and written by name. Writing checks; changes go to the store with `save`.
---@class neap.model.object
local object = {}

---Inserts a new object, writes the changes of a loaded one, sends nothing if there are none.
---@param options? { condition?: any, atomic?: boolean, overwrite?: boolean, force?: boolean, returning?: "new"|"old" }
---@return neap.model.object self
function object:save(options) end

---@param options? { condition?: any, atomic?: boolean }
---@return boolean deleted whether it was there, where the store tells
function object:delete(options) end

---Reads the object again; changes are forgotten. Raises `not_found`.
function object:reload() end

---@return boolean new it has never been saved
function object:is_new() end

---@return table<string, table> changes { field = { old, new } } of what a save would send
function object:changes() end

---Writes several fields; all faults are reported together, in e.errors.
---@param fields table
---@return neap.model.object self
function object:assign(fields) end

---A new object with the same values, without those that the store makes.
---@param fields? table
---@return neap.model.object
function object:copy(fields) end

---The key that a pointer holds, without loading anything; without a name the object's own key.
---@param pointer? string
---@return any
function object:key_of(pointer) end

---A plain table of the loaded fields. Pointers are keys under their column's name, or tables under their own if followed.
---@param options? { only?: string[], exclude?: string[], follow?: table<string, table> }
---@return table
function object:to_table(options) end

---Adds to a number, in the store; the object holds the result. On a new object: locally, like the four below.
---@param path string a field, or a place inside one: "data.hits"
---@param n? number default 1
---@return neap.model.object self
function object:increment(path, n) end

---@param path string
---@param value any
---@return neap.model.object self
function object:append(path, value) end

---Adds an element unless it is there.
---@param path string
---@param value any
---@return neap.model.object self
function object:add_unique(path, value) end

---Removes all elements that equal the value.
---@param path string
---@param value any
---@return neap.model.object self
function object:pull(path, value) end

---Sets a place inside a field: "data.a.b".
---@param path string
---@param value any
---@return neap.model.object self
function object:set(path, value) end

---@param path string
---@return neap.model.object self
function object:unset(path) end

-- ---- Queries and relations ----

---A condition: a table of fields and operators, a Mongo object, or one made of column expressions.
---@alias neap.condition table|neap.condition.value

---One made of column expressions; `c & d`, `c | d` and `~c` combine. The other side may be a table as `where` takes them.
---@class neap.condition.value
---@operator band(neap.condition): neap.condition.value
---@operator bor(neap.condition): neap.condition.value
---@operator bnot: neap.condition.value
local condition = {}
---Whether the object meets it as it is now in memory. Raises `unsupported` for what only the store knows: relations, computed
---fields, fields that were not loaded.
---@param candidate neap.model.object
---@return boolean
function condition:matches(candidate) end

---A column expression: `Post.title`, or `Post.fields.title` where a method has that name. nil as an operand raises `usage`; a
---value of another type is no match.
---@class neap.column
local column = {}
---A place inside JSON, a map or a list: keys, and indexes that count from 1.
---@param ... string|integer
---@return neap.column
function column:at(...) end
---Of relations and pointers: some related object meets the condition.
---@param met neap.condition
---@return neap.condition.value
function column:some(met) end
---@param value any|neap.column neap.null asks for what is absent or null
---@return neap.condition.value
function column:eq(value) end
---@param value any|neap.column
---@return neap.condition.value
function column:ne(value) end
---@param value any|neap.column
---@return neap.condition.value
function column:lt(value) end
---@param value any|neap.column
---@return neap.condition.value
function column:lte(value) end
---@param value any|neap.column
---@return neap.condition.value
function column:gt(value) end
---@param value any|neap.column
---@return neap.condition.value
function column:gte(value) end
---@param values any[] an empty list matches nothing
---@return neap.condition.value
function column:is_in(values) end
---@param values any[] an empty list matches everything
---@return neap.condition.value
function column:not_in(values) end
---Both ends included.
---@param low any
---@param high any
---@return neap.condition.value
function column:between(low, high) end
---@param there boolean false: absent or null
---@return neap.condition.value
function column:exists(there) end
---@param text string
---@return neap.condition.value
function column:prefix(text) end
---@param text string
---@return neap.condition.value
function column:suffix(text) end
---@param text string a substring
---@return neap.condition.value
function column:contains(text) end
---As prefix, A-Z and a-z being one.
---@param text string
---@return neap.condition.value
function column:iprefix(text) end
---@param text string
---@return neap.condition.value
function column:isuffix(text) end
---@param text string
---@return neap.condition.value
function column:icontains(text) end
---@param text string
---@return neap.condition.value
function column:iexact(text) end
---@param pattern string PCRE2
---@return neap.condition.value
function column:regex(pattern) end
---@param n integer elements of a list or set, members of a map
---@return neap.condition.value
function column:size(n) end
---@param element any of a list or set
---@return neap.condition.value
function column:has(element) end
---@param elements any[] at least one of them
---@return neap.condition.value
function column:any(elements) end
---@param elements any[] each of them
---@return neap.condition.value
function column:all(elements) end
---@param point neap.geopoint
---@param metres number
---@return neap.condition.value
function column:near(point, metres) end
---@param southwest neap.geopoint
---@param northeast neap.geopoint
---@return neap.condition.value
function column:within(southwest, northeast) end
---@param name "string"|"integer"|"number"|"boolean"|"list"|"map"|"null" of what is found in JSON
---@return neap.condition.value
function column:type(name) end

---An immutable query. Every method of it is one of each class too, over all objects of the class. Methods that give a query
---send nothing.
---@class neap.query
local query = {}

---Only rows that meet the conditions, in any spelling; several calls are ANDed.
---@param ... neap.condition|string|any
---@return neap.query
function query:where(...) end
---Only rows that where() with the same arguments would not give.
---@param ... neap.condition|string|any
---@return neap.query
function query:exclude(...) end
---By fields, paths ("author.name", "data.key") or labels of aggregates; "-name" turns around. Absent values come last.
---@param ... string|userdata
---@return neap.query
function query:order(...) end
---@param n integer 0 gives none
---@return neap.query
function query:limit(n) end
---@param n integer
---@return neap.query
function query:skip(n) end
---Loads only these fields and the keys; reading another one raises `usage`.
---@param ... string|userdata
---@return neap.query
function query:select(...) end
---Related objects that come with the rows: "author", "comments.user".
---@param ... string
---@return neap.query
function query:include(...) end
---Rows become plain tables, one for each combination of the values.
---@param ... string|userdata
---@return neap.query
function query:group(...) end
---Locks the rows until the transaction ends, where the store can (`unsupported`).
---@param options? { skip_locked?: boolean }
---@return neap.query
function query:for_update(options) end
---@return neap.query
function query:consistent() end
---DynamoDB only, as are key, filter and scan; `unsupported` elsewhere.
---@return neap.query
function query:index(...) end
---@return neap.query
function query:key(...) end
---@return neap.query
function query:filter(...) end
---@return neap.query
function query:scan() end

---Streams: `for p in q:each() do … end`; leaving the loop ends it.
---@param options? { batch?: integer }
---@return fun(): any
function query:each(options) end
---@return table
function query:all() end
---@return any|nil
function query:first() end
---Raises `not_found` or `multiple` unless there is exactly one.
---@return any
function query:one() end
---Plain tables { field = value }; pointers give their keys under the column's name.
---@return table[]
function query:rows() end
---The values of one field; neap.null where there is none.
---@param name string|userdata
---@return any[]
function query:pluck(name) end
---The rows that the query would give, limit and skip honoured.
---@return integer
function query:count() end
---@return boolean
function query:exists() end
---The object of a key: a scalar, or { name = value, … }. Raises `not_found`.
---@param key any
---@return any
function query:get(key) end
---@param key any
---@return any|nil
function query:find(key) end
---A page of objects and the cursor of the next one, nil at the end. Raises `query` for a cursor that does not fit.
---@param options { size?: integer, after?: string }
---@return table objects, string? next_cursor
function query:page(options) end
---Changes rows without loading them. Without a condition it raises, unless `all`.
---@param fields table neap.null removes a value
---@param options? { all?: boolean }
---@return integer rows changed
function query:update(fields, options) end
---@param options? { all?: boolean }
---@return integer rows deleted
function query:delete(options) end
---0 where there is nothing; exact for integers and decimals.
---@param name string|userdata
---@return any
function query:sum(name) end
---@param name string|userdata
---@return any|nil
function query:min(name) end
---@param name string|userdata
---@return any|nil
function query:max(name) end
---@param name string|userdata
---@return any|nil
function query:avg(name) end
---{ label = { ["$sum"] = name } } with $sum $min $max $avg $count: a plain table, or a list of them where there are groups.
---@param labels table
---@return table
function query:aggregate(labels) end
---What would be sent, without sending it: { sql =, params = }.
---@return table
function query:explain() end
---Objects from a statement whose columns bear the names of the model's.
---@param text string with ? or :name for values
---@param params? table
---@return table
function query:sql(text, params) end

---What a many_to_many relation of an object reads as: a query, and these.
---@class neap.relation: neap.query
local relation = {}
---Ties objects (or keys) to the owner; those that are tied stay so.
---@param items any one or a list
function relation:add(items) end
---@param items any one or a list
function relation:remove(items) end
---Ties exactly these.
---@param items any[]
function relation:set(items) end
---@return neap.query
function relation:query() end

-- ---- Stores ----

---Opens a store: "sqlite:shop.db", "sqlite::memory:", or a table with `url` and the options of the store. Without an argument
---the URL is in NEAP_STORE, else it is sqlite:neap.db. Raises `usage` for a URL that names no store.
---@param url? string|table
---@return neap.store
function neap.open(url) end

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
---"for_update", "null", "returning". Raises `usage` for another name.
---@param capability string
---@return boolean
function store:supports(capability) end

---Declares a model, or gives one that is declared.
---@param name string
---@param fields? table { field = type } or a list of { "field", type }; {} is an open model
---@param options? { table?: string, open?: boolean }
---@return neap.model
function store:model(name, fields, options) end

---Creates the tables, columns and indexes that are declared and missing, and compares the rest. Raises `mismatch`, with every
---difference { model =, what =, expected =, actual = } in e.errors, and then changes nothing.
---@return string[] statements what was run; empty when all was there
function store:bind() end

---Drops the table of a model with all that is in it, if it is there.
---@param class neap.model
function store:drop(class) end

---Runs f(tx) in a transaction: commits when it returns, rolls back when it raises. Inside another one: a savepoint.
---@param f fun(tx: neap.store): any
---@param options? { retries?: integer }
---@return any
function store:transaction(f, options) end

---A view with options, or f(view) with these options for all that it does on the store.
---@param options { atomic?: boolean, consistent?: boolean, persist?: "overwrite", timeout?: number, scope?: table }
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

---Closes all connections; open transactions are rolled back.
function store:close() end
