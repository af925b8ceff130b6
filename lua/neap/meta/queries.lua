---@meta
-- What editors show about conditions, queries and relations (LuaLS annotations). Never run.

---A condition: a table of fields and operators, a Mongo object, or one made of column expressions.
---@alias neap.condition table|neap.condition.value

---One made of column expressions; `c & d`, `c | d` and `~c` combine. The other side may be a table as `where` takes them.
---@class neap.condition.value
---@operator band(neap.condition): neap.condition.value
---@operator bor(neap.condition): neap.condition.value
---@operator bnot: neap.condition.value
local condition = {}
---Whether the object meets it as it is now in memory, and the objects that pointers lead to. The store is asked about other
---relations. Raises `unsupported` for computed fields and fields that were not loaded.
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
---@param through? neap.condition on the row of the link table that ties it
---@return neap.condition.value
function column:some(met, through) end
---All related objects meet it, also where there is none.
---@param met neap.condition
---@param through? neap.condition which links count
---@return neap.condition.value
function column:every(met, through) end
---No related object meets it.
---@param met neap.condition
---@param through? neap.condition which links count
---@return neap.condition.value
function column:none(met, through) end
---Of relations to many: how many objects there are, or meet the condition.
---@param met? neap.condition
---@param through? neap.condition which links count
---@return neap.column
function column:count(met, through) end
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
---Some element of the list is as the condition says that the function makes of the column of an element.
---@param f fun(element: neap.column): neap.condition.value
---@return neap.condition.value
function column:element(f) end
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
---By fields, paths ("author.name", "data.key", "comments.count") or labels of aggregates; "-name" turns around. Absent values come last.
---@param ... string|userdata
---@return neap.query
function query:order(...) end
---@param n integer 0 gives none
---@return neap.query
function query:limit(n) end
---@param n integer
---@return neap.query
function query:skip(n) end
---Loads only these fields and the keys; reading another one raises `usage`. "comments.count": how many objects there are.
---@param ... string|userdata
---@return neap.query
function query:select(...) end
---Related objects that come with the rows: "author", "comments.user"; in a table a relation may have a query, with conditions,
---an order, fields, includes, and a limit that counts for each row: { comments = Comment:order "-at":limit(3), author = true }.
---@param ... string|table<string|integer, string|true|neap.query>
---@return neap.query
function query:include(...) end
---Of many_to_many: what is asked of the row of the link table that ties an object.
---@param where neap.condition made of the link's columns where the query is one for an include
---@return neap.query
function query:through(where) end
---Rows become plain tables, one for each combination of the values.
---@param ... string|userdata
---@return neap.query
function query:group(...) end
---Only groups whose aggregates compare so: { label = { ["$gte"] = 100 } }.
---@param labels table<string, table>
---@return neap.query
function query:having(labels) end
---Locks the rows until the transaction ends, where the store can (`unsupported`).
---@param options? { skip_locked?: boolean }
---@return neap.query
function query:for_update(options) end
---Reads what was written last, on stores that otherwise may give something older.
---@return neap.query
function query:consistent() end
---Looks through this index and nowhere else; without select the objects have the fields that it holds. DynamoDB only, as are key,
---filter and scan; `unsupported` elsewhere.
---@param index userdata|string Post.by_user, or its name
---@return neap.query
function query:index(index) end
---The hash key by eq, and one condition on the range key, of the table or of the index. Raises `usage` for anything else.
---@param ... table|neap.condition|string
---@return neap.query
function query:key(...) end
---What the service itself applies to what it has read. Raises `unsupported` for what it cannot.
---@param ... table|neap.condition|string
---@return neap.query
function query:filter(...) end
---All of the table, or of the index, may be read; in `segments` parts side by side.
---@param options? { segments?: integer }
---@return neap.query
function query:scan(options) end

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
---A page of objects, the cursor of the next one and that of the one before, nil where there is none. Raises `query` for a
---cursor that does not fit.
---@param options { size?: integer, after?: string, before?: string }
---@return neap.model.object[] rows
---@return string|nil next
---@return string|nil previous
function query:page(options) end
---Changes rows without loading them. Without a condition it raises, unless `all`.
---@param fields table by name or path ("data.key"); neap.null removes a value
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
---What would be sent, without sending it: { sql =, params =, include = { relation = the same } }; `related` lists what is
---asked of related rows before, on stores that cannot join.
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
