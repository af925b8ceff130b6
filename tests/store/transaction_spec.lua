-- Transactions: all or nothing, for rows and for objects.
local contract = require "tests.store.contract"
local neap = require "neap"
local t = neap.types

contract.each("transactions", function(c)
  local Account

  before_each(function()
    Account = c.store:model("Account", { id = t.uuid { primary = true, auto = true }, owner = t.string(),
      balance = t.integer { default = 0 } }, { table = "accounts", scan = true })
    c.store:bind()
  end)

  --- By owner.
  local function rows() return c:rows("accounts", "owner", "balance") end

  it("commit when the function returns, and give what it gave", function()
    local a, b = c.store:transaction(function()
      Account { owner = "ada", balance = 5 }:save()
      return 1, "two"
    end)
    assert.same({ 1, "two" }, { a, b })
    assert.same({ "ada|5" }, rows())
  end)

  it("roll back when it raises, and raise the same error", function()
    local mark = {}
    local ok, e = pcall(c.store.transaction, c.store, function()
      Account { owner = "ada" }:save()
      error(mark)
    end)
    assert.is_false(ok)
    assert.equal(mark, e)
    assert.same({}, rows())
  end)

  it("refuse options that there are not", function()
    local ok, e = pcall(c.store.transaction, c.store, function() error "not reached" end, { retry = 3 })
    assert.is_false(ok)
    assert.equal("usage", e.kind)
    assert.truthy(e.message:find("retry is no option of store:transaction", 1, true))
  end)

  it("put objects back: new, changed, without id", function()
    local old = Account { owner = "bob", balance = 1 }:save()
    old.balance = 7
    local new = Account { owner = "ada" }
    pcall(c.store.transaction, c.store, function()
      new:save()
      old:save()
      assert.is_false(new:is_new())
      error "no"
    end)
    assert.is_true(new:is_new())
    assert.is_nil(new.id)
    assert.same({ 1, 7 }, old:changes().balance)
    new:save()
    old:save()
    assert.same({ "ada|0", "bob|7" }, rows())
  end)

  it("put deleted objects back", function()
    local a = Account { owner = "ada" }:save()
    pcall(c.store.transaction, c.store, function()
      a:delete()
      error "no"
    end)
    a.balance = 3
    a:save()
    assert.same({ "ada|3" }, rows())
  end)

  it("are not seen by others before they commit", function()
    c.store:transaction(function()
      Account { owner = "ada" }:save()
      assert.same({}, rows())
    end)
    assert.same({ "ada|0" }, rows())
  end)

  describe("nested", function()
    it("roll back to where they began", function()
      local inner
      c.store:transaction(function(tx)
        Account { owner = "ada" }:save()
        inner = Account { owner = "bob" }
        pcall(tx.transaction, tx, function()
          inner:save()
          error "no"
        end)
        assert.is_true(inner:is_new())
        Account { owner = "eve" }:save()
      end)
      assert.same({ "ada|0", "eve|0" }, rows())
    end)

    it("that commit are undone with the outer one, objects too", function()
      local inner = Account { owner = "bob" }
      pcall(c.store.transaction, c.store, function()
        c.store:transaction(function() inner:save() end)
        error "no"
      end)
      assert.same({}, rows())
      assert.is_true(inner:is_new())
    end)
  end)

  it("give savepoints to the task that opened them; its siblings wait", function()
    c.store:transaction(function()
      neap.all {
        function()
          pcall(c.store.transaction, c.store, function()
            Account { owner = "undone" }:save()
            for _ = 1, 5 do neap.sleep(0) end
            error "no"
          end)
        end,
        function()
          c.store:transaction(function()
            Account { owner = "nested" }:save()
            neap.sleep(0)
          end)
        end,
        function()
          neap.sleep(0)
          Account { owner = "plain" }:save()
        end,
      }
    end)
    assert.same({ "nested|0", "plain|0" }, rows())
  end)

  it("reach the tasks that are started inside", function()
    pcall(c.store.transaction, c.store, function()
      neap.all {
        function() Account { owner = "ada" }:save() end,
        function() neap.sleep(0) Account { owner = "bob" }:save() end,
      }
      error "no"
    end)
    assert.same({}, rows())
  end)

  it("end with the task that is cancelled inside", function()
    local began
    local task = neap.spawn(function()
      c.store:transaction(function()
        Account { owner = "ada" }:save()
        began = true
        neap.sleep(60)
      end)
    end)
    while not began do neap.sleep(0) end
    task:cancel()
    pcall(task.await, task)
    Account { owner = "bob" }:save()
    assert.same({ "bob|0" }, rows())
  end)

  it("are over when they are over: the view raises", function()
    local kept
    c.store:transaction(function(tx) kept = tx end)
    local ok, e = pcall(kept.save, kept, Account { owner = "ada" })
    assert.is_false(ok)
    assert.is_true(neap.is(e, "usage"))
  end)

  it("begin anew after a conflict that is worth it, as often as they may", function()
    local tries = 0
    c.store:transaction(function()
      tries = tries + 1
      Account { owner = "ada" }:save()
      if tries < 3 then error(require "neap.host".error { kind = "conflict", message = "again", retryable = true }) end
    end, { retries = 5 })
    assert.equal(3, tries)
    assert.same({ "ada|0" }, rows())
  end)
end)

