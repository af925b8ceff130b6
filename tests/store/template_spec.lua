-- Columns that are made of others, and constants that tell the objects of one model from others in a table that they share.
local contract = require "tests.store.contract"
local neap = require "neap"
local t = neap.types

local ID = "01234567-89ab-7def-8123-456789abcdef"

contract.each("a table of several models", function(c)
  local Customer, Order, Line

  before_each(function()
    Customer = c.store:model("Customer", {
      pk   = t.string { hash_key = true, template = "CUSTOMER#{mail}" },
      sk   = t.string { range_key = true, template = "CUSTOMER" },
      kind = t.string { constant = "customer" },
      mail = t.string(),
      name = t.string(),
    }, { table = "shop" })
    Order = c.store:model("Order", {
      pk     = t.string { hash_key = true, template = "CUSTOMER#{mail}" },
      sk     = t.string { range_key = true, template = "ORDER#{number:6}" },
      kind   = t.string { constant = "order" },
      mail   = t.string(),
      number = t.integer(),
      total  = t.decimal { scale = 2 },
    }, { table = "shop" })
    Line = c.store:model("Line", {
      pk   = t.string { hash_key = true, template = "LINES#{order}" },
      sk   = t.string { range_key = true, template = "{at}#{id}" },
      kind = t.string { constant = "line" },
      id   = t.uuid { auto = true },
      order = t.integer(),
      at   = t.datetime { auto_now_add = true },
    }, { table = "shop" })
    c.store:bind()
  end)

  it("makes keys of other fields, at once where they are there", function()
    local ada = Customer { mail = "ada@x.org", name = "Ada" }
    assert.equal("CUSTOMER#ada@x.org", ada.pk)
    assert.equal("CUSTOMER", ada.sk)
    assert.equal("ORDER#000042", Order { mail = "ada@x.org", number = 42 }.sk)
    assert.is_nil(Order { number = 42 }.pk)
    assert.equal("customer", ada.kind)
  end)

  it("makes them when it saves of what saving makes", function()
    local line = Line { order = 7 }:save()
    assert.equal("LINES#7", line.pk)
    assert.equal(tostring(line.at) .. "#" .. line.id, line.sk)
    assert.equal("2024-05-01T10:00:00.000000+00:00#" .. ID, Line { at = neap.datetime "2024-05-01T10:00:00Z", id = ID }.sk)
  end)

  it("finds an object by the fields that its key is made of, or by the key", function()
    Customer { mail = "ada@x.org", name = "Ada" }:save()
    assert.equal("Ada", Customer:get { mail = "ada@x.org" }.name)
    assert.equal("Ada", Customer:get { pk = "CUSTOMER#ada@x.org", sk = "CUSTOMER" }.name)
    assert.is_nil(Customer:find { mail = "bob@x.org" })
    local again = Customer { mail = "ada@x.org" }
    c.store:load { again }
    assert.equal("Ada", again.name)
    local e = select(2, neap.try(Customer.get, Customer, { name = "Ada" }))
    assert.equal("usage", e.kind)
    assert.matches("Customer: a key is needed, and pk is made of mail, which is nil", e.message, 1, true)
  end)

  it("gives each model its own objects", function()
    c.store:save { Customer { mail = "ada@x.org" }, Order { mail = "ada@x.org", number = 1, total = "1.50" },
      Order { mail = "ada@x.org", number = 2, total = "2.50" } }
    local numbers = {}
    for order in Order:where { mail = "ada@x.org" }:order "-sk":each() do numbers[#numbers + 1] = order.number end
    assert.same({ 2, 1 }, numbers)
    assert.equal(1, Customer:where { mail = "ada@x.org" }:count())
    assert.is_nil(Order:find { pk = "CUSTOMER#ada@x.org", sk = "CUSTOMER" })
    assert.equal(2, Order:where { mail = "ada@x.org" }:delete())
    assert.equal(1, Customer:where { mail = "ada@x.org" }:count())
  end)

  it("keeps the key of an object that is loaded, and its constant", function()
    local order = Order { mail = "ada@x.org", number = 1 }:save()
    order.number = 2
    local e = select(2, neap.try(order.save, order))
    assert.equal("usage", e.kind)
    assert.matches("keys do not change", e.message)
    assert.equal("validation", select(2, neap.try(Order, { kind = "customer" })).kind)
  end)

  it("refuses a key that is too long, and one that lacks a part", function()
    local e = select(2, neap.try(Customer, { mail = ("x"):rep(3000) }))
    assert.equal("validation", e.kind)
    assert.matches("Customer.pk: its template makes more than 2047 bytes", e.message, 1, true)
    e = select(2, neap.try(function() Order { number = 1 }:save() end))
    assert.equal("validation", e.kind)
    assert.matches("pk must have a value", e.message)
  end)
end)

describe("a template", function()
  local store = neap.open "sqlite::memory:"

  local function fault(template, more)
    local fields = { { "id", t.string { primary = true, template = template } }, { "n", t.integer() }, { "data", t.json() } }
    for _, field in ipairs(more or {}) do fields[#fields + 1] = field end
    local e = select(2, neap.try(store.model, store, "Bad", fields))
    assert.equal("usage", e.kind)
    return e.message
  end

  it("is checked where it is declared", function()
    assert.matches("Bad.id: its template names {m}, which is no column", fault "x{m}", 1, true)
    assert.matches("which has no text that a key could have", fault "{data}", 1, true)
    assert.matches("which has no text that a key could have", fault "{id}", 1, true)
    assert.matches("a { of its template is not closed", fault "x{n", 1, true)
    assert.matches('"n:x" in its template: behind an integer\'s name is how many digits', fault "{n:x}", 1, true)
  end)

  it("makes a key of an index again when what it is made of changes", function()
    local Task = store:model("Task", {
      id = t.integer { primary = true }, state = t.string(), n = t.integer(), board = t.string { template = "{state}#{n:3}" },
    })
    store:bind()
    local task = Task { id = 1, state = "open", n = 5 }:save()
    assert.equal("open#005", task.board)
    task.state = "done"
    task:save()
    assert.equal("done#005", Task:get(1).board)
    task.state = nil
    task:save()
    assert.is_nil(Task:get(1).board)
    local part = Task:select("id", "n"):one()
    part.n = 6
    assert.equal("usage", select(2, neap.try(part.save, part)).kind)
  end)
end)

describe("a query of DynamoDB", function()
  it("knows keys by their templates", function()
    local store = neap.open { url = "dynamodb://us-east-1?endpoint=http://127.0.0.1:1", access_key = "a", secret_key = "b" }
    local Order = store:model("Order", {
      pk = t.string { hash_key = true, template = "CUSTOMER#{mail}" },
      sk = t.string { range_key = true, template = "ORDER#{number:6}" },
      mail = t.string(), number = t.integer(),
    })
    local x = Order:where { mail = "ada" }:explain()
    assert.equal("Query", x.operation)
    assert.equal("(#n0 = :v1)", x.request.FilterExpression)
    local values = {}
    for _, value in pairs(x.request.ExpressionAttributeValues) do values[value.S] = true end
    assert.same({ ada = true, ["CUSTOMER#ada"] = true, ["ORDER#"] = true }, values)
    x = Order:where { mail = "ada", number = 7 }:explain()
    assert.matches("Get", x.operation)
    store:close()
  end)
end)
