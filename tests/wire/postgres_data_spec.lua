-- COPY to and from PostgreSQL: data in, data out, and what is left when either is ended in the middle.
local fails = require "tests.fails"
local neap = require "neap"

local URL = os.getenv "NEAP_TEST_POSTGRES"

describe("COPY", function()
  local store, name

  setup(function()
    name = "neap_" .. neap.uuid():gsub("-", "")
    store = neap.open(URL)
    store:sql("CREATE DATABASE " .. name)
    store:close()
  end)

  teardown(function()
    store = neap.open(URL)
    store:sql("DROP DATABASE " .. name .. " WITH (FORCE)")
    store:close()
  end)

  -- One connection: what is not whole afterwards is noticed by the next statement.
  before_each(function()
    store = neap.open((URL:gsub("/postgres$", "/" .. name)) .. "?pool=1")
    store:sql "DROP TABLE IF EXISTS t"
    store:sql "CREATE TABLE t (id integer PRIMARY KEY, s text)"
  end)

  after_each(function() store:close() end)

  local function count() return store:sql("SELECT count(*) AS c FROM t")[1].c end

  local function rows(text)
    local list = {}
    for row in store:copy_out(text):each() do list[#list + 1] = row end
    return list
  end

  -- A source of n lines, which may do something before it gives line `at`.
  local function lines(n, at, f)
    local i = 0
    return function()
      i = i + 1
      if i == at then f() end
      return i <= n and ("%d\tline %d\n"):format(i, i) or nil
    end
  end

  describe("out", function()
    it("gives each row as the server spells it", function()
      store:sql [[INSERT INTO t VALUES (1, 'a'), (2, E'b\nc'), (3, NULL)]]
      assert.same({ "1\ta\n", "2\tb\\nc\n", "3\t\\N\n" }, rows "COPY t TO STDOUT")
      assert.same({ "id,s\n", "1,a\n", '2,"b\nc"\n', "3,\n" }, rows "copy (select * from t order by id) to stdout (format csv, header)")
      assert.matches("^PGCOPY\n\255\r\n\0", rows("COPY t TO STDOUT (FORMAT binary)")[1])
    end)

    it("of nothing gives nothing", function() assert.same({}, rows "COPY t TO STDOUT") end)

    it("that is left early gives the connection back", function()
      for _ = 1, 3 do
        local out = store:copy_out "COPY (SELECT i, repeat('x', 1000) FROM generate_series(1, 1000000) i) TO STDOUT"
        assert.equal("1\t" .. ("x"):rep(1000) .. "\n", out:each()())
        out:close()
        for row in store:copy_out("COPY (SELECT generate_series(1, 1000000)) TO STDOUT"):each() do
          if row == "7\n" then break end
        end
        store:copy_out("COPY (SELECT pg_sleep(0)) TO STDOUT"):close()
        assert.equal(0, count())
      end
    end)

    it("that fails says why, at once or in the middle", function()
      fails("mismatch", rows, "COPY nix TO STDOUT")
      fails("validation", rows, "COPY (SELECT 1 / (500 - i) FROM generate_series(1, 1000) i) TO STDOUT")
      assert.equal(0, count())
    end)
  end)

  describe("in", function()
    it("takes a string, a function, a file, and what a COPY gives", function()
      assert.equal(2, store:copy_in("COPY t FROM STDIN (FORMAT csv)", '1,a\n2,"b\nc"\n'))
      assert.equal(0, store:copy_in("COPY t FROM STDIN", ""))
      assert.equal(3, store:copy_in("COPY t (s, id) FROM STDIN", coroutine.wrap(function()
        for _, piece in ipairs { "x\t1", "0\ny\t11\n", "", "z\t12\n" } do coroutine.yield(piece) end
      end)))
      local file <close> = assert(io.tmpfile())
      for i = 100, 20099 do file:write(i, "\tline ", i, "\n") end
      file:seek "set"
      assert.equal(20000, store:copy_in("COPY t FROM STDIN", file))
      local other = neap.open((URL:gsub("/postgres$", "/" .. name)))
      assert.equal(20005, store:copy_in("COPY t FROM STDIN (FORMAT binary)",
        other:copy_out "COPY (SELECT id + 100000, s FROM t) TO STDOUT (FORMAT binary)"))
      other:close()
      assert.equal(40010, count())
    end)

    it("takes a text that is longer than what is sent at once", function()
      local long = ("x"):rep(3000000)
      assert.equal(1, store:copy_in("COPY t FROM STDIN", "1\t" .. long .. "\n"))
      assert.equal(3000000, store:sql("SELECT length(s) AS n FROM t")[1].n)
    end)

    it("writes all or nothing", function()
      assert.equal("22P02", fails("validation", store.copy_in, store, "COPY t FROM STDIN", "1\ta\nx\tb\n").code)
      assert.matches("t.id", fails("conflict", store.copy_in, store, "COPY t FROM STDIN", "1\ta\n1\tb\n").message, 1, true)
      fails("mismatch", store.copy_in, store, "COPY nix FROM STDIN", lines(10))
      assert.equal(0, count())
    end)

    it("writes nothing when its source raises, and raises the same", function()
      local ok, e = pcall(store.copy_in, store, "COPY t FROM STDIN", lines(50000, 40000, function() error { odd = true } end))
      assert.is_false(ok)
      assert.is_true(e.odd)
      local given = false
      local function number()
        given = not given
        return given and 5 or nil
      end
      fails("usage", store.copy_in, store, "COPY t FROM STDIN", number)
      fails("usage", store.copy_in, store, "COPY t FROM STDIN", 5)
      fails("usage", store.copy_in, store, "COPY t FROM STDIN", {})
      assert.equal(0, count())
    end)

    it("closes its source, however it ends", function()
      local function source(f)
        local closed = setmetatable({ times = 0 }, { __close = function(self) self.times = self.times + 1 end })
        return { each = function() return f, nil, nil, closed end }, closed
      end
      local fine, fine_closed = source(lines(3))
      local broken, broken_closed = source(function() error "no" end)
      store:copy_in("COPY t FROM STDIN", fine)
      assert.is_false(pcall(store.copy_in, store, "COPY t FROM STDIN", broken))
      assert.same({ 1, 1 }, { fine_closed.times, broken_closed.times })
    end)
  end)

  it("is all that copy_in and copy_out take", function()
    for _, text in ipairs { "SELECT 1", "COPY t TO STDOUT", "COPY t FROM '/etc/passwd'", "DELETE FROM t; COPY t FROM STDIN", 5 } do
      fails("usage", store.copy_in, store, text, "")
    end
    for _, text in ipairs { "SELECT 1", "COPY t FROM STDIN", "COPY t TO '/tmp/x'" } do fails("usage", store.copy_out, store, text) end
    fails("usage", rows, "COPY (SELECT 1) TO STDOUT; SELECT 'to stdout'")
    fails("usage", store.copy_in, store, "COPY (SELECT 'from stdin') TO STDOUT", "")
    fails("usage", rows, "COPY t (id, s) FROM STDIN WHERE s <> ' to stdout '")
    fails("unsupported", store.sql, store, "COPY t FROM STDIN")
    assert.equal(0, count())
  end)

  describe("inside a transaction", function()
    it("is a part of it", function()
      store:transaction(function(tx)
        assert.equal(5, tx:copy_in("COPY t FROM STDIN", lines(5)))
        assert.equal(5, #rows "COPY t TO STDOUT")
        tx:sql "DELETE FROM t WHERE id = 1"
      end)
      fails("usage", store.transaction, store, function(tx)
        tx:copy_in("COPY t FROM STDIN", "9\tx\n")
        neap.open(5)
      end)
      assert.equal(4, count())
    end)

    it("that a savepoint undoes leaves the rest", function()
      store:transaction(function(tx)
        tx:sql "INSERT INTO t VALUES (1)"
        fails("conflict", tx.transaction, tx, function(inner) inner:copy_in("COPY t FROM STDIN", "1\ta\n") end)
        assert.is_false(pcall(tx.transaction, tx, function(inner)
          inner:copy_out("COPY (SELECT generate_series(1, 100000)) TO STDOUT"):each()()
          error "left open"
        end))
        tx:sql "INSERT INTO t VALUES (2)"
      end)
      assert.equal(2, count())
    end)

    it("has its connection: what else is done there is refused, not waited for", function()
      fails("usage", store.transaction, store, function(tx)
        tx:copy_in("COPY t FROM STDIN", lines(5, 3, function() tx:sql "SELECT 1" end))
      end)
      fails("usage", store.transaction, store, function(tx)
        local out = tx:copy_out "COPY (SELECT generate_series(1, 100000)) TO STDOUT"
        out:each()()
      end)
      assert.equal(0, count())
    end)

    it("ends with it", function()
      local out
      assert.is_false(pcall(store.transaction, store, function(tx)
        out = tx:copy_out "COPY (SELECT generate_series(1, 100000)) TO STDOUT"
        error "no"
      end))
      assert.equal(0, count())
      fails("usage", function() for _ in out:each() do error "a row" end end)
    end)
  end)

  describe("that is stopped", function()
    it("says that its source may not need the only connection", function()
      fails("usage", store.copy_in, store, "COPY t FROM STDIN", lines(5, 3, count))
      assert.equal(0, count())
    end)

    it("by a timeout leaves nothing behind", function()
      local other = neap.open((URL:gsub("/postgres$", "/" .. name)))
      other:transaction(function(tx)
        tx:sql "LOCK TABLE t"
        fails("timeout", function()
          store:with({ timeout = 0.05 }, function(s) s:copy_in("COPY t FROM STDIN", lines(5)) end)
        end)
        fails("timeout", function()
          store:with({ timeout = 0.05 }, function(s) s:copy_out("COPY t TO STDOUT"):each()() end)
        end)
      end)
      other:close()
      assert.equal(0, count())
    end)

    it("by a cancel anywhere leaves nothing behind", function()
      local works = {
        function()
          store:copy_in("COPY t FROM STDIN", function()
            neap.sleep(0)
            return ("%d\t%s\n"):format(math.random(1 << 30), ("x"):rep(30000))
          end)
        end,
        function() store:copy_in("COPY t FROM STDIN", lines(1e9, 50, function() neap.sleep(60) end)) end,
        function() for _ in store:copy_out("COPY (SELECT generate_series(1, 100000000)) TO STDOUT"):each() do neap.sleep(0) end end,
        function() for _ in store:copy_out("COPY (SELECT pg_sleep(60)) TO STDOUT"):each() do error "a row" end end,
        function() store:transaction(function(tx) tx:copy_in("COPY t FROM STDIN", lines(1e9, 9, function() neap.sleep(60) end)) end) end,
      }
      for round = 1, 6 do
        for _, work in ipairs(works) do
          local task = neap.spawn(work)
          for _ = 1, round * 3 do neap.sleep(0) end
          task:cancel()
          pcall(task.await, task)
          assert.equal(0, count())
        end
      end
    end)
  end)
end)