contract.sql("transactions in SQL", function(c)
  local Account

  before_each(function()
    Account = c.store:model("Account", { id = t.integer { primary = true, auto = true }, owner = t.string(),
      balance = t.integer { default = 0 } }, { table = "accounts" })
    c.store:bind()
  end)

  local function rows() return c:rows("accounts", "owner", "balance") end

  it("see what they have written", function()
    c.store:transaction(function()
      Account { owner = "ada" }:save()
      assert.equal(1, Account:count())
    end)
  end)

  it("reach the tasks that are started inside", function()
    pcall(c.store.transaction, c.store, function()
      neap.all {
        function() Account { owner = "ada" }:save() end,
        function() neap.sleep(0) Account { owner = "bob" }:save() end,
      }
      assert.equal(2, Account:count())
      error "no"
    end)
    assert.same({}, rows())
  end)

  local of_one_writer = c.one_writer and it or function() end

  of_one_writer("cannot wait for a task that writes outside of them: it needs their connection", function()
    local function write() Account { owner = "bob" }:save() end
    for _, starts in ipairs { "before", "inside" } do
      local task = starts == "before" and neap.spawn(write)
      local ok, e = pcall(c.store.transaction, c.store, function()
        Account { owner = "ada" }:save()
        task = task or neap.spawn(write)
        neap.sleep(0)
        neap.all { function() task:await() end }
      end)
      assert.is_false(ok, starts)
      assert.matches("needs the connection that the transaction holds; await it afterwards", tostring(e))
      neap.try(task.await, task)
    end
  end)

  it("keep other tasks outside: they read what is committed and, with one writer, wait for their turn", function()
    local order = {}
    local other = neap.spawn(function()
      neap.sleep(0)
      order[#order + 1] = "sees " .. Account:count()
      Account { owner = "bob" }:save()
      order[#order + 1] = "wrote"
    end)
    c.store:transaction(function()
      Account { owner = "ada" }:save()
      for _ = 1, 20 do neap.sleep(0) end
      order[#order + 1] = "commits"
    end)
    other:await()
    if c.one_writer then assert.equal("wrote", order[#order]) end
    assert.same({ "ada|0", "bob|0" }, rows())
  end)

  of_one_writer("let those that wait for their turn give up in time", function()
    local began, over
    local task = neap.spawn(function()
      c.store:transaction(function()
        began = true
        while not over do neap.sleep(0.001) end
      end)
    end)
    while not began do neap.sleep(0) end
    local ok, e = pcall(function() c.store:with({ timeout = 0.01 }, function() Account { owner = "ada" }:save() end) end)
    over = true
    task:await()
    assert.is_false(ok)
    assert.is_true(neap.is(e, "timeout"))
    assert.same({}, rows())
  end)

  it("stream while they write", function()
    for i = 1, 50 do Account { owner = "n" .. i }:save() end
    c.store:transaction(function()
      local n = 0
      for a in Account:each() do
        a.balance = a.balance + 1
        a:save()
        n = n + 1
      end
      assert.equal(50, n)
    end)
    assert.equal(50, Account:sum "balance")
  end)
end)

contract.sql("views", function(c)
  local Note

  before_each(function()
    Note = c.store:model("Note", { id = t.integer { primary = true, auto = true }, owner = t.string(), text = t.string() })
    c.store:bind()
    Note { owner = "ada", text = "a" }:save()
    Note { owner = "bob", text = "b" }:save()
  end)

  it("carry a scope into reads and writes", function()
    local mine = c.store:with { scope = { Note = { owner = "ada" } } }
    local MyNote = mine:model "Note"
    assert.equal(1, MyNote:count())
    assert.is_nil(MyNote:find(2))
    local ok, e = pcall(function()
      local theirs = Note:get(2)
      mine:with({}, function()
        local seen = MyNote:all()[1]
        seen.text = "mine"
        seen:save()
      end)
      return theirs
    end)
    assert.is_true(ok, tostring(e))
    assert.same({ "mine", "b" }, c:client "SELECT text FROM Note ORDER BY id")
  end)

  describe("with a scope", function()
    local mine, MyNote
    before_each(function()
      mine = c.store:with { scope = { Note = { owner = "ada", text__exists = true } } }
      MyNote = mine:model "Note"
    end)

    local function refuses(f, ...)
      local ok, e = pcall(f, ...)
      assert.is_false(ok)
      assert.equal("condition", e.kind, tostring(e))
      assert.truthy(e.message:find("outside of the scope", 1, true), e.message)
      assert.same({ "ada|a", "bob|b" }, c:client "SELECT owner, text FROM Note ORDER BY id")
    end

    it("insert nothing that would lie outside of it", function()
      refuses(MyNote.create, MyNote, { owner = "bob", text = "x" })
      refuses(MyNote.create, MyNote, { owner = "ada" })
      refuses(MyNote.upsert, MyNote, { id = 2, owner = "bob", text = "x" }, { "id" })
      refuses(mine.save, mine, Note { owner = "bob", text = "x" })
      assert.equal(3, MyNote:create { owner = "ada", text = "c" }.id)
    end)

    it("move nothing out of it", function()
      local note = MyNote:get(1)
      note.owner = "bob"
      refuses(note.save, note)
      note.owner, note.text = "ada", "new"
      assert.equal("new", note:save().text)
    end)

    it("move nothing out of it by changes in the store", function()
      local note = MyNote:get(1)
      refuses(MyNote.update, MyNote, { owner = "bob" }, { all = true })
      refuses(MyNote.update, MyNote, { text = neap.null }, { all = true })
      refuses(note.set, note, "owner", "bob")
      refuses(note.unset, note, "text")
      MyNote:update({ owner = "ada", text = "new" }, { all = true })
      assert.same({ "ada|new", "bob|b" }, c:client "SELECT owner, text FROM Note ORDER BY id")
      local Box = c.store:model("Box", { id = t.integer { primary = true, auto = true }, tenant = t.integer(), tags = t.list(t.string()) })
      c.store:bind()
      local box = Box { tenant = 1 }:save()
      c.store:with({ scope = { Box = Box.tenant:eq(1) } }, function()
        box:append("tags", "x")
        local ok, e = pcall(box.increment, box, "tenant", 1)
        assert.same({ false, "unsupported" }, { ok, e.kind })
      end)
      assert.equal(1, Box:get(box.id).tenant)
    end)

    it("save those of a list that lie in it", function()
      local ok, e = pcall(mine.save, mine, { MyNote { owner = "ada", text = "c" }, MyNote { owner = "bob", text = "d" } })
      assert.is_false(ok)
      assert.same({ 2, "condition" }, { e.errors[1].index, e.errors[1].error.kind })
      assert.same({ "a", "b", "c" }, c:client "SELECT text FROM Note ORDER BY id")
    end)

    it("save those of a list behind many that do not lie in it, with what a save makes", function()
      local Stamped = c.store:model("Stamped", { id = t.uuid { primary = true, auto = true }, owner = t.string(),
        made = t.datetime { auto_now_add = true }, at = t.datetime { auto_now = true } })
      c.store:bind()
      local theirs = c.store:with { scope = { Stamped = { owner = "ada" } } }
      local list = {}
      for i = 1, 20 do list[i] = Stamped { owner = "bob" } end
      local inside = Stamped { owner = "ada" }
      list[21] = inside
      local ok, e = pcall(theirs.save, theirs, list)
      assert.same({ false, 20 }, { ok, #e.errors })
      assert.equal(36, #inside.id)
      local row = Stamped:one()
      assert.same({ inside.id, tostring(inside.made), tostring(inside.at) }, { row.id, tostring(row.made), tostring(row.at) })
    end)

    it("take a key that the store makes for one that may lie in it", function()
      local Later = c.store:with { scope = { Note = { id__gt = 1, owner = "ada" } } }:model "Note"
      assert.equal(3, Later:create { owner = "ada", text = "c" }.id)
      assert.is_true(neap.is(select(2, pcall(Later.create, Later, { owner = "bob" })), "condition"))
    end)
  end)

  it("count for all that a function does", function()
    c.store:with({ scope = { Note = { owner = "bob" } } }, function()
      assert.equal(1, Note:count())
    end)
    assert.equal(2, Note:count())
  end)

  it("make saves atomic", function()
    local note = c.store:with({ atomic = true }):model "Note":get(1)
    c:client "UPDATE Note SET owner = 'eve' WHERE id = 1"
    note.text = "x"
    local ok, e = pcall(note.save, note)
    assert.is_false(ok)
    assert.is_true(neap.is(e, "condition"))
  end)
end)
