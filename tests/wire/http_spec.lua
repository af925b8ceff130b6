-- neap.http against a server that does what servers do: tests/services/http.
local neap = require "neap"
local http = neap.http

local function sh(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  pipe:close()
  return (text:gsub("%s+$", ""))
end

-- A server, and the URL that leads to it.
local function serve(arguments)
  local port, pid = sh("tests/services/http " .. (arguments or "")):match "(%d+) (%d+)"
  return { port = port, pid = pid, url = "http://127.0.0.1:" .. port }
end

local function kill(server) os.execute("kill -9 " .. server.pid) end

local function fails(kind, f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok, "an error was expected")
  assert.is_true(neap.is(e, kind), tostring(e))
  return e
end

describe("neap.http", function()
  local server, url

  setup(function()
    server = serve()
    url = server.url
  end)

  teardown(function() kill(server) end)

  local function counts() return http.get(url .. "/counts"):json() end

  describe("a request", function()
    it("has a method and a path, and what it is answered has status, headers and body", function()
      local r = http.get(url .. "/echo?a=1")
      assert.equal(200, r.status)
      assert.equal("application/json", r.headers["content-type"])
      assert.equal(url .. "/echo?a=1", r.url)
      local said = r:json()
      assert.same({ "GET", "/echo?a=1", "" }, { said.method, said.target, said.body })
      assert.matches("^neap/%d", said.headers["user-agent"])
    end)

    it("is of any method", function()
      for _, method in ipairs { "post", "put", "patch", "delete" } do
        assert.equal(method:upper(), http[method](url .. "/echo"):json().method)
      end
      assert.equal("PROPFIND", http.request("propfind", url .. "/echo"):json().method)
      assert.same({ 200, "" }, { http.head(url .. "/echo").status, http.head(url .. "/echo").body })
    end)

    it("carries a query made of a table, keys in order, lists as one key again and again", function()
      local said = http.get(url .. "/echo", { query = { b = "ä &=", a = { 1, 2 }, c = true } }):json()
      assert.equal("/echo?a=1&a=2&b=%C3%A4%20%26%3D&c=true", said.target)
      assert.equal("/echo?x=1&y=2", http.get(url .. "/echo?x=1#part", { query = { y = 2 } }):json().target)
    end)

    it("carries JSON, a form, or bytes as they are", function()
      local said = http.post(url .. "/echo", { json = { a = { 1, neap.null } } }):json()
      assert.same({ '{"a":[1,null]}', "application/json" }, { said.body, said.headers["content-type"] })
      said = http.post(url .. "/echo", { form = { name = "Ada L", n = 1 } }):json()
      assert.same({ "n=1&name=Ada%20L", "application/x-www-form-urlencoded" }, { said.body, said.headers["content-type"] })
      said = http.put(url .. "/echo", { body = "a\0b\255", headers = { ["Content-Type"] = "x/y" } }):json()
      assert.same({ 4, "x/y" }, { tonumber(said.headers["content-length"]), said.headers["content-type"] })
      assert.is_nil(http.put(url .. "/echo", { body = "x" }):json().headers["content-type"])
    end)

    it("carries a body with GET and DELETE too, and an empty one with POST", function()
      assert.equal("x", http.get(url .. "/echo", { body = "x" }):json().body)
      assert.equal("x", http.delete(url .. "/echo", { body = "x" }):json().body)
      assert.equal("0", http.post(url .. "/echo"):json().headers["content-length"])
    end)

    it("carries a large body without asking first", function()
      local said = http.post(url .. "/echo", { body = ("x"):rep(3000000) }):json()
      assert.equal(3000000, #said.body)
      assert.is_nil(said.headers.expect)
    end)

    it("carries headers, also empty ones and several of a name", function()
      local said = http.get(url .. "/echo", { headers = { ["X-A"] = 1, ["X-B"] = { "b", "c" }, ["X-C"] = "" } }):json()
      assert.same({ "1", "b|c", "" }, { said.headers["x-a"], said.headers["x-b"], said.headers["x-c"] })
    end)

    it("says who asks", function()
      local function sent(options) return http.get(url .. "/echo", options):json().headers.authorization end
      assert.equal("Basic YWRhOmx1OnY=", sent { auth = { "ada", "lu:v" } })
      assert.equal("Bearer t.o.k", sent { bearer = "t.o.k" })
      assert.equal("Basic YWRhOmx1", http.get((url:gsub("//", "//ada:lu@")) .. "/echo"):json().headers.authorization)
    end)
  end)

  describe("what comes back", function()
    it("has headers in whatever case, equal ones joined, cookies by line breaks", function()
      local headers = http.get(url .. "/headers").headers
      assert.same({ "a, b", "a=1, b\nc=2", "", '"x"' },
        { headers["X-TWO"], headers["set-cookie"], headers["X-Empty"], headers.etag })
      assert.is_nil(headers["x-none"])
    end)

    it("may come in chunks, packed, slowly, or behind another answer", function()
      assert.equal("one two three", http.get(url .. "/chunked").body)
      assert.equal(("unpacked "):rep(1000), http.get(url .. "/gzip").body)
      assert.equal("xxxxxxxxxx", http.get(url .. "/slow").body)
      local r = http.get(url .. "/continue")
      assert.same({ 200, "went on" }, { r.status, r.body })
      assert.is_nil(r.headers["x-first"])
    end)

    it("may be large", function() assert.equal(20000000, #http.get(url .. "/large/20000000").body) end)

    it("is no error, whatever the status", function()
      for _, status in ipairs { 200, 204, 304, 400, 404, 500, 503 } do
        assert.equal(status, http.get(url .. "/status/" .. status).status)
      end
    end)

    it("is one when it is checked", function()
      local kinds = { [400] = "usage", [401] = "auth", [403] = "forbidden", [404] = "not_found", [409] = "conflict",
        [412] = "condition", [422] = "validation", [429] = "throttled", [500] = "server", [503] = "server" }
      for status, kind in pairs(kinds) do
        local e = fails(kind, function() http.get(url .. "/status/" .. status, { query = { key = "s3cret" } }):check() end)
        assert.equal(status, e.status)
        assert.equal(("GET %s/status/%d answered %d"):format(url, status, status), e.message)
        assert.equal("so it is", e.detail)
        assert.equal(status == 429 or status == 503 or nil, e.retryable)
      end
      local r = http.get(url .. "/status/200")
      assert.equal(r, r:check())
    end)

    it("raises `protocol` where it should be JSON and is not", function()
      local e = fails("protocol", function() http.get(url .. "/gzip"):json() end)
      assert.matches("GET http://.*/gzip: the body is no JSON", e.message)
    end)
  end)

  describe("a reply in pieces", function()
    local function stream(path, options)
      options = options or {}
      options.stream = true
      return http.get(url .. path, options)
    end

    local function whole(r)
      local parts = {}
      for piece in r:pieces() do parts[#parts + 1] = piece end
      return table.concat(parts), #parts
    end

    it("has its head before its body", function()
      local r <close> = stream "/pieces/3/20"
      assert.same({ 200, "chunked", url .. "/pieces/3/20" }, { r.status, r.headers["Transfer-Encoding"], r.url })
      assert.is_nil(r.body)
      assert.equal("200, in pieces", tostring(r))
      assert.equal("000000000x", r:read():sub(1, 10))
    end)

    it("gives all of its body", function()
      local all, parts = whole(stream "/pieces/3000")
      assert.equal(3000000, #all)
      assert.equal("000002999x", all:sub(-1000, -991))
      assert.is_true(parts > 1)
      assert.equal(("unpacked "):rep(1000), (whole(stream "/gzip")))
      local r = stream "/status/204"
      assert.same({}, { r:read(), r:read() })
    end)

    it("waits until it is taken", function()
      local r <close> = stream "/pieces/20000"
      r:read()
      local before
      repeat  -- until nothing moves any more
        before = counts().pieces
        neap.sleep(0.05)
      until counts().pieces == before
      assert.is_true(before < 20000)
      collectgarbage()
      assert.is_true(collectgarbage "count" < 30000)
    end)

    it("is left where somebody has enough of it", function()
      local n = 0
      for _ in stream "/pieces/20000":pieces() do
        n = n + 1
        if n == 2 then break end
      end
      local r = stream "/pieces/20000"
      r:close()
      r:close()
      assert.matches("has been closed", fails("usage", r.read, r).message)
      for _ = 1, 40 do
        stream "/pieces/20000"
        collectgarbage()
      end
      assert.equal(200, http.get(url .. "/echo").status)
    end)

    it("raises what breaks it off, after what had come", function()
      local r = stream "/half"
      assert.equal("only this", r:read())
      assert.equal("PARTIAL_FILE", fails("connection", r.read, r).code)
      fails("connection", stream, "/reset")
      r = stream("/pieces/1000", { max_size = 5000 })
      assert.matches("larger than 5000 bytes", fails("limit", function() while r:read() do end end).message)
    end)

    it("has a timeout from piece to piece, while somebody waits for one", function()
      local n = 0
      for piece in stream("/pieces/4/0.3", { timeout = 1 }):pieces() do n = n + #piece end
      assert.equal(4000, n)
      local r = stream("/pieces/3/20", { timeout = 0.1 })
      neap.sleep(0.2)
      assert.equal(1000, #r:read())
      local e = fails("timeout", r.read, r)
      assert.equal(("GET %s/pieces/3/20: nothing for 0.1 s; see timeout"):format(url), e.message)
    end)

    it("can be waited for by a task that is cancelled", function()
      local r = stream "/pieces/3/20"
      r:read()
      local task = neap.spawn(r.read, r)
      neap.sleep(0.01)
      task:cancel()
      fails("cancelled", task.await, task)
      fails("usage", r.read, r)
    end)

    it("is followed to where it leads, and checked as any other", function()
      assert.equal("one two three", (whole(stream "/redirect/302/%2Fchunked")))
      local r = stream("/redirect/302/%2Fchunked", { follow = false })
      assert.same({ 302, "elsewhere" }, { r.status, r:read() })
      local e = fails("server", function() stream "/status/500":check() end)
      assert.equal("so it is", e.detail)
      fails("usage", function() stream "/echo":json() end)
      local there = http.get(url .. "/echo")
      fails("usage", there.read, there)
    end)
  end)

  describe("a body in pieces", function()
    local function numbers(last)
      local i = 0
      return function()
        i = i + 1
        if i <= last then return i .. "," end
      end
    end

    it("is what a function gives until it gives nil", function()
      local said = http.post(url .. "/echo", { body = numbers(5) }):json()
      assert.same({ "1,2,3,4,5,", "chunked" }, { said.body, said.headers["transfer-encoding"] })
      assert.equal("", http.put(url .. "/echo", { body = function() end }):json().body)
      assert.equal("ab", http.post(url .. "/echo", { body = coroutine.wrap(function()
        for _, piece in ipairs { "a", "", "b" } do coroutine.yield(piece) end
      end) }):json().body)
    end)

    it("may say how long it is", function()
      local said = http.put(url .. "/echo", { body = numbers(5), length = 10 }):json()
      assert.same({ "1,2,3,4,5,", "10" }, { said.body, said.headers["content-length"] })
      for length, wrong in pairs { [9] = "longer than its length", [11] = "shorter than its length" } do
        assert.matches(wrong, fails("usage", http.put, url .. "/echo", { body = numbers(5), length = length }).message)
      end
      fails("usage", http.put, url .. "/echo", { body = "x", length = 1 })
    end)

    it("may be large, slow, and made of what another server gives", function()
      local from = http.get(url .. "/pieces/3000", { stream = true })
      assert.equal(3000000, #http.post(url .. "/echo", { body = function() return from:read() end }):json().body)
      local i = 0
      assert.equal("xxx", http.post(url .. "/echo", { timeout = 0.5, body = function()
        i = i + 1
        neap.sleep(0.25)
        if i <= 3 then return "x" end
      end }):json().body)
    end)

    it("is waited for as long as it takes, and its answer no longer than it may", function()
      local function late()
        local given
        return function()
          if given then return neap.sleep(0.8) end
          given = true
          return "x"
        end
      end
      assert.equal("x", http.post(url .. "/echo", { body = late(), first_byte_timeout = 0.5 }):json().body)
      local e = fails("timeout", http.post, url .. "/delay/20", { body = late(), first_byte_timeout = 0.1, timeout = 0 })
      assert.matches("no answer within 0.1 s", e.message)
    end)

    it("ends where the answer comes early", function()
      local r = http.post(url .. "/early", { body = function() return ("x"):rep(10000) end })
      assert.same({ 413, "enough" }, { r.status, r.body })
    end)

    it("raises what its function raises", function()
      local ok, e = pcall(http.post, url .. "/echo", { body = function() error("no more", 0) end })
      assert.same({ false, "no more" }, { ok, e })
      local e2 = fails("usage", http.post, url .. "/echo", { body = function() return 5 end })
      assert.matches("a piece of the body must be a string", e2.message)
      assert.equal(200, http.get(url .. "/echo").status)
    end)

    it("is sent once", function()
      local e = fails("protocol", http.put, url .. "/redirect/307/%2Fecho", { body = numbers(2) })
      assert.matches("cannot be sent again", e.message)
      assert.equal("GET", http.post(url .. "/redirect/303/%2Fecho", { body = numbers(2) }):json().method)
      fails("connection", http.put, url .. "/drop", { body = numbers(2) })
    end)
  end)

  describe("a redirect", function()
    local function to(status, target, from) return ("%s/redirect/%d/%s"):format(from or url, status, target) end

    it("is followed, and says where it led", function()
      local r = http.get(to(302, "/echo"))
      assert.same({ 200, url .. "/echo" }, { r.status, r.url })
    end)

    it("makes a GET of a POST, but for 307 and 308", function()
      for status, method in pairs { [301] = "GET", [302] = "GET", [303] = "GET", [307] = "POST", [308] = "POST" } do
        local said = http.post(to(status, "/echo"), { json = 1 }):json()
        assert.same({ method, method == "POST" and "1" or "" }, { said.method, said.body })
        assert.equal(method == "POST" and "application/json" or nil, said.headers["content-type"])
      end
      assert.equal("PUT", http.put(to(302, "/echo"), { body = "x" }):json().method)
    end)

    it("takes no keys to another host", function()
      local other <close> = setmetatable(serve(), { __close = kill })
      local options = { bearer = "token", headers = { Cookie = "c=1", ["X-Api-Key"] = "k", Accept = "text/x" } }
      local here = http.get(to(302, "/echo"), options):json().headers
      assert.same({ "Bearer token", "c=1", "k" }, { here.authorization, here.cookie, here["x-api-key"] })
      local there = http.get(to(302, other.url .. "/echo"), options):json().headers
      assert.equal("text/x", there.accept)
      assert.same({}, { there.authorization, there.cookie, there["x-api-key"] })
      there = http.get(to(302, other.url .. "/echo", (url:gsub("//", "//ada:lu@")))):json().headers
      assert.is_nil(there.authorization)
    end)

    it("is followed so many times, or not at all", function()
      assert.matches("more than 5 times; see follow", fails("protocol", http.get, url .. "/loop").message)
      local r = http.get(to(302, "/echo"), { follow = false })
      assert.same({ 302, "/echo", "elsewhere" }, { r.status, r.headers.location, r.body })
      assert.equal(200, http.get(to(302, "/redirect/302/%2Fecho"), { follow = 2 }).status)
      fails("protocol", http.get, to(302, "/redirect/302/%2Fecho"), { follow = 1 })
    end)

    it("leads to nothing else than HTTP", function()
      fails("protocol", http.get, to(302, "file:///etc/passwd"))
      fails("protocol", http.get, to(302, "gopher://127.0.0.1/"))
    end)
  end)

  describe("what is wrong with a request", function()
    it("is told before anything is sent", function()
      local before = counts().connections
      local function wrong(pattern, ...)
        local e = fails("usage", ...)
        assert.matches(pattern, e.message)
      end
      wrong("no option querry; did you mean query", http.get, url, { querry = {} })
      wrong("no option xyz; known: auth, bearer", http.get, url, { xyz = 1 })
      wrong("cannot be read", http.get, "")
      wrong("cannot be read", http.get, "http://")
      wrong("cannot be read", http.get, url .. "/a b")
      wrong("cannot be read", http.get, url .. "/a\r\nX: y")
      wrong("zero byte", http.get, url .. "/a\0b")
      wrong("ftp is spoken by nobody here", http.get, "ftp://127.0.0.1/")
      wrong("file is spoken by nobody here", http.get, "file:///etc/passwd")
      wrong("the header X%-A has a line break", http.get, url, { headers = { ["X-A"] = "a\r\nX-B: b" } })
      wrong("the header X%-A has a line break", http.get, url, { headers = { ["X-A"] = "a\nb" } })
      wrong("is no name of a header", http.get, url, { headers = { ["X A"] = "a" } })
      wrong("is no name of a header", http.get, url, { headers = { ["X-A: b\r\nX-B"] = "a" } })
      wrong("follows from the body", http.get, url, { headers = { ["content-length"] = "5" } })
      wrong("line break", http.get, url, { bearer = "a\nb" })
      wrong("is no method", http.request, "GET /x HTTP/1.1\r\n", url)
      wrong("is no method", http.request, "connect", url)
      wrong("one of json, form and body", http.post, url, { json = 1, body = "x" })
      wrong("one of auth and bearer", http.get, url, { auth = { "a", "b" }, bearer = "x" })
      wrong("auth must be", http.get, url, { auth = { "a" } })
      wrong("query must be a table", http.get, url, { query = "a=b" })
      wrong("query: a must be text, a number or a boolean, not a table", http.get, url, { query = { a = { {} } } })
      wrong("timeout must be a number of seconds", http.get, url, { timeout = "5" })
      wrong("first_byte_timeout must be a number of seconds", http.get, url, { first_byte_timeout = -1 })
      wrong("min_speed must be an integer", http.get, url, { min_speed = 0.5 })
      wrong("min_speed_time must be an integer", http.get, url, { min_speed_time = 0 })
      wrong("max_size must be an integer", http.get, url, { max_size = -1 })
      wrong("follow must be", http.get, url, { follow = "x" })
      wrong("body must be a string", http.post, url, { body = 5 })
      wrong("the URL must be a string", http.get)
      fails("validation", http.post, url, { json = print })
      assert.equal(before, counts().connections)
    end)

    it("is told without passwords, tokens and queries", function()
      local function silent(...)
        local _, e = pcall(...)
        assert.is_nil(tostring(e):find("s3cret", 1, true), tostring(e))
        assert.is_nil((e.traceback or ""):find("s3cret", 1, true))
      end
      silent(http.get, "http://ada:s3cret@127.0.0.1:1/x?key=s3cret", { bearer = "s3cret", timeout = 5 })
      silent(http.get, "http://ada:s3cret@127.0.0.1:port/")
      silent(http.get, "http://ada:s3cret@[::1/")
      silent(http.get, url .. "/x y?key=s3cret")
      silent(http.get, url, { bearer = "s3cret\n" })
      silent(http.get, url, { bearer = { "s3cret" } })
      silent(http.get, url, { headers = { ["X-Key"] = "s3cret\n" } })
      silent(http.get, url .. "/half?key=s3cret")
    end)
  end)

  describe("when something gives way", function()
    it("raises `connection` for a server that is not there", function()
      local e = fails("connection", http.post, "http://127.0.0.1:1/path?key=1", { body = "x" })
      assert.matches("^POST http://127.0.0.1:1/path: Failed to connect", e.message)
      assert.same({ "http", "COULDNT_CONNECT", true }, { e.store, e.code, e.retryable })
      assert.is_nil(e.outcome)
    end)

    it("raises `connection` for an answer that breaks off, is reset or never comes", function()
      for _, path in ipairs { "/half", "/reset", "/drop" } do
        local e = fails("connection", http.get, url .. path)
        assert.is_true(e.retryable, path)
        e = fails("connection", http.post, url .. path, { body = "x" })
        assert.equal("unknown", e.outcome)
        assert.is_nil(e.retryable)
      end
    end)

    it("raises `protocol` for what is no HTTP, has endless headers, or is not packed as it says", function()
      fails("protocol", http.get, url .. "/headers/many")
      fails("protocol", http.get, url .. "/garbage")
      fails("protocol", http.get, url .. "/badgzip")
    end)

    it("sends a POST once, also where the connection it goes over is closed by the server", function()
      for _, options in ipairs { { body = "x" }, {} } do
        http.get(url .. "/echo")
        local before = counts()["/drop"] or 0
        local e = fails("connection", http.post, url .. "/drop", options)
        assert.same({ "GOT_NOTHING", "unknown" }, { e.code, e.outcome })
        assert.equal(before + 1, counts()["/drop"])
      end
    end)

    it("knows that nothing was sent where a proxy leads nowhere", function()
      local script = [[local neap = require "neap"
        local _, e = neap.try(neap.http.post, "https://localhost:1/", { body = "x" }) print(e.kind, e.outcome, e.retryable)]]
      local bin = (os.getenv "BIN" or "bin") .. "/neap"
      assert.equal("connection\tnil\ttrue", sh(("https_proxy=%s no_proxy= %s -e '%s'"):format(url, bin, script)))
    end)

    it("goes on with a server that was killed and is back", function()
      local other = serve()
      assert.equal(200, http.get(other.url .. "/echo").status)
      kill(other)
      fails("connection", http.get, other.url .. "/echo")
      other = serve(other.port)
      assert.equal(200, http.get(other.url .. "/echo").status)
      kill(other)
    end)

    it("raises `limit` for a reply that is larger than it may be, packed or not", function()
      assert.matches("larger than 1000 bytes; see max_size",
        fails("limit", http.get, url .. "/large/1001", { max_size = 1000 }).message)
      assert.equal(1000, #http.get(url .. "/large/1000", { max_size = 1000 }).body)
      fails("limit", http.get, url .. "/bomb", { max_size = 1000000 })
    end)

    it("raises `timeout` when all of it takes too long, and goes on", function()
      local e = fails("timeout", http.get, url .. "/delay/20?key=1", { timeout = 0.05 })
      assert.equal(("timed out after 0.05 s: GET %s/delay/20"):format(url), e.message)
      assert.equal(200, http.get(url .. "/echo").status)
    end)

    it("raises `timeout` when there is no connection in time", function()
      -- A server whose queue of connections is full: they are neither taken nor refused.
      local full <close> = setmetatable(serve "0 full", { __close = kill })
      local e = fails("timeout", http.post, full.url .. "/echo", { connect_timeout = 0.05, body = "x" })
      assert.equal(("POST %s/echo: no connection within 0.05 s; see connect_timeout"):format(full.url), e.message)
      assert.same({ true, "OPERATION_TIMEDOUT" }, { e.retryable, e.code })
      assert.is_nil(e.outcome)
    end)

    it("raises `timeout` when the answer does not begin in time, and not while it comes", function()
      local e = fails("timeout", http.get, url .. "/delay/20?key=1", { first_byte_timeout = 0.05 })
      assert.equal(("GET %s/delay/20: no answer within 0.05 s; see first_byte_timeout"):format(url), e.message)
      assert.is_true(e.retryable)
      e = fails("timeout", http.post, url .. "/delay/20", { first_byte_timeout = 0.05, body = "x" })
      assert.same({ "unknown" }, { e.outcome, e.retryable })
      assert.equal("xxxxxxxxxx", http.get(url .. "/slow/1.5", { first_byte_timeout = 1 }).body)
    end)

    it("raises `timeout` when too little comes", function()
      local e = fails("timeout", http.get, url .. "/slow/5", { min_speed = 1000, min_speed_time = 1 })
      assert.equal(("GET %s/slow/5: less than 1000 bytes a second over 1 s; see min_speed"):format(url), e.message)
    end)

    it("can be cancelled wherever it is", function()
      for _, path in ipairs { "/delay/20", "/slow", "/large/20000000", "/redirect/302/%2Fdelay%2F20", "/echo" } do
        for _, seconds in ipairs { 0, 0.001, 0.01 } do
          local task = neap.spawn(http.get, url .. path)
          neap.sleep(seconds)
          task:cancel()
          pcall(task.await, task)
        end
      end
      fails("timeout", neap.timeout, 0.02, http.get, url .. "/delay/20")
      assert.equal(200, http.get(url .. "/echo").status)
    end)

    it("can be cancelled while it looks up a name, and while it waits for a connection", function()
      local task = neap.spawn(http.get, "http://nobody.invalid/")
      neap.sleep(0)
      task:cancel()
      fails("cancelled", task.await, task)
      local waiting = {}
      for i = 1, 40 do waiting[i] = neap.spawn(http.get, url .. "/delay/20") end
      neap.sleep(0.02)
      for _, one in ipairs(waiting) do one:cancel() end
      for _, one in ipairs(waiting) do fails("cancelled", one.await, one) end
      assert.equal(200, http.get(url .. "/echo").status)
    end)

    it("is collected with what nobody waits for", function()
      for _ = 1, 20 do pcall(neap.timeout, 0, http.get, url .. "/delay/20") end
      collectgarbage()
      assert.equal(200, http.get(url .. "/echo").status)
    end)
  end)

  describe("connections", function()
    it("are used again", function()
      local first = http.get(url .. "/echo"):json()
      local again = http.post(url .. "/echo", { body = "x" }):json()
      assert.same({ first.connection, first.nth + 1 }, { again.connection, again.nth })
    end)

    it("are no more than so many to a host, however many tasks ask", function()
      local other <close> = setmetatable(serve(), { __close = kill })
      local answers = {}
      for i = 1, 200 do answers[i] = function() return http.get(other.url .. "/echo", { query = { i = i } }):json().target end end
      local targets = neap.all(answers)
      assert.equal("/echo?i=200", targets[200])
      assert.is_true(http.get(other.url .. "/counts"):json().connections <= 17)
    end)

    it("let other tasks run meanwhile", function()
      local order = {}
      neap.all { function() http.get(url .. "/slow") order[#order + 1] = "slow" end,
        function() http.get(url .. "/echo") order[#order + 1] = "quick" end }
      assert.same({ "quick", "slow" }, order)
    end)

    it("serve a wait where the stack cannot yield", function()
      local list = { 2, 1 }
      table.sort(list, function(a, b) return http.get(url .. "/echo").status == 200 and a < b end)
      assert.same({ 1, 2 }, list)
    end)
  end)

  describe("TLS", function()
    local folder, secure

    setup(function()
      folder = sh "mktemp -d"
      os.execute(([[cd %s && for n in ca other; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -days 2 -subj "/CN=$n of tests" -keyout $n.key -out $n.crt 2>> log; done; openssl req -x509 -newkey ec \
        -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -CA ca.crt -CAkey ca.key \
        -addext subjectAltName=DNS:localhost -keyout server.key -out server.crt 2>> log]]):format(folder))
      secure = serve(("0 %s/server.crt %s/server.key"):format(folder, folder))
    end)

    teardown(function()
      kill(secure)
      os.execute("rm -r " .. folder)
    end)

    it("is verified, against a file if one is given", function()
      local there = "https://localhost:" .. secure.port .. "/echo"
      assert.equal(200, http.get(there, { ca = folder .. "/ca.crt" }).status)
      assert.equal("PEER_FAILED_VERIFICATION", fails("connection", http.get, there).code)
      fails("connection", http.get, there, { ca = folder .. "/other.crt" })
      fails("usage", http.get, there, { ca = folder .. "/none.crt" })
    end)

    it("is refused where the certificate is another host's", function()
      local e = fails("connection", http.get, "https://127.0.0.1:" .. secure.port .. "/", { ca = folder .. "/ca.crt" })
      assert.equal("PEER_FAILED_VERIFICATION", e.code)
      assert.is_nil(e.retryable)
    end)
  end)

  describe("a request that is made again", function()
    local keys = 0

    -- How often the server was asked by a request to what fails so often, with a status or without an answer.
    local function asked(method, times, status, options)
      keys = keys + 1
      local key = "key" .. keys
      options = options or {}
      options.retries = options.retries or 3
      local r, e = neap.try(http[method], ("%s/flaky/%d/%s/%s"):format(url, times, key, status or ""), options)
      return counts()[key], r and r.status, r and r.body or e
    end

    it("is none unless it is asked for", function()
      assert.equal(503, http.get(url .. "/flaky/1/once/503").status)
      fails("connection", http.post, url .. "/flaky/1/never", { body = "x" })
    end)

    it("is answered in the end, or with the last answer", function()
      assert.same({ 3, 200, "3" }, { asked("get", 2, 503) })
      assert.same({ 3, 503, "not now" }, { asked("get", 9, 503, { retries = 2 }) })
      assert.same({ 1, 404 }, { asked("get", 9, 404), (select(2, asked("get", 9, 404))) })
    end)

    it("is one that lost its connection, if it may be done twice", function()
      for _, method in ipairs { "get", "put", "delete" } do
        assert.same({ 3, 200 }, { (asked(method, 2)), (select(2, asked(method, 2))) })
      end
      for _, method in ipairs { "post", "patch" } do
        local times, _, e = asked(method, 2, nil, { body = "x" })
        assert.same({ 1, "unknown" }, { times, e.outcome })
      end
      local _, _, e = asked("put", 9, nil, { retries = 1 })
      assert.same({ "connection", "unknown" }, { e.kind, e.outcome })
    end)

    it("is a POST that has not been let in", function()
      assert.same({ 2, 200, "2" }, { asked("post", 1, 429) })
      assert.same({ 1, 503, "not now" }, { asked("post", 1, 503) })
    end)

    it("comes when the server wants it, if that is soon", function()
      for _, after in ipairs { "0", "Wed, 21 Oct 2015 07:28:00 GMT", "soon" } do
        assert.equal(2, (asked("get", 1, "503/" .. after:gsub(" ", "%%20"))))
      end
      for _, after in ipairs { "100000", "Wed, 21 Oct 2065 07:28:00 GMT" } do
        assert.equal(1, (asked("get", 1, "503/" .. after:gsub(" ", "%%20"), { timeout = 0 })))
      end
      assert.same({ 1, 503, "not now" }, { asked("get", 1, "503/20", { timeout = 5 }) })
    end)

    it("may be one whose reply comes in pieces, and none whose body does", function()
      local r = http.get(url .. "/flaky/2/stream/503", { stream = true, retries = 3 })
      assert.same({ 200, "3" }, { r.status, r:read() })
      fails("usage", http.put, url .. "/echo", { retries = 1, body = function() end })
      fails("usage", http.get, url .. "/echo", { retries = -1 })
    end)

    it("can be cancelled while it waits for its turn", function()
      fails("timeout", neap.timeout, 0.05, http.get, url .. "/flaky/1/cancelled/503/20", { retries = 1 })
      assert.equal(1, counts().cancelled)
    end)

    it("is taken from a budget that all of them share, and that comes back with what goes well", function()
      local script = [[local neap = require "neap" local http, url = neap.http, "%s"
        local list = {} for i = 1, 50 do list[i] = i end
        neap.gather(list, 16, function() return http.get(url .. "/flaky/999999/budget/503", { retries = 3 }).status end)
        local at_first = http.get(url .. "/counts"):json().budget
        for _ = 1, 5 do http.get(url .. "/echo", { retries = 1 }) end
        http.get(url .. "/flaky/999999/budget/503", { retries = 3 })
        print(at_first, http.get(url .. "/counts"):json().budget)]]
      local bin = (os.getenv "BIN" or "bin") .. "/neap"
      assert.equal("150\t152", sh(("%s -e '%s'"):format(bin, script:format(url))))
    end)
  end)

  describe("HTTP/2", function()
    local folder, server2, there

    local function get(path, options)
      options = options or {}
      options.ca = folder .. "/server.crt"
      return http.request(options.body and "POST" or "GET", there .. path, options)
    end

    local function count2() return get("/counts"):json() end

    setup(function()
      folder = sh "mktemp -d"
      os.execute(([[cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout server.key -out server.crt 2> log]]):format(folder))
      server2 = serve(("0 %s/server.crt %s/server.key h2"):format(folder, folder))
      there = "https://localhost:" .. server2.port
    end)

    teardown(function()
      kill(server2)
      os.execute("rm -r " .. folder)
    end)

    it("is spoken where the server has it, over TLS", function()
      local r = get("/echo?a=1", { body = "x", headers = { ["X-A"] = "a" } })
      local said = r:json()
      assert.same({ 200, "HTTP/2", "POST", "/echo?a=1", "x", "a" },
        { r.status, said.protocol, said.method, said.target, said.body, said.headers["x-a"] })
      assert.equal("application/json", r.headers["Content-Type"])
      assert.equal("HTTP/1.1", http.get(url .. "/echo"):json().protocol)
    end)

    it("carries many requests at once over one connection", function()
      local before = count2().connections
      local list = {}
      for i = 1, 200 do list[i] = i end
      local targets = neap.gather(list, 100, function(i) return get("/echo", { query = { i = i } }):json().target end)
      assert.equal("/echo?i=200", targets[200])
      assert.equal(before, count2().connections)
    end)

    it("carries one that takes its time beside others", function()
      local slow = neap.spawn(get, "/delay/20")
      local connection = get("/echo"):json().connection
      for _ = 1, 5 do assert.equal(connection, get("/echo"):json().connection) end
      slow:cancel()
      fails("cancelled", slow.await, slow)
    end)

    it("carries large bodies both ways", function()
      local body = ("0123456789"):rep(200000)
      assert.equal(body, get("/echo", { body = body }):json().body)
      local sizes = neap.gather({ 1, 2, 3, 4 }, 4, function(i) return #get("/large/" .. i * 1000000).body end)
      assert.same({ 1000000, 2000000, 3000000, 4000000 }, sizes)
    end)

    it("ends one request without the others", function()
      local other = neap.spawn(get, "/delay/0.1")
      local task = neap.spawn(get, "/delay/20")
      neap.sleep(0.02)
      task:cancel()
      fails("cancelled", task.await, task)
      assert.matches("timed out after 0.05 s", fails("timeout", get, "/delay/20", { timeout = 0.05 }).message)
      fails("connection", get, "/drop")
      assert.equal("late", other:await().body)
    end)

    it("gives no request the reply to another, where a server speaks it over some connections and not over others", function()
      local mixed <close> = setmetatable(serve(("0 %s/server.crt %s/server.key mixed"):format(folder, folder)),
        { __close = kill })
      local list, protocols = {}, {}
      for i = 1, 300 do list[i] = i end
      neap.gather(list, 60, function(i)
        local said = http.get(("https://localhost:%d/echo"):format(mixed.port),
          { ca = folder .. "/server.crt", query = { i = i } }):json()
        assert.equal("/echo?i=" .. i, said.target)
        protocols[said.protocol] = true
      end)
      assert.is_true(protocols["HTTP/1.1"])
    end)

    it("is left alone by a reply in pieces to the same host", function()
      local r <close> = http.get(there .. "/large/20000000", { ca = folder .. "/server.crt", stream = true })
      local targets = neap.gather({ 1, 2, 3, 4, 5 }, 5, function(i) return get("/echo?i=" .. i):json().target end)
      assert.same({ "/echo?i=1", "/echo?i=2", "/echo?i=3", "/echo?i=4", "/echo?i=5" }, targets)
      local n = 0
      for piece in r:pieces() do n = n + #piece end
      assert.equal(20000000, n)
    end)

    it("sends a POST once, also where its stream is reset", function()
      local before = count2()["/drop"]
      local e = fails("connection", get, "/drop", { body = "x" })
      assert.equal("unknown", e.outcome)
      assert.equal(before + 1, count2()["/drop"])
    end)
  end)

  describe("the environment", function()
    local bin = (os.getenv "BIN" or "bin") .. "/neap"
    local folder, secure

    -- What the command prints of a request, or of its failure, with these variables and no others of the kind.
    local function asked(variables, there)
      local code = [[local neap = require "neap" local r, e = neap.try(neap.http.get, arg[1])
        print(r and r.status == 200 and r:json().target or e and e.kind .. ": " .. e.message or r.status)]]
      local file = folder .. "/ask.lua"
      local f = assert(io.open(file, "w"))
      f:write(code)
      f:close()
      local none = "env -u http_proxy -u https_proxy -u HTTPS_PROXY -u all_proxy -u ALL_PROXY -u no_proxy -u NO_PROXY"
        .. " -u CURL_CA_BUNDLE -u SSL_CERT_FILE -u SSL_CERT_DIR"
      return sh(("%s %s %s %s '%s'"):format(none, variables, bin, file, there))
    end

    setup(function()
      folder = sh "mktemp -d"
      os.execute(([[cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout server.key -out server.crt 2> log &&
        mkdir certificates && cp server.crt certificates && openssl rehash certificates]]):format(folder))
      secure = serve(("0 %s/server.crt %s/server.key"):format(folder, folder))
    end)

    teardown(function()
      kill(secure)
      os.execute("rm -r " .. folder)
    end)

    it("names proxies, which are asked for the whole URL", function()
      assert.equal("http://example.invalid/echo?q=1", asked("http_proxy=" .. url, "http://example.invalid/echo?q=1"))
      assert.equal("http://example.invalid/echo", asked("ALL_PROXY=" .. url, "http://example.invalid/echo"))
    end)

    it("names proxies that lead to what speaks TLS, and see nothing of it", function()
      local there = "localhost:" .. secure.port
      for _, variable in ipairs { "https_proxy", "HTTPS_PROXY", "all_proxy" } do
        local before = counts()[there] or 0
        assert.equal("/echo", asked(("%s=%s SSL_CERT_FILE=%s/server.crt"):format(variable, url, folder), "https://" .. there .. "/echo"))
        assert.equal(before + 1, counts()[there])
      end
    end)

    it("names hosts that are not reached by a proxy", function()
      assert.equal("/echo", asked("http_proxy=http://127.0.0.1:1 no_proxy=example.org,127.0.0.1", url .. "/echo"))
      assert.equal("/echo", asked("all_proxy=http://127.0.0.1:1 NO_PROXY='*'", url .. "/echo"))
    end)

    it("is not believed where it says HTTP_PROXY: what asks for a page can set that of a CGI program", function()
      assert.equal("/echo", asked("HTTP_PROXY=http://127.0.0.1:1", url .. "/echo"))
    end)

    it("is told of without its passwords", function()
      for _, proxy in ipairs { "http://ada:s3cret@127.0.0.1:1", "http://ada:s3cret@nobody.invalid:1", "what://ada:s3cret@x:1",
        "http://ada:s3cret@127.0.0.1:port" } do
        local said = asked(("http_proxy='%s'"):format(proxy), url .. "/echo")
        assert.matches("^%a+: GET " .. url:gsub("%p", "%%%0") .. "/echo: ", said)
        assert.is_nil(said:find("s3cret", 1, true), said)
      end
    end)

    it("names certificates that are trusted, as curl reads it", function()
      local there = ("https://localhost:%d/echo"):format(secure.port)
      for _, variables in ipairs { "CURL_CA_BUNDLE=%s/server.crt", "SSL_CERT_FILE=%s/server.crt", "SSL_CERT_DIR=%s/certificates",
        "CURL_CA_BUNDLE=%s/server.crt SSL_CERT_FILE=/dev/null" } do
        assert.equal("/echo", asked(variables:format(folder), there))
      end
      assert.matches("^connection: ", asked("", there))
      assert.matches("^usage: ", asked("SSL_CERT_FILE=/none.crt", there))
    end)
  end)

  describe("the command", function()
    local bin = (os.getenv "BIN" or "bin") .. "/neap"

    it("ends while requests are under way", function()
      assert.equal("done", sh(([[%s -e 'local neap = require "neap"
        neap.spawn(neap.http.get, "%s/delay/20") neap.sleep(0.02) print "done" os.exit(0)']]):format(bin, url)))
    end)

    it("does not load libcurl before neap.http is used", function()
      assert.equal("0", sh(([[%s -e 'local neap = require "neap" local n = 0
        for line in io.lines "/proc/self/maps" do if line:find "libcurl" then n = n + 1 end end print(n)']]):format(bin)))
    end)
  end)
end)
