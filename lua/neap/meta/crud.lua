---@meta
-- What editors show about CRUD helpers (LuaLS annotations). Never run.

---@class neap.crud
local crud = {}

---@class neap.crud.settings: neap.mongo.settings
---@field writable_properties? boolean computed fields with a setter may be written (true)
---@field create_with_key? boolean create_or_update_many creates what has a key that is not found (false)
---@field saves_relations? table[] { "name", …, save = function(new, old, given) … end }
---@field on_save? fun(new: neap.model.object, old?: table)
---@field on_query? fun(mq: neap.mongo.query, method: string) for all that reads
---@field ro_fields? string[]|fun(): string[] crud.strict: dropped from the input
---@field rw_fields? string[]|fun(): string[] crud.strict: all others are read-only
---@field const_fields? string[]|fun(): string[] crud.strict: written at creation only
---@field query_defaults? table crud.strict: a Query Object

---@param model neap.model
---@param settings? neap.crud.settings
---@return neap.crud.helper
function crud.helper(model, settings) end

---@param model neap.model
---@param settings? neap.crud.settings
---@return neap.crud.helper
function crud.strict(model, settings) end

---@class neap.crud.helper
---@field ro_fields table<string, true>
---@field rw_fields table<string, true>
---@field const_fields table<string, true>
local helper = {}

---@param object? table|string  a Query Object
---@param from? neap.query
---@return neap.mongo.query
function helper:query(object, from) end

---One row by its key, as a Query Object wants it. Raises `not_found`.
---@param key any
---@param object? table|string  a Query Object
---@param from? neap.query
---@return table
function helper:get(key, object, from) end

---@param input table
---@return neap.model.object
function helper:create(input) end

---@param input table
---@param object any  an object or its key
---@param from? neap.query
---@return neap.model.object
function helper:update(input, object, from) end

---@param object any  an object or its key
---@param from? neap.query
---@return neap.model.object
function helper:delete(object, from) end

---A new object, not saved, and what savers are to be given.
---@param input table
---@return neap.model.object object
---@return table given
function helper:build(input) end

---The object with the input over it, not saved, and what savers are to be given.
---@param input table
---@param object neap.model.object
---@return neap.model.object object
---@return table given
function helper:apply(input, object) end

---{ object =, created = } or { error = } for each item, in order.
---@param items table[]
---@param from? neap.query
---@return table[]
function helper:create_or_update_many(items, from) end
