-- harmless: the methods of stores, classes, queries, objects, columns and values are called with the wrong selves
local neap = require "neap"
local t = neap.types
local store = neap.open "sqlite::memory:"
local Row = store:model("Row", { id = t.integer { primary = true, auto = true }, n = t.integer(), d = t.decimal(), at = t.datetime() })
store:bind()
local row = Row { n = 1, d = neap.decimal "1.5" }
row:save()
local selves = { store, Row, row, Row:where { n = 1 }, Row.n, Row.n:eq(1), t.integer(), neap.decimal "1", neap.null, {}, 1, string.len }
local names = { "add_unique", "aggregate", "all", "append", "as", "asc", "average", "batch", "begin", "between", "bind", "check", "clone",
  "close", "contains", "copy", "count", "cursor", "delete", "desc", "distinct", "div", "drop", "each", "eq", "exists", "explain", "fields",
  "find", "first", "format", "ge", "get", "group", "gt", "having", "include", "increment", "inside", "is_new", "join", "key", "key_of",
  "limit", "load", "lt", "max", "min", "model", "ne", "next", "one", "order", "page", "pluck", "pull", "reload", "round", "rows", "save",
  "scope", "select", "set", "skip", "sql", "sum", "supports", "to_table", "transaction", "update", "upsert", "values", "where", "with" }
for _, name in ipairs(names) do
  for _, owner in ipairs(selves) do
    local ok, f = pcall(function() return owner[name] end)
    if ok and type(f) == "function" then
      for i, self in ipairs(selves) do
        if not (self == store and name == "close") then pcall(f, self, selves[(i * 5) % #selves + 1], selves[(i * 7) % #selves + 1]) end
      end
      pcall(f)
    end
  end
end
