-- Locks in a store: who has them, who may take them over, and who has lost them.
local capture = require "tests.capture"
local contract = require "tests.store.contract"
local fails = require "tests.fails"
local lease = require "neap.lease"
local neap = require "neap"
local process = require "neap.process"

contract.each("locks", function(c)
  local other

  before_each(function() other = neap.open(c.url) end)
  after_each(function() other:close() end)

  --- What another program sees of the lock.
  local function row(...) return c:rows("neap_leases", ...)[1] end

  --- Gives the lock to a holder that says nothing.
  local function held_by(me, seconds)
    local lock = lease.take(other, "nightly", { seconds = seconds })
    lock:release()
    c:set("neap_leases", { name = "nightly" }, { host = me.host, machine = me.machine, pid = me.pid, born = me.born })
    if c.sql then other:sql("UPDATE neap_leases SET beacon = ?", { false }) end
  end

  it("are had by one at a time, with a token that counts up", function()
    for token = 1, 3 do
      local lock <close> = lease.take(c.store, "nightly")
      assert.equal(token, lock.token)
      assert.equal(("nightly|%d"):format(token), row("name", "token"))
    end
    assert.equal('lock "nightly", token 4', tostring(lease.take(c.store, "nightly")))
  end)

  it("of other names are other locks", function()
    local a <close> = lease.take(c.store, "a")
    local b <close> = lease.take(c.store, "b")
    assert.same({ 1, 1 }, { a.token, b.token })
  end)

  it("say who has them, as soon as that one shows that he lives", function()
    local lock <close> = lease.take(c.store, "nightly", { seconds = 0.3 })
    local taken, holder = lock:run(function() return lease.take(other, "nightly") end)
    local me = process.self()
    assert.is_nil(taken)
    assert.same({ me.host, me.pid, 1, 0.3 }, { holder.host, holder.pid, holder.token, holder.seconds })
  end)

  it("are taken over from who gives no sign of life for a whole lease", function()
    held_by({ host = "elsewhere", machine = "another", pid = 1, born = 1 }, 0.2)
    local from = process.uptime()
    local lock <close> = lease.take(c.store, "nightly")
    assert.equal(2, lock.token)
    assert.is_true(process.uptime() - from >= 0.2)
  end)

  it("are taken at once from a process that has ended on this machine", function()
    local me = process.self()
    me.pid = math.tointeger(tonumber((capture "sh -c 'echo $$'")))
    held_by(me, 3600)
    local lock <close> = lease.take(c.store, "nightly")
    assert.equal(2, lock.token)
  end)

  it("are taken at once from a process whose number another one has by now", function()
    local me = process.self()
    me.born = me.born - 1
    held_by(me, 3600)
    local lock <close> = lease.take(c.store, "nightly")
    assert.equal(2, lock.token)
  end)

  it("know when they are lost", function()
    local lock <close> = lease.take(c.store, "nightly", { seconds = 0.05 })
    local second <close> = lease.take(other, "nightly")
    assert.equal(2, second.token)
    assert.equal("lost", fails("conflict", lock.renew, lock).code)
  end)

  it("are not given back by who has lost them", function()
    local lock = lease.take(c.store, "nightly", { seconds = 0.05 })
    local second <close> = lease.take(other, "nightly")
    assert.is_true(lock:release())
    assert.equal(tostring(second.token) .. "|" .. process.self().pid, row("token", "pid"))
  end)

  it("are renewed while a function runs, and give what it gave", function()
    local lock <close> = lease.take(c.store, "nightly", { seconds = 0.03 })
    local a, b = lock:run(function(x)
      while row "renewals" == "0" do neap.sleep(0.01) end
      return x, "two"
    end, 1)
    assert.same({ 1, "two" }, { a, b })
  end)

  it("take the function that runs with them when they are lost", function()
    local lock, ended = lease.take(c.store, "nightly", { seconds = 0.03 }), false
    local e = fails("conflict", lock.run, lock, function()
      local _ <close> = setmetatable({}, { __close = function() ended = true end })
      c:set("neap_leases", { name = "nightly" }, { token = 2 })
      neap.sleep(60)
    end)
    assert.equal("lost", e.code)
    assert.is_true(ended)
    lock:release()
  end)

  it("raise what the function raises", function()
    local lock <close> = lease.take(c.store, "nightly")
    assert.equal("no", fails("usage", lock.run, lock, function()
      error(require "neap.host".error { kind = "usage", message = "no" }, 0)
    end).message)
  end)

  c.can "sql" ("lie in the table that the store's template names", function()
    local named <close> = setmetatable({ store = neap.open { url = c.url, table_template = "a%1_{table}" } },
      { __close = function(self) self.store:close() end })
    local lock <close> = lease.take(named.store, "nightly")
    assert.equal("1", c:client('SELECT token FROM "a%1_neap_leases"')[1])
    assert.equal(1, lock.token)
  end)

  it("are refused where they cannot be meant", function()
    fails("usage", lease.take, c.store, "")
    fails("usage", lease.take, c.store, 5)
    fails("usage", lease.take, c.store, "nightly", { seconds = 0 })
    fails("usage", lease.take, c.store, "nightly", { second = 1 })
    fails("usage", c.store.transaction, c.store, function(tx) lease.take(tx, "nightly") end)
    local lock <close> = lease.take(c.store, "nightly")
    fails("usage", c.store.transaction, c.store, function() lock:run(function() end) end)
  end)
end)

contract.only("postgres", "locks with a connection", function(c)
  it("are taken at once when the connection of the holder has ended", function()
    local other <close> = setmetatable({ store = neap.open(c.url) }, { __close = function(self) self.store:close() end })
    local lost = lease.take(other.store, "nightly", { seconds = 3600 })
    other.store:sql("UPDATE neap_leases SET machine = 'another'")
    lost.db.store:close()
    while c:client "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"[1] ~= "0" do neap.sleep(0.01) end
    local lock <close> = lease.take(c.store, "nightly")
    assert.equal(2, lock.token)
  end)
end)
