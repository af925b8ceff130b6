---@meta
-- What editors show about models and objects (LuaLS annotations). Never run.

---@class neap
local neap = {}

---What `t.integer{…}` and its like give: a description that `store:model` compiles. It may be shared.
---@class neap.type

---Options of all kinds: primary, auto, default, required, unique, index, secret, column, type, validate; by kind: min, max, match,
---one_of, constant, template, scale, version, auto_now, auto_now_add, on_delete, lazy, hash_key, range_key.
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
---@field global_index fun(options: { hash_key: string, range_key?: string, projection?: "all"|"keys"|string[], read_units?: integer, write_units?: integer, column?: string }): neap.type DynamoDB; in SQL a plain index
---@field local_index fun(options: { range_key: string, projection?: "all"|"keys"|string[], column?: string }): neap.type DynamoDB; in SQL a plain index
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

---What reads Query Objects for the model: `require "neap.mongo".query(model, settings)`.
---@param settings? neap.mongo.settings
---@return neap.mongo.query
function model:mongo(settings) end

---An object of a model: fields are read and written by name. Writing checks; changes go to the store with `save`.
---@class neap.model.object
local object = {}

---Inserts a new object, writes the changes of a loaded one, sends nothing if there are none.
---@param options? { condition?: any, atomic?: boolean, overwrite?: boolean, force?: boolean, returning?: "new"|"old" }
---@return neap.model.object self
function object:save(options) end

---What is deleted is not saved again (`not_found`): `copy` makes a new object.
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

---A plain table of the loaded fields. Pointers are keys under their column's name. What was included by the query, or is followed
---here, stands under the field's name: an object as a table, several as a list of tables.
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

---Sets a field, or a place inside one: "data.a.b". Nil removes it. What is missing on the way is made.
---@param path string
---@param value any
---@return neap.model.object self
function object:set(path, value) end

---@param path string
---@return neap.model.object self
function object:unset(path) end
