---@meta
-- What editors show about values: what neap adds to Lua values (LuaLS annotations). Never run.

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

-- ---- HTTP ----

---@class neap.http
local http = {}

---@class neap.http.options
---@field query? table<string, any> becomes the query of the URL, escaped
---@field json? any the body, as JSON
---@field form? table<string, any> the body, as a form
---@field body? string|fun(): string? the body, or what gives it piece by piece, and nil at its end
---@field length? integer bytes of a body that is given in pieces
---@field retries? integer how often it is made again where that may help and does no harm; 0 unless given
---@field stream? boolean the reply comes in pieces
---@field headers? table<string, string|number|string[]>
---@field auth? string[] { user, password }
---@field bearer? string a token
---@field timeout? number seconds for all of it, in pieces from one to the next; 30 unless given, 0 is for ever
---@field connect_timeout? number seconds; 10 unless given
---@field first_byte_timeout? number seconds from what is sent last until the answer begins
---@field min_speed? integer bytes a second; fewer over `min_speed_time` end the request
---@field min_speed_time? integer seconds; 30 unless given
---@field follow? integer|boolean redirects that are followed; 5 unless given
---@field max_size? integer bytes of a reply, unpacked; 64 MB unless given
---@field ca? string a file of certificates to trust instead of the system's

---@class neap.http.response
---@field status integer
---@field headers table<string, string> looked up in whatever case
---@field body string nil where it comes in pieces
---@field url string where it came from in the end
local response = {}
---The next piece of a reply that was asked for with `stream`, nil after the last. Raises what breaks it off.
---@return string?
function response:read() end
---Its pieces, for a loop, which closes it when it is left.
---@return fun(r: neap.http.response): string?, neap.http.response, nil, neap.http.response
function response:pieces() end
---Lets go of a reply that comes in pieces, wherever it is.
function response:close() end
---Gives the response back; raises an error with `status` if that is 400 or more.
---@return neap.http.response
function response:check() end
---The body, read as JSON. Raises `protocol` if it is none.
---@return any
function response:json() end

---Sends a request and waits for its answer, whatever its status. Raises `connection`, `timeout`, `protocol`, `limit`; `usage`
---before anything is sent.
---@param method string
---@param url string
---@param options? neap.http.options
---@return neap.http.response
function http.request(method, url, options) end
---@param url string
---@param options? neap.http.options
---@return neap.http.response
function http.get(url, options) end
---@param url string
---@param options? neap.http.options
---@return neap.http.response
function http.head(url, options) end
---@param url string
---@param options? neap.http.options
---@return neap.http.response
function http.post(url, options) end
---@param url string
---@param options? neap.http.options
---@return neap.http.response
function http.put(url, options) end
---@param url string
---@param options? neap.http.options
---@return neap.http.response
function http.patch(url, options) end
---@param url string
---@param options? neap.http.options
---@return neap.http.response
function http.delete(url, options) end

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
---@field http neap.http
---@field json neap.json
---@field migrate neap.migrate
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
