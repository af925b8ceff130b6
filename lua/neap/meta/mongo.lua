---@meta
-- What editors show about Query Objects (LuaLS annotations). Never run.

---@class neap.mongo
local mongo = {}

---What reads Query Objects for a model, within what the settings allow.
---@param model neap.model
---@param settings? neap.mongo.settings
---@return neap.mongo.query
function mongo.query(model, settings) end

---@class neap.mongo.settings
---@field default_projection? any what `project` is where it is not given
---@field default_exclude? string[] given only where they are named
---@field default_exclude_properties? boolean properties are too (true)
---@field default_unexclude_properties? string[] but not these
---@field bundled_project? table<string, string[]> loaded beside a field, not given out
---@field force_include? string[] always given
---@field force_exclude? string[] never given, nor anything about them
---@field ensure_loaded? string[] always loaded, given if asked for
---@field legacy_fields? string[] accepted and ignored
---@field force_filter? any a condition, or a function that gives one
---@field scalar_operators? table<string, function>
---@field array_operators? table<string, function>
---@field allowed_relations? string[]
---@field banned_relations? string[]
---@field related? any settings by relation; false denies one
---@field related_models? any settings by model; false denies one
---@field aggregate_columns? string[] fields that may be summed up
---@field aggregate_labels? boolean
---@field max_items? integer the most rows
---@field max_depth? integer levels of nesting (8)
---@field max_nodes? integer joins (32)
---@field max_terms? integer comparisons (500)
---@field max_in? integer values of one list (1000)
---@field regex_enabled? boolean (false)
---@field raiseload? boolean relations that were not loaded raise when they are read (false)
---@field raiseload_rel? boolean the same
---@field raiseload_col? boolean columns always do

---@class neap.mongo.query
local mq = {}

---The rows that there are at all.
---@param query neap.query
---@return neap.mongo.query
function mq:from(query) end

---Takes the Query Object; raises `query` or `forbidden` with all faults in e.errors.
---@param object? table|string  a table or JSON text
---@return neap.mongo.query
function mq:query(object) end

---@return table[]|integer  plain tables, or the number of rows where `count` was asked for
function mq:run() end

---@return string  the same as JSON text
function mq:json() end

---@return neap.object[]
function mq:objects() end

---@return neap.query
function mq:build() end

---All rows that meet its conditions, whole and without pages.
---@return neap.query
function mq:matching() end

---A page, by `limit`, `after` and `before`.
---@param as? "json"
---@return table[]|string rows
---@return string|nil next
---@return string|nil previous
function mq:page(as) end

---@return table[] rows
---@return integer total  without skip and limit
function mq:total() end

---Adds your own filter, sort, project, join, joinf.
---@param object table
---@param quietly? boolean
---@return neap.mongo.query
function mq:merge(object, quietly) end

---Loads fields, relations and fields of relations for your code.
---@param ... string
---@return neap.mongo.query
function mq:ensure_loaded(...) end

---@param object neap.object
---@return table
function mq:pluck(object) end

---@param name string
---@return boolean
function mq:includes(name) end

---@return boolean
function mq:result_contains_entities() end

---@return boolean
function mq:result_is_tuples() end

---@return boolean
function mq:result_is_scalar() end

---@return table
function mq:final_query_object() end

---@return table
function mq:projection_tree() end

---@return table
function mq:full_projection_tree() end

---Makes a copy for each call.
---@param query neap.mongo.query
---@return neap.mongo.query
function mongo.reusable(query) end
