-- Transactions of DynamoDB: collected, and sent as one request when they commit.
local contract = require "tests.store.contract"
local fails = require "tests.fails"
local neap = require "neap"
local t = neap.types

contract.only("dynamodb", "a transaction", function(c)
  local store, Account

  before_each(function()
    store = c.store
    Account = store:model("Account", { id = t.string { primary = true }, owner = t.string(), balance = t.integer { default = 0 } })
    store:bind()
  end)

  local function rows() return c:rows("Account", "id", "balance") end

  describe("sends nothing", function()
    it("before it ends", function()
      store:transaction(function()
        local ada = Account { id = "ada", balance = 5 }:save()
        assert.is_false(ada:is_new())
        assert.same({}, rows())
      end)
      assert.same({ "ada|5" }, rows())
    end)

    it("when it raises, and objects are as before", function()
      local ada, bob = Account { id = "ada", balance = 5 }:save(), Account { id = "bob" }
      pcall(store.transaction, store, function()
        ada.balance = 7
        store:save { ada, bob }
        assert.is_true(ada:delete())
        error "no"
      end)
      assert.same({ "ada|5" }, rows())
      assert.is_true(bob:is_new())
      assert.same({ 5, 7 }, ada:changes().balance)
    end)

    it("when nothing was written", function()
      assert.equal(1, store:transaction(function() return 1 end))
    end)
  end)

  describe("writes", function()
    it("objects of several models at once, new, changed and deleted", function()
      local Log = store:model("Log", { at = t.integer { hash_key = true }, n = t.integer { range_key = true } })
      store:bind()
      Account { id = "old" }:save()
      store:transaction(function()
        Account { id = "ada", balance = 1 }:save()
        Account:get "old":delete()
        Log { at = 1, n = 2 }:save()
        Account { id = "eve", balance = 3 }:save { overwrite = true }
      end)
      assert.same({ "ada|1", "eve|3" }, rows())
      assert.same({ "1|2" }, c:rows("Log", "at", "n"))
    end)

    it("an object that was saved several times as one item", function()
      local bob = Account { id = "bob", balance = 1 }:save()
      store:transaction(function()
        local ada = Account { id = "ada", balance = 1 }:save()
        ada.balance = 2
        ada:save()
        ada.owner = "Ada"
        ada:save()
        bob.balance = 5
        bob:save()
        bob:delete()
      end)
      assert.same({ "ada|2" }, rows())
      assert.equal("Ada", Account:get "ada".owner)
    end)

    it("what only has a key, and leaves what others have written there", function()
      local Key = store:model("Key", { id = t.string { primary = true }, more = t.string() })
      store:bind()
      c:set("Key", { id = "b" }, { more = "x" })
      store:transaction(function() store:save { Key { id = "a" }, Key { id = "b" } } end)
      assert.is_nil(Key:get "a".more)
      assert.equal("x", Key:get "b".more)
    end)

    it("of a list all or none", function()
      store:transaction(function()
        local good = Account { id = "good" }
        fails("batch", store.save, store, { good, Account { id = "" } })
        assert.is_true(good:is_new())
        Account { id = "after" }:save()
      end)
      assert.same({ "after|0" }, rows())
    end)

    it("what hooks see as saved before it is sent", function()
      local told = {}
      local Hooked = store:model("Hooked", { id = t.string { primary = true } })
      function Hooked:after_save() told[#told + 1] = self.id end
      store:bind()
      store:transaction(function()
        Hooked { id = "h" }:save()
        assert.same({ "h" }, told)
        assert.same({}, c:rows("Hooked", "id"))
      end)
      assert.same({ "h" }, c:rows("Hooked", "id"))
    end)

    it("batches as its part", function()
      Account { id = "old" }:save()
      store:transaction(function()
        store:batch():save(Account { id = "ada" }, Account { id = "bob" }):delete(Account:get "old"):run()
        assert.same({ "old|0" }, rows())
      end)
      assert.same({ "ada|0", "bob|0" }, rows())
    end)
  end)

  describe("inside another one", function()
    it("is sent with that", function()
      store:transaction(function(tx)
        tx:transaction(function() Account { id = "ada" }:save() end)
        assert.same({}, rows())
      end)
      assert.same({ "ada|0" }, rows())
    end)

    it("takes back what it has collected when it raises", function()
      local bob = Account { id = "bob" }
      store:transaction(function()
        local ada = Account { id = "ada", balance = 1 }:save()
        pcall(store.transaction, store, function()
          bob:save()
          ada.balance = 2
          ada:save()
          error "no"
        end)
        assert.is_true(bob:is_new())
      end)
      assert.same({ "ada|1" }, rows())
    end)
  end)

  describe("that has read an object", function()
    before_each(function() Account { id = "ada", balance = 1 }:save() end)

    it("raises conflict where somebody else has changed it meanwhile, and tells what it is now", function()
      local ada, bob
      local e = fails("conflict", store.transaction, store, function()
        ada = Account:get "ada"
        bob = Account { id = "bob" }:save()
        c:set("Account", { id = "ada" }, { balance = 10 })
        ada.balance = ada.balance + 1
        ada:save()
      end)
      assert.is_true(e.retryable)
      assert.same({ 1, 2 }, { #e.errors, e.errors[1].index })
      assert.equal(ada, e.errors[1].object)
      assert.same({ "conflict", 10 }, { e.errors[1].error.kind, e.errors[1].old.balance })
      assert.matches('Account "ada": somebody has changed it', e.message, 1, true)
      assert.is_true(bob:is_new())
      assert.same({ 1, 2 }, ada:changes().balance)
      assert.same({ "ada|10" }, rows())
    end)

    it("raises conflict where somebody has deleted it", function()
      local e = fails("conflict", store.transaction, store, function()
        local ada = Account:scan():all()[1]
        c:remove("Account", { id = "ada" })
        ada.balance = 2
        ada:save()
      end)
      assert.is_true(e.retryable)
      assert.same({}, rows())
    end)

    it("knows what an open model does not declare", function()
      local Open = store:model("Open", { id = t.string { primary = true } }, { open = true })
      store:bind()
      Open { id = "a", color = "red", deep = { 1, { x = 2 } } }:save()
      local function paint(color, meanwhile)
        store:transaction(function()
          local one = Open:get "a"
          meanwhile()
          one.color = color
          one:save()
        end)
      end
      paint("blue", function() end)
      assert.equal("blue", Open:get "a".color)
      fails("conflict", paint, "green", function() c:set("Open", { id = "a" }, { deep = 5 }) end)
    end)

    it("begins anew, as often as it may", function()
      local tries = 0
      store:transaction(function()
        local ada = Account:get "ada"
        tries = tries + 1
        if tries < 3 then c:set("Account", { id = "ada" }, { balance = 10 * tries }) end
        ada.balance = ada.balance + 1
        ada:save()
      end, { retries = 5 })
      assert.same({ 3, { "ada|21" } }, { tries, rows() })
    end)

    it("loses no count of two tasks that get, change and save", function()
      local function count()
        for _ = 1, 200 do
          store:transaction(function()
            local ada = Account:get "ada"
            ada.balance = ada.balance + 1
            ada:save()
          end, { retries = 1000 })
        end
      end
      neap.all { count, count }
      assert.same({ "ada|401" }, rows())
    end)
  end)

  describe("whose conditions are not met", function()
    it("raises condition and maps it to the object", function()
      local ada = Account { id = "ada", balance = 1 }:save()
      local e = fails("condition", store.transaction, store, function()
        Account { id = "bob" }:save()
        ada.balance = 0
        ada:save { condition = Account.balance:gte(5) }
      end)
      assert.same({ 2, ada, 1 }, { e.errors[1].index, e.errors[1].object, e.errors[1].old.balance })
      assert.same({ "ada|1" }, rows())
    end)

    it("raises condition where it was met by what was read, and not_found where the row is gone", function()
      local ada, bob = Account { id = "ada" }:save(), Account { id = "bob" }:save()
      c:remove("Account", { id = "bob" })
      fails("condition", store.transaction, store, function()
        Account:get "ada":save { condition = Account.balance:eq(7) }
      end)
      bob.owner = "Bob"
      fails("not_found", store.transaction, store, function() store:save { ada, bob } end)
      assert.same({ "ada|0" }, rows())
    end)
  end)

  describe("check", function()
    local ada
    before_each(function() ada = Account { id = "ada", balance = 5 }:save() end)

    local function with_check(...)
      local condition = ...
      store:transaction(function(tx)
        tx:check(ada, condition)
        Account { id = "bob" }:save()
      end)
    end

    it("lets the others be written where the condition is met", function()
      with_check(Account.balance:gte(5))
      with_check { balance = 5 }
      with_check()
      assert.same({ "ada|5", "bob|0" }, rows())
    end)

    it("keeps them from it where it is not", function()
      local e = fails("condition", with_check, Account.balance:gt(5))
      assert.equal(ada, e.errors[1].object)
      c:remove("Account", { id = "ada" })
      fails("not_found", with_check)
      assert.same({}, rows())
    end)

    it("asks without a condition that what was read is as it was", function()
      local e = fails("conflict", store.transaction, store, function(tx)
        tx:check(Account:get "ada")
        c:set("Account", { id = "ada" }, { balance = 6 })
        Account { id = "bob" }:save()
      end)
      assert.is_true(e.retryable)
    end)

    it("asks of a new object that there is none, or what the condition says", function()
      store:transaction(function(tx) tx:check(Account { id = "eve" }) end)
      store:transaction(function(tx) tx:check(Account { id = "eve" }, Account.balance:exists(false)) end)
      fails("conflict", store.transaction, store, function(tx) tx:check(Account { id = "ada" }) end)
    end)

    it("goes with the save of the same object", function()
      local function save(least)
        store:transaction(function(tx)
          tx:check(ada, Account.balance:gte(least))
          ada.balance = 3
          ada:save()
        end)
      end
      fails("condition", save, 6)
      save(5)
      assert.same({ "ada|3" }, rows())
    end)

    it("belongs to a transaction", function()
      fails("usage", store.check, store, ada)
    end)
  end)

  describe("refuses", function()
    local ada
    before_each(function() ada = Account { id = "ada", balance = 5 }:save() end)

    local function refuses(kind, text, f)
      local e = fails(kind, store.transaction, store, f)
      assert.truthy(e.message:find(text, 1, true), e.message)
      assert.same({ "ada|5" }, rows())
    end

    it("what has to know the row", function()
      refuses("unsupported", "read the object inside, change it and save it", function() ada:increment "balance" end)
      refuses("unsupported", "saved one by one", function() Account:where { id = "ada" }:update { balance = 1 } end)
      refuses("unsupported", "saved one by one", function() Account:where { id = "ada" }:delete() end)
      refuses("unsupported", "overwrite = true", function() Account:upsert({ id = "eve" }, { "id" }) end)
      refuses("unsupported", "reload it when it has ended", function()
        ada.balance = 1
        ada:save { returning = "new" }
      end)
    end)

    it("requests of the script's own that write", function()
      refuses("usage", "would not be part of the transaction", function()
        store:request("DeleteItem", { TableName = c.prefix .. "Account", Key = { id = { S = "ada" } } })
      end)
    end)

    it("two objects for one item, and reading what was written", function()
      refuses("usage", 'Account "ada": another object stands for the same item', function()
        ada.balance = 1
        ada:save()
        Account { id = "ada" }:save()
      end)
      refuses("usage", "use the object that was saved", function()
        ada:delete()
        Account:find "ada"
      end)
    end)

    it("more than a hundred items", function()
      refuses("limit", "100 items at most", function()
        for i = 1, 101 do Account { id = "n" .. i }:save() end
      end)
    end)

    it("options that there are not", function()
      fails("usage", store.transaction, store, function() end, { token = "" })
      fails("usage", store.transaction, store, function() end, { token = ("x"):rep(37) })
      fails("usage", store.transaction, store, function() end, { mode = "both" })
      refuses("usage", "for the outer one", function() store:transaction(function() end, { token = "a" }) end)
    end)
  end)

  describe("with a token of the script's own", function()
    local function add(n)
      store:transaction(function() Account { id = "a" .. n, balance = n }:save() end, { token = c.prefix .. "1" })
    end

    it("is written once, however often it is sent", function()
      add(1)
      c:erase "Account"
      add(1)
      assert.same({}, rows())
    end)

    it("cannot become another one", function()
      add(1)
      local e = fails("usage", add, 2)
      assert.matches("the token was given to another transaction", e.message)
    end)
  end)

  describe("that only reads", function()
    local ada, log
    local only = { mode = "read" }

    before_each(function()
      local Log = store:model("Log", { at = t.integer { hash_key = true }, n = t.integer { range_key = true }, text = t.string() })
      store:bind()
      ada, log = Account { id = "ada", balance = 5 }:save(), Log { at = 1, n = 2, text = "a" }:save()
    end)

    it("loads a list of any models as it is at one moment", function()
      c:set("Account", { id = "ada" }, { balance = 6 })
      c:set("Log", { at = 1, n = 2 }, { text = "b" })
      local again = Account { id = "ada" }
      store:transaction(function() store:load { ada, log, again } end, only)
      assert.same({ 6, "b", 6 }, { ada.balance, log.text, again.balance })
    end)

    it("fills what is there, and raises not_found with the others", function()
      local e = fails("not_found", store.transaction, store, function()
        store:load { Account { id = "bob" }, ada }
      end, only)
      assert.same({ 1, 1 }, { #e.errors, e.errors[1].index })
    end)

    it("gets, finds and reloads one", function()
      store:transaction(function()
        assert.equal(5, Account:get "ada".balance)
        assert.is_nil(Account:find "bob")
        fails("not_found", Account.get, Account, "bob")
        c:set("Account", { id = "ada" }, { balance = 6 })
        assert.equal(6, ada:reload().balance)
      end, only)
    end)

    it("sees what lies in the scope of its view", function()
      local MyAccount = store:with { scope = { Account = { owner = "Bob" } } }:model "Account"
      store:transaction(function() assert.is_nil(MyAccount:find "ada") end, only)
    end)

    it("refuses queries and writes", function()
      store:transaction(function()
        assert.matches("store:load", fails("unsupported", function() Account:where { id = "ada" }:all() end).message)
        fails("unsupported", function() Account:where { id = "ada" }:count() end)
        fails("usage", ada.delete, ada)
        fails("usage", store.check, store, ada)
      end, only)
    end)
  end)

  it("writes what lies in the scope of its view", function()
    local MyAccount = store:with { scope = { Account = { owner = "ada" } } }:model "Account"
    Account { id = "b", owner = "bob", balance = 1 }:save()
    for _, run in ipairs { function(f) f() end, function(f) store:transaction(f) end } do
      run(function() MyAccount:create { id = "a", owner = "ada" } end)
      run(function() MyAccount { id = "a", owner = "ada", balance = 2 }:save { overwrite = true } end)
      fails("condition", run, function() MyAccount:create { id = "b", owner = "ada" } end)
      fails("condition", run, function() MyAccount { id = "b", owner = "ada" }:save { overwrite = true } end)
      assert.same({ "a|2", "b|1" }, rows())
      Account:get "a":delete()
    end
  end)

  it("logs what it would write in a dry run, and writes nothing", function()
    store:with({ dry_run = true }, function()
      store:transaction(function() Account { id = "ada" }:save() end)
    end)
    assert.same({}, rows())
  end)

  it("has room for what a commit says", function()
    local e = fails("usage", store.transaction, store, function()
      for i = 1, 11 do Account { id = "n" .. i }:save() end
    end)
    assert.matches("10", e.message)  -- this server takes ten
  end)
end)

contract.only("dynamodb", "a transaction on the wire", function(c)
  local proxy, pid, store, Account

  local function sh(command)
    local pipe <close> = assert(io.popen(command))
    return (pipe:read "a":gsub("%s+$", ""))
  end

  --- From now on the proxy lets us down so, and what was asked before is forgotten.
  local function rules(list)
    neap.http.post(proxy .. "/rules", { body = neap.json.encode(neap.array(list or {})) })
  end

  --- What was asked since, of one operation.
  local function asked(operation)
    local requests = {}
    for _, entry in ipairs(neap.http.get(proxy .. "/log"):json()) do
      if entry.operation == operation then requests[#requests + 1] = entry.request end
    end
    return requests
  end

  setup(function()
    proxy, pid = sh("tests/services/dynamodb_proxy " .. os.getenv "NEAP_TEST_DYNAMODB"):match "(%S+) (%d+)"
  end)

  teardown(function() sh("kill " .. pid) end)

  before_each(function()
    store = neap.open {
      url = "dynamodb://us-east-1?endpoint=" .. proxy, access_key = "spec", secret_key = "spec", table_template = c.url.table_template,
    }
    Account = store:model("Account", { id = t.string { primary = true }, owner = t.string(), balance = t.integer() })
    store:bind()
    Account { id = "ada", balance = 1 }:save()
    rules()
  end)

  after_each(function() store:close() end)

  local function rows() return c:rows("Account", "id", "balance") end

  local function pay()
    store:transaction(function()
      local ada = Account:get "ada"
      ada.balance = ada.balance + 1
      ada:save()
    end)
  end

  it("is one request that says all of it", function()
    store:transaction(function(tx)
      local ada = Account:get "ada"
      ada.balance = 5
      ada:save()
      Account { id = "bob" }:save()
      tx:check(Account { id = "eve" })
    end, { token = c.prefix .. "mine" })
    local name = c.prefix .. "Account"
    assert.same({
      {
        ClientRequestToken = c.prefix .. "mine",
        TransactItems = {
          { Update = {
            TableName = name, Key = { id = { S = "ada" } }, UpdateExpression = "SET #n0=:v1",
            ConditionExpression = "attribute_exists(#n2) AND attribute_not_exists(#n3) AND #n0 = :v4",
            ExpressionAttributeNames = { ["#n0"] = "balance", ["#n2"] = "id", ["#n3"] = "owner" },
            ExpressionAttributeValues = { [":v1"] = { N = "5" }, [":v4"] = { N = "1" } },
            ReturnValuesOnConditionCheckFailure = "ALL_OLD",
          } },
          { Update = {
            TableName = name, Key = { id = { S = "bob" } }, UpdateExpression = "REMOVE #n0",
            ExpressionAttributeNames = { ["#n0"] = "neap.nothing" },
          } },
          { ConditionCheck = {
            TableName = name, Key = { id = { S = "eve" } }, ConditionExpression = "attribute_not_exists(#n0)",
            ExpressionAttributeNames = { ["#n0"] = "id" }, ReturnValuesOnConditionCheckFailure = "ALL_OLD",
          } },
        },
      },
    }, asked "TransactWriteItems")
    assert.is_true(asked "GetItem"[1].ConsistentRead)
  end)

  it("is done once where its answer is lost: it comes again under its token", function()
    for _, fault in ipairs { "lose", "drop", "500", "503", "throttle", "cut", "crc" } do
      rules { { on = "TransactWriteItems", ["do"] = fault, times = 1 } }
      pay()
      local sent = asked "TransactWriteItems"
      assert.equal(2, #sent, fault)
      assert.same(sent[1], sent[2], fault)
    end
    assert.same({ "ada|8" }, rows())
  end)

  it("comes again under its token while others write the same items", function()
    rules { { on = "TransactWriteItems", ["do"] = "conflict", times = 2 } }
    pay()
    local sent = asked "TransactWriteItems"
    assert.equal(3, #sent)
    assert.same(sent[1], sent[3])
    assert.same({ "ada|2" }, rows())
  end)

  it("is counted for each of its tables", function()
    local metered = neap.open {
      url = "dynamodb://us-east-1?endpoint=" .. proxy, access_key = "spec", secret_key = "spec",
      table_template = c.url.table_template, capacity = true,
    }
    local One = metered:model("Account", { id = t.string { primary = true } })
    local Other = metered:model("Other", { id = t.string { primary = true } })
    metered:bind()
    rules { { on = "TransactWriteItems", ["do"] = "conflict", times = 1 } }
    metered:transaction(function() metered:save { One { id = "a" }, Other { id = "b" } } end)
    metered:transaction(function() metered:load { One { id = "a" }, Other { id = "b" } } end, { mode = "read" })
    local used = metered:capacity()
    for _, name in ipairs { "Account", "Other" } do
      local units = used[c.prefix .. name]
      assert.is_true(units.read > 0 and units.write > 0, name)
    end
    metered:close()
  end)

  it("raises conflict when that does not end, and begins anew under another token", function()
    rules { { on = "TransactWriteItems", ["do"] = "conflict", times = 6 } }
    local e = fails("conflict", pay)
    assert.is_true(e.retryable)
    assert.matches("another transaction is writing it", e.errors[1].error.message)
    rules { { on = "TransactWriteItems", ["do"] = "conflict", times = 6 } }
    store:transaction(function() Account { id = "bob", balance = 1 }:save() end, { retries = 1 })
    local sent = asked "TransactWriteItems"
    assert.equal(7, #sent)
    assert.not_equal(sent[6].ClientRequestToken, sent[7].ClientRequestToken)
    assert.same({ "ada|1", "bob|1" }, rows())
  end)

  it("raises that its outcome is unknown where it is never heard", function()
    rules { { on = "TransactWriteItems", ["do"] = "lose" } }
    local short = neap.open {
      url = "dynamodb://us-east-1?endpoint=" .. proxy, access_key = "spec", secret_key = "spec",
      table_template = c.url.table_template, attempts = 2,
    }
    local Short = short:model("Account", { id = t.string { primary = true }, balance = t.integer() })
    local bob = Short { id = "bob", balance = 1 }
    local ok, e = pcall(short.transaction, short, function() bob:save() end)
    assert.same({ false, "unknown" }, { ok, e.outcome })
    assert.is_true(bob:is_new())
    assert.same({ "ada|1", "bob|1" }, rows())
    short:close()
  end)

  it("that only reads asks for all of a list at once, and again while others write them", function()
    rules { { on = "TransactGetItems", ["do"] = "conflict", times = 1 } }
    local ada, bob = Account { id = "ada" }, Account { id = "ada" }
    store:transaction(function() store:load { ada, bob } end, { mode = "read" })
    assert.same({ { TransactItems = { { Get = { TableName = c.prefix .. "Account", Key = { id = { S = "ada" } } } } } } },
      { asked "TransactGetItems"[2] })
    assert.same({ 1, 1 }, { ada.balance, bob.balance })
  end)
end)
