-- PostgreSQL over TLS, on a server of its own: what is encrypted, what is checked, and what is said when that fails.
local capture = require "tests.capture"
local fails = require "tests.fails"
local neap = require "neap"

local SERVICE = "tests/services/postgres"

describe("postgres over TLS", function()
  local folder, port, store

  local function service(verb) return (assert(capture(("%s %s %s"):format(SERVICE, verb, folder)))) end

  local function url(host, options)
    return ("postgres://postgres:hush@%s:%s/postgres?%s"):format(host, port, options)
  end

  -- Whether the connection is encrypted, as the server sees it.
  local function encrypted(host, options)
    store = neap.open(url(host, options))
    return store:sql("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")[1].ssl
  end

  local function refused(kind, host, options)
    local e = fails(kind, encrypted, host, options)
    assert.is_nil((tostring(e) .. tostring(e.detail)):find("hush", 1, true))
    assert.is_falsy(e.retryable)
    return e.message
  end

  setup(function()
    folder = os.tmpname()
    os.remove(folder)
    folder = folder .. "/cluster"
    port = service "start":match ":(%d+)/"
  end)

  teardown(function()
    service "stop"
    os.remove((folder:gsub("/cluster$", "")))
  end)

  after_each(function() store:close() end)

  it("is refused by a server that has none, and not asked for where that is allowed", function()
    assert.matches("ssl = on", refused("connection", "127.0.0.1", "sslmode=require"), 1, true)
    assert.is_false(encrypted("127.0.0.1", "sslmode=prefer"))
    assert.matches("verify-full", refused("usage", "127.0.0.1", "sslmode=nonsense"), 1, true)
  end)

  describe("with a server that has a certificate for localhost", function()
    setup(function()
      service "tls"
      service "kill"
      service "start"
    end)

    it("is what `require` asks for", function()
      assert.is_true(encrypted("127.0.0.1", "sslmode=require"))
      assert.is_false(encrypted("127.0.0.1", "sslmode=disable"))
    end)

    it("is checked by `verify-full`: who has signed it, and for which host", function()
      local ours, other = "&sslrootcert=" .. folder .. "/ca.crt", "&sslrootcert=" .. folder .. "/other.crt"
      assert.is_true(encrypted("localhost", "sslmode=verify-full" .. ours))
      assert.is_true(encrypted("127.0.0.1:1,localhost", "sslmode=verify-full" .. ours))
      assert.is_true(encrypted("127.0.0.1", "sslmode=verify-ca" .. ours))
      assert.matches("sslrootcert", refused("connection", "localhost", "sslmode=verify-full" .. other), 1, true)
      assert.matches("sslrootcert", refused("connection", "localhost", "sslmode=verify-full" .. other .. ".nix"), 1, true)
      assert.matches("name the host", refused("connection", "127.0.0.1", "sslmode=verify-full" .. ours), 1, true)
    end)

    it("carries what is sent side by side, streams, COPY and cancels", function()
      assert.is_true(encrypted("localhost", "sslmode=require"))
      store:sql "DROP TABLE IF EXISTS t"
      store:sql "CREATE TABLE t (id integer, s text)"
      local i = 0
      assert.equal(20000, store:copy_in("COPY t FROM STDIN", function()
        i = i + 1
        return i <= 20000 and ("%d\t%s\n"):format(i, ("x"):rep(i % 500)) or nil
      end))
      local n = 0
      for row in store:copy_out("COPY t TO STDOUT"):each() do n = n + #row end
      assert.equal(n, store:sql("SELECT sum(length(id::text) + 2 + length(s))::integer AS n FROM t")[1].n)
      assert.equal(20000, #store:sql "SELECT * FROM t")
      local sums = {}
      for k = 1, 50 do sums[k] = function() return store:sql("SELECT ? + 1 AS v", { k })[1].v end end
      for k, v in ipairs(neap.all(sums)) do assert.equal(k + 1, v) end
      fails("timeout", function() store:with({ timeout = 0.05 }, function(s) s:sql "SELECT pg_sleep(60)" end) end)
      assert.equal(20000, store:sql("SELECT count(*) AS c FROM t")[1].c)
    end)
  end)
end)
