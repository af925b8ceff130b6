-- What scripts see of the calls to AWS: against an imitation (tests/services/aws) that checks signatures and lets its clients down.
local fails = require "tests.fails"
local neap = require "neap"

describe("calls to AWS", function()
  local url, process, store

  setup(function()
    local pipe = assert(io.popen "tests/services/aws")
    local port
    port, process = pipe:read("n", "n")
    pipe:close()
    url = ("http://127.0.0.1:%d"):format(port)
  end)

  teardown(function() os.execute("kill " .. process) end)

  local function open(more)
    local options = { url = "dynamodb://eu-central-1", endpoint = url, access_key = "AKIDEXAMPLE",
      secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" }
    for name, value in pairs(more or {}) do options[name] = value end
    return neap.open(options)
  end

  before_each(function() store = open() end)
  after_each(function() store:close() end)

  it("are signed, in the name of a session too", function()
    assert.same({ id = "plain" }, store:request("Do", { id = "plain" }))
    local session = open { session_token = "a/session+token==" }
    assert.same({ id = "session" }, session:request("Do", { id = "session" }))
    assert.equal("a/session+token==", session:request("Last", { id = "session" })["x-amz-security-token"])
    session:close()
  end)

  it("ask for replies as they are, of which the checksum is", function()
    store:request("Do", { id = "headers" })
    local headers = store:request("Last", { id = "headers" })
    assert.equal("identity", headers["accept-encoding"])
    assert.equal("application/x-amz-json-1.0", headers["content-type"])
    assert.equal("DynamoDB_20120810.Do", headers["x-amz-target"])
  end)

  it("are sent again when the service asks to slow down", function()
    assert.same("slow", store:request("Do", { id = "slow", ["do"] = { "throttle", "provision", "ok" } }).id)
    assert.equal(3, store:request("Count", { id = "slow" }).count)
  end)

  it("raise what the service says, by kind and code", function()
    local e = fails("condition", store.request, store, "Do", { id = "c", ["do"] = { "condition" } })
    assert.equal("ConditionalCheckFailedException", e.code)
    assert.equal("dynamodb", e.store)
    assert.equal(400, e.status)
    assert.is_nil(e.retryable)
    assert.is_nil(e.outcome)
    e = fails("usage", store.request, store, "Do", { id = "v", ["do"] = { "validation" } })
    assert.equal("the server refuses Do: One or more parameter values were invalid", e.message)
    fails("forbidden", store.request, store, "Do", { id = "f", ["do"] = { "denied" } })
    fails("not_found", store.request, store, "Do", { id = "n", ["do"] = { "missing" } })
  end)

  it("raise what nobody knows as unknown", function()
    for _, way in ipairs { "drop", "reset", "half", "500", "crc" } do
      local e = select(2, neap.try(store.request, store, "Do", { id = way, ["do"] = { way } }))
      assert.equal("unknown", e.outcome, way)
      assert.is_nil(e.retryable, way)
      assert.equal(1, store:request("Count", { id = way }).count, way)
    end
  end)

  it("send reads again, whatever became of the first one", function()
    for _, way in ipairs { "drop", "reset", "half", "500", "crc" } do
      assert.same("read " .. way, store:request("GetDo", { id = "read " .. way, ["do"] = { way, "ok" } }).id)
    end
  end)

  it("end with their task", function()
    local task = neap.spawn(store.request, store, "Do", { id = "hang", ["do"] = { "hang" } })
    neap.sleep(0)
    task:cancel()
    fails("cancelled", task.await, task)
    fails("timeout", neap.timeout, 0.02, store.request, store, "GetDo", { id = "hang2", ["do"] = { "hang" } })
  end)

  it("never show a key", function()
    local other = open { secret_key = "a very secret key", session_token = "a very secret token" }
    local e = fails("auth", other.request, other, "Do", { id = "x" })
    for _, text in pairs { e.message, e.detail, tostring(e) } do assert.is_nil(text:find "very secret") end
    other:close()
  end)
end)
