-- neap.http: requests over HTTP. What is sent and read is libcurl's work, on the loop; here it is put together,
-- checked and followed where it leads.
local bytes = require "neap.bytes"
local host = require "neap.host"
local json = require "neap.json"
local process = require "neap.process"
local usage = require "neap.fail".usage

local found, kernel = pcall(require, "neap.http.kernel")
if not found then
  error(type(kernel) == "table" and kernel or host.error { kind = "unsupported",
    message = "neap.http: this neap was built without HTTP (WITH_HTTP=0)" }, 0)
end

local http = {}

local MAX_SIZE = 64 << 20
local FOLLOW = 5
local OPTIONS = { "auth", "bearer", "body", "ca", "connect_timeout", "first_byte_timeout", "follow", "form", "headers",
  "json", "length", "max_size", "min_speed", "min_speed_time", "query",
  "retries", "stream", "timeout" }
-- Those that libcurl is told as they are.
local LIMITS = { "ca", "connect_timeout", "first_byte_timeout", "length", "max_size", "min_speed", "min_speed_time",
  "timeout" }

-- ---- Text ----

local function escape(text)
  return (text:gsub("[^%w%-._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function sorted_keys(t, what)
  local keys = {}
  for key in pairs(t) do
    if type(key) ~= "string" then usage("a key of %s must be a string, not %s", what, host.show(key)) end
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

local function plain(value, what, key)
  local kind = type(value)
  if kind == "table" or kind == "function" or kind == "thread" or value == json.null then
    usage("%s: %s must be text, a number or a boolean, not %s", what, host.show_key(key), host.show(value))
  end
  return tostring(value)
end

--- name=value&...: names in order, a list as the same name again and again.
local function encode(fields, what)
  if type(fields) ~= "table" then usage("%s must be a table, not %s", what, host.show(fields)) end
  local parts = {}
  for _, key in ipairs(sorted_keys(fields, what)) do
    local value = fields[key]
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      parts[#parts + 1] = escape(key) .. "=" .. escape(plain(one, what, key))
    end
  end
  return table.concat(parts, "&")
end

-- ---- What is sent ----

local function check_options(options)
  if type(options) ~= "table" then usage("options must be a table, not %s", host.show(options)) end
  local known = {}
  for _, name in ipairs(OPTIONS) do known[name] = true end
  for name in pairs(options) do
    if not known[name] then
      local near = type(name) == "string" and kernel.nearest(name, OPTIONS)
      usage("there is no option %s%s", host.show_key(name),
        near and ("; did you mean %s?"):format(near) or "; known: " .. table.concat(OPTIONS, ", "))
    end
  end
end

local function with_query(url, query)
  if query == nil then return url end
  local text = encode(query, "query")
  local base, fragment = url:match "^([^#]*)(.*)$"
  if text == "" then return url end
  return base .. (base:find("?", 1, true) and (base:find "[?&]$" and "" or "&") or "?") .. text .. fragment
end

--- What of the options is the body, and its type.
local function body_of(options)
  local n = (options.json ~= nil and 1 or 0) + (options.form ~= nil and 1 or 0) + (options.body ~= nil and 1 or 0)
  if n > 1 then usage "one of json, form and body is the body, not several" end
  if options.json ~= nil then return json.encode(options.json), "application/json" end
  if options.form ~= nil then return encode(options.form, "form"), "application/x-www-form-urlencoded" end
  if options.length ~= nil and type(options.body) ~= "function" then
    usage "length is that of a body in pieces; any other has its own"
  end
  return options.body
end

local function authorization(options)
  local auth, bearer = options.auth, options.bearer
  if auth ~= nil and bearer ~= nil then usage "one of auth and bearer says who asks, not both" end
  if bearer ~= nil then
    if type(bearer) ~= "string" then usage("bearer must be a string, not a %s", type(bearer)) end
    return "Bearer " .. bearer
  end
  if auth == nil then return nil end
  if type(auth) ~= "table" or type(auth[1]) ~= "string" or type(auth[2]) ~= "string" or auth[1]:find(":", 1, true) then
    usage "auth must be { user, password }, both text, and the user without a colon"
  end
  return "Basic " .. bytes(auth[1] .. ":" .. auth[2]):base64()
end

--- A list: name, value, name, value, ...
local function headers_of(options, content_type)
  local given, list, names = options.headers or {}, {}, {}
  if type(given) ~= "table" then usage("headers must be a table, not %s", host.show(given)) end
  local function add(name, value)
    names[name:lower()] = true
    list[#list + 1], list[#list + 2] = name, value
  end
  for _, name in ipairs(sorted_keys(given, "headers")) do
    local value = given[name]
    for _, one in ipairs(type(value) == "table" and value or { value }) do add(name, plain(one, "headers", name)) end
  end
  local who = authorization(options)
  if who and names.authorization then usage "the header Authorization is given twice, by an option too" end
  if who then add("Authorization", who) end
  if content_type and not names["content-type"] then add("Content-Type", content_type) end
  return list
end

-- ---- What comes back ----

---@class neap.http.response
---@field status integer
---@field headers table<string, string> looked up in whatever case
---@field body? string nil where it comes in pieces
---@field url string where it came from, after what was followed
local response = {}
response.__index = response
response.__name = "neap.http.response"

local places = setmetatable({}, { __mode = "k" })    -- response -> "GET http://host/path"
local requests = setmetatable({}, { __mode = "k" })  -- response in pieces -> what they are read from

function response:__tostring()
  return ("%d, %s"):format(self.status, self.body and #self.body .. " bytes" or "in pieces")
end

function response:read()
  local request = requests[self]
  if not request then usage "the body is there, whole; read is for what is asked for with stream = true" end
  return kernel.read(request)
end

function response:pieces()
  return response.read, self, nil, self
end

function response:close()
  if requests[self] then kernel.close(requests[self]) end
end

response.__close = response.close

local header_lookup = {
  __index = function(self, name) return type(name) == "string" and rawget(self, name:lower()) or nil end,
}

local KINDS = {
  [401] = "auth", [403] = "forbidden", [404] = "not_found", [407] = "auth", [408] = "timeout", [409] = "conflict",
  [410] = "not_found", [412] = "condition", [413] = "limit", [422] = "validation", [429] = "throttled",
  [501] = "unsupported",
}
local AGAIN = { [408] = true, [429] = true, [502] = true, [503] = true, [504] = true }

function response:check()
  local status = self.status
  if status < 400 then return self end
  local kind = KINDS[status] or (status < 500 and "usage" or "server")
  local said = (self.body or self:read() or ""):sub(1, 200):gsub("%s+", " ")
  self:close()
  error(host.error { kind = kind, status = status, store = "http", retryable = AGAIN[status] or nil,
    message = ("%s answered %d"):format(places[self] or "the server", status), detail = said ~= "" and said or nil }, 0)
end

function response:json()
  if not self.body then usage "the body comes in pieces; without stream = true it is there to be read as JSON" end
  local ok, value = pcall(json.decode, self.body)
  if ok then return value end
  if not host.is(value, "validation") then error(value, 0) end
  error(host.error { kind = "protocol", status = self.status, store = "http", cause = value,
    message = ("%s: the body is no JSON: %s"):format(places[self] or "the server", value.message) }, 0)
end

-- ---- Following ----

local REDIRECTS = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }
-- All that goes to another host than it was meant for: others may carry keys.
local HARMLESS = { accept = true, ["accept-language"] = true, ["content-type"] = true, ["user-agent"] = true }

local function without(headers, unwanted)
  local list = {}
  for i = 1, #headers, 2 do
    if not unwanted(headers[i]:lower()) then list[#list + 1], list[#list + 2] = headers[i], headers[i + 1] end
  end
  return list
end

--- The request that a redirect asks for.
local function redirected(r, status, place, url)
  if not url:find "^[hH][tT][tT][pP][sS]?://" then
    error(host.error { kind = "protocol", status = status, store = "http",
      message = place .. " leads to what is no HTTP" }, 0)
  end
  local new = { method = r.method, url = url, headers = r.headers, body = r.body }
  if kernel.origin(url) ~= kernel.origin(r.url) then
    new.headers = without(r.headers, function(name) return not HARMLESS[name] end)
  end
  if (status == 303 and r.method ~= "HEAD") or (status < 303 and r.method == "POST") then
    new.method, new.body = "GET", nil
    new.headers = without(new.headers, function(name) return name == "content-type" end)
  elseif type(r.body) == "function" then
    error(host.error { kind = "protocol", status = status, store = "http",
      message = place .. " leads to where its body, which came in pieces, cannot be sent again" }, 0)
  end
  return new
end

local function follows(options)
  local n = options.follow
  if n == nil or n == true then return FOLLOW end
  if n == false then return 0 end
  host.check("count", n, "follow")
  return n
end

-- ---- Sending ----

--- Gives the pieces of a body until the answer is there.
local function await_reply(request, body, stream)
  while true do
    local status, headers, text, place, next_url = kernel.reply(request, stream)
    if status then return status, headers, text, place, next_url end
    local piece = body()
    kernel.feed(request, piece)
  end
end

--- One request and its answer.
local function send(r, limits)
  local pieces = type(r.body) == "function"
  limits.length = pieces and limits.length or nil
  local request = kernel.send(r.method, r.url, r.headers, pieces or r.body, limits)
  if not pieces then return request, kernel.reply(request, limits.stream) end
  local _ <close> = setmetatable({}, { __close = function(_, e) if e then kernel.close(request) end end })
  return request, await_reply(request, r.body, limits.stream)
end

--- The answer to a request, after what was followed.
local function exchange(r, limits, follow, ends)
  local hops = 0
  while true do
    local request, status, headers, text, place, next_url = send(r, limits)
    if not (next_url and REDIRECTS[status] and follow > 0) then
      local answer = setmetatable({ status = status, headers = setmetatable(headers, header_lookup), body = text,
        url = r.url }, response)
      places[answer] = place
      if limits.stream then requests[answer] = request end
      return answer
    end
    kernel.close(request)
    hops = hops + 1
    if hops > follow then
      error(host.error { kind = "protocol", status = status, store = "http",
        message = ("%s leads on for more than %d times; see follow"):format(place, follow) }, 0)
    end
    r = redirected(r, status, place, next_url)
    if ends then limits.timeout = math.max(ends - process.uptime(), 0.001) end
  end
end

-- ---- Again ----

local FIRST, LONGEST = 0.1, 20  -- seconds before the second attempt, and before any, at most
local PATIENCE = 300            -- seconds that a server may ask for
-- Those that may be done twice without harm.
local HARMLESS_TWICE = { GET = true, HEAD = true, OPTIONS = true, PUT = true, DELETE = true }

--- Whether another attempt may do better than this answer or error, and does no harm.
local function is_worth(r, answer, e)
  if answer then return AGAIN[answer.status] and (HARMLESS_TWICE[r.method] or answer.status == 429) end
  local lost = host.is(e, "connection") or host.is(e, "timeout")
  return lost and e.store == "http" and (e.retryable or (e.outcome == "unknown" and HARMLESS_TWICE[r.method]))
end

--- Seconds before the next attempt; nil where there will be none.
local function wait_after(failed, answer, left)
  local asked = answer and answer.headers["retry-after"]
  local wait = math.max(kernel.delay(failed, FIRST, LONGEST), asked and kernel.seconds_until(asked) or 0)
  return wait < math.min(left, PATIENCE) and wait or nil
end

--- The same request again, as often as that is worth it, allowed, and within the budget that all requests share.
local function persist(r, limits, follow, ends, retries)
  local taken
  for failed = 1, math.maxinteger do
    local ok, answer = pcall(exchange, r, limits, follow, ends)
    local e = not ok and answer or nil
    answer = ok and answer or nil
    local worth = is_worth(r, answer, e)
    if answer and not worth then kernel.give(taken) end
    local left = ends and ends - process.uptime() or math.huge
    local wait = worth and failed <= retries and wait_after(failed, answer, left)
    taken = wait and kernel.take(host.is(e, "timeout"))
    if not taken then return answer or error(e, 0) end
    if answer then answer:close() end
    host.sleep(wait)
    if ends then limits.timeout = math.max(ends - process.uptime(), 0.001) end
  end
end

--- Sends a request.
---@param method string
---@param url string
---@param options? table
---@return neap.http.response
function http.request(method, url, options)
  options = options or {}
  check_options(options)
  if type(method) ~= "string" then usage("the method must be a string, not %s", host.show(method)) end
  if type(url) ~= "string" then usage("the URL must be a string, not %s", host.show(url)) end
  local body, content_type = body_of(options)
  local r = { method = method:upper(), url = with_query(url, options.query), body = body,
    headers = headers_of(options, content_type) }
  local limits = { max_size = options.stream and math.maxinteger or MAX_SIZE, stream = options.stream and true }
  for _, name in ipairs(LIMITS) do limits[name] = options[name] or limits[name] end
  local timed = not options.stream and options.timeout ~= 0
  local ends = timed and process.uptime() + (tonumber(options.timeout) or 30) or nil
  if not options.retries then return exchange(r, limits, follows(options), ends) end
  host.check("count", options.retries, "retries")
  if type(body) == "function" then usage "a body in pieces is sent once; for retries it must be whole" end
  return persist(r, limits, follows(options), ends, options.retries)
end

for _, method in ipairs { "get", "head", "post", "put", "patch", "delete" } do
  http[method] = function(url, options) return http.request(method, url, options) end
end

return http
