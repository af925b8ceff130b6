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

---@class neap
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

return neap
