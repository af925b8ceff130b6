local neap = require "neap"

-- Runs f and gives the kind of the error that it raises.
local function kind_of(f, ...)
  local _, e = neap.try(f, ...)
  return type(e) == "table" and e.kind or e
end

describe("a task", function()
  it("returns what its function returned", function()
    local task = neap.spawn(function(a, b) return b, a, nil end, 1, 2)
    assert.same({ 2, 1, nil, n = 3 }, table.pack(task:await()))
  end)

  it("raises its error in who awaits it", function()
    local task = neap.spawn(function() neap.sleep(0) error { code = "odd" } end)
    local _, e = pcall(task.await, task)
    assert.same({ code = "odd" }, e)
  end)

  it("keeps error objects as they are, and adds a traceback", function()
    local task = neap.spawn(neap.sleep, -1)
    local _, e = neap.try(task.await, task)
    assert.is_true(neap.is(e, "usage"))
    assert.matches("stack traceback", e.traceback)
  end)

  it("may be awaited by many, before and after it ends", function()
    local task = neap.spawn(function() neap.sleep(0.001) return 7 end)
    local function wait() return task:await() end
    assert.same({ 7, 7, 7 }, neap.all { wait, wait, wait })
    assert.equal(7, task:await())
  end)

  it("cannot wait for itself", function()
    local task
    task = neap.spawn(function() return task:await() end)
    assert.equal("usage", kind_of(task.await, task))
  end)

  it("cannot wait for one that waits for it, through others or not", function()
    local a, b
    a = neap.spawn(function() return neap.timeout(10, function() return b:await() end) end)
    b = neap.spawn(function() return a:await() end)
    local _, e = neap.try(a.await, a)
    assert.matches("tasks would wait for each other", tostring(e))
    assert.equal("usage", kind_of(b.await, b))
  end)

  it("lets others run in neap.sleep(0)", function()
    local seen = {}
    local function count(name)
      return function() for i = 1, 2 do seen[#seen + 1] = name .. i neap.sleep(0) end end
    end
    neap.all { count "a", count "b" }
    assert.same({ "1", "1", "2", "2" }, { seen[1]:sub(2), seen[2]:sub(2), seen[3]:sub(2), seen[4]:sub(2) })
  end)

  it("says what it is", function()
    assert.matches("^task %d+ %(ready%)$", tostring(neap.spawn(function() end)))
  end)
end)

describe("cancelling", function()
  it("raises in the present wait", function()
    local task = neap.spawn(neap.sleep, 1000)
    neap.sleep(0)
    task:cancel()
    assert.equal("cancelled", kind_of(task.await, task))
  end)

  it("is sticky: every later wait raises again", function()
    local kinds = {}
    local task = neap.spawn(function()
      for _ = 1, 3 do kinds[#kinds + 1] = kind_of(neap.sleep, 1000) end
      return "ended"
    end)
    neap.sleep(0)
    task:cancel()
    assert.equal("ended", task:await())
    assert.same({ "cancelled", "cancelled", "cancelled" }, kinds)
  end)

  it("of a parent ends its children first", function()
    local started, ended = 0, 0
    local function child() started = started + 1 neap.try(neap.sleep, 1000) ended = ended + 1 end
    local parent = neap.spawn(neap.all, { child, child })
    while started < 2 do neap.sleep(0) end
    parent:cancel()
    assert.equal("cancelled", kind_of(parent.await, parent))
    assert.equal(2, ended)
  end)

  it("lets nothing more begin in the task", function()
    local begun = 0
    local function child() begun = begun + 1 end
    local task = neap.spawn(function()
      neap.try(neap.all, { child })
      neap.try(neap.race, { child })
      neap.try(neap.timeout, 1, child)
    end)
    task:cancel()
    task:await()
    assert.equal(0, begun)
  end)

  it("comes to those that were begun beside one that could not be", function()
    local seen, asked
    local function child()
      local _, e = pcall(neap.sleep, 60)
      seen = e
    end
    local functions = setmetatable({ child }, { __len = function() return 2 end, __index = function()
      if asked then error "no" end
      asked = true
      return child
    end })
    assert.has_error(function() neap.all(functions) end)
    while not seen do neap.sleep(0) end
    assert.is_true(neap.is(seen, "cancelled"))
  end)

  it("of who waits for a task leaves that task alone", function()
    local cancelled
    local task = neap.spawn(function()
      while not cancelled do neap.sleep(0) end
      return "done"
    end)
    local waiter = neap.spawn(function() return task:await() end)
    neap.sleep(0)
    waiter:cancel()
    assert.equal("cancelled", kind_of(waiter.await, waiter))
    cancelled = true
    assert.equal("done", task:await())
  end)
end)

describe("neap.all", function()
  it("gives the first results in order", function()
    local function late() neap.sleep(0.003) return "late" end
    assert.same({ "late", "soon" }, neap.all { late, function() return "soon", "more" end })
    assert.same({}, neap.all {})
  end)

  it("raises the first error when the others have ended", function()
    local cleaned = false
    local function slow() neap.try(neap.sleep, 1000) cleaned = true end
    local _, e = neap.try(neap.all, { slow, function() neap.sleep(0.001) error("boom", 0) end })
    assert.equal("boom", e.message)
    assert.is_true(cleaned)
  end)

  it("refuses what is not a function, before anything starts", function()
    local started = false
    assert.equal("usage", kind_of(neap.all, { function() started = true end, 5 }))
    neap.sleep(0)
    assert.is_false(started)
  end)
end)

describe("neap.race", function()
  it("returns what the first returned, and ends the others", function()
    local ended = false
    local function slow() neap.try(neap.sleep, 1000) ended = true end
    assert.same({ 1, 2 }, { neap.race { slow, function() return 1, 2 end } })
    assert.is_true(ended)
  end)

  it("needs somebody to run", function()
    assert.equal("usage", kind_of(neap.race, {}))
  end)
end)

describe("neap.timeout", function()
  it("returns what the function returned in time", function()
    assert.same({ 3, 4 }, { neap.timeout(1000, function(a) return a, 4 end, 3) })
  end)

  it("raises when the time is over, after the function has ended", function()
    local ended = false
    local function slow() neap.try(neap.sleep, 1000) ended = true neap.sleep(1) end
    assert.equal("timeout", kind_of(neap.timeout, 0.001, slow))
    assert.equal("timed out after 0.001 s", select(2, pcall(neap.timeout, 0.001, slow)).message)
    assert.is_true(ended)
  end)

  it("passes errors on", function()
    local _, e = neap.try(neap.timeout, 1000, error, "boom")
    assert.equal("boom", e.message)
  end)
end)

describe("neap.gather", function()
  it("gives the results in order, with at most n at a time", function()
    local running, most = 0, 0
    local squares = neap.gather({ 1, 2, 3, 4, 5 }, 2, function(x, i)
      assert.equal(x, i)
      running = running + 1
      most = math.max(most, running)
      neap.sleep(0.001)
      running = running - 1
      return x * x
    end)
    assert.same({ 1, 4, 9, 16, 25 }, squares)
    assert.equal(2, most)
  end)

  it("stops at the first error", function()
    local seen = 0
    local _, e = neap.try(neap.gather, { 1, 2, 3, 4 }, 1, function(x)
      seen = seen + 1
      if x == 2 then error("two", 0) end
    end)
    assert.equal("two", e.message)
    assert.equal(2, seen)
  end)

  it("checks its arguments", function()
    assert.equal("usage", kind_of(neap.gather, { 1 }, 0, print))
    assert.equal("usage", kind_of(neap.gather, { 1 }, 2, "print"))
    assert.equal("usage", kind_of(neap.gather, 1, 2, print))
  end)
end)

describe("a wait", function()
  it("that is over while another task computes does not last until somebody else's is", function()
    local order = {}
    neap.all {
      function()
        neap.sleep(0.001)
        neap.sleep(0.001)
        order[#order + 1] = "the short ones"
      end,
      function()
        neap.sleep(0)
        local from = os.clock()
        while os.clock() - from < 0.02 do end
        neap.sleep(0.25)
        order[#order + 1] = "the long one"
      end,
    }
    assert.same({ "the short ones", "the long one" }, order)
  end)

  it("passes through coroutines of the script", function()
    local function generate()
      for i = 1, 3 do neap.sleep(0) coroutine.yield(i) end
    end
    local got = {}
    for i in coroutine.wrap(function() for i in coroutine.wrap(generate) do coroutine.yield(i) end end) do
      got[#got + 1] = i
    end
    assert.same({ 1, 2, 3 }, got)
  end)

  it("passes through pcall, xpcall and metamethods", function()
    local t = setmetatable({}, { __index = function(_, k) neap.sleep(0) return k end })
    assert.same({ true, "x" }, { pcall(function() return t.x end) })
    assert.same({ true, "y" }, { xpcall(function() return t.y end, print) })
    assert.same({ false, "z!" }, { xpcall(function() neap.sleep(0) error("z", 0) end, function(m) return m .. "!" end) })
  end)

  it("pumps the loop where the stack cannot yield", function()
    local others = 0
    local task = neap.spawn(function() for _ = 1, 3 do neap.sleep(0) others = others + 1 end end)
    local list = { 3, 1, 2 }
    table.sort(list, function(a, b) neap.sleep(0.001) return a < b end)
    assert.same({ 1, 2, 3 }, list)
    assert.equal("a-b", (("a b"):gsub(" ", function() neap.sleep(0) return "-" end)))
    task:await()
    assert.equal(3, others)
  end)

  it("pumps in a coroutine below a stack that cannot yield", function()
    local list = { 2, 1 }
    table.sort(list, function(a, b)
      return coroutine.wrap(function() neap.sleep(0.001) coroutine.yield(a < b) end)()
    end)
    assert.same({ 1, 2 }, list)
  end)

  it("pumps no more than eight deep", function()
    local depth, kind = 0, nil
    local function nest()
      depth = depth + 1
      neap.spawn(function()
        if depth < 12 then table.sort({ 1, 2 }, function() nest() return false end) end
      end)
      local _, e = neap.try(neap.sleep, 0.002)
      kind = kind or e and e.kind
    end
    table.sort({ 1, 2 }, function() nest() return false end)
    neap.sleep(0.01)
    assert.equal("usage", kind)
  end)

  it("holds up only its own task", function()
    local task = neap.spawn(neap.sleep, 1000)
    neap.sleep(0.001)
    task:cancel()
    assert.equal("cancelled", kind_of(task.await, task))
  end)
end)

describe("coroutines", function()
  it("cannot be resumed while they wait", function()
    local looked
    local co = coroutine.create(function()
      while not looked do neap.sleep(0.001) end
      return "ended"
    end)
    local task = neap.spawn(function() return coroutine.resume(co) end)
    while coroutine.status(co) == "suspended" do neap.sleep(0) end
    assert.equal("normal", coroutine.status(co))
    assert.same({ false, "cannot resume a coroutine that waits for an operation" }, { coroutine.resume(co) })
    assert.is_false((pcall(coroutine.close, co)))
    looked = true
    assert.same({ true, "ended" }, { task:await() })
    assert.equal("dead", coroutine.status(co))
  end)

  it("behave as in Lua", function()
    local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) error(b, 0) end)
    assert.same({ true, 2 }, { coroutine.resume(co, 1) })
    assert.equal("suspended", coroutine.status(co))
    assert.same({ false, "x" }, { coroutine.resume(co, "x") })
    assert.equal("dead", coroutine.status(co))
    assert.same({ false, "cannot resume dead coroutine" }, { coroutine.resume(co) })
    assert.same({ true, nil }, { coroutine.close(coroutine.create(print)) })
  end)

  it("close their variables, and say how that went", function()
    local closed
    local co = coroutine.create(function()
      local _ <close> = setmetatable({}, { __close = function() closed = true error("late", 0) end })
      coroutine.yield()
    end)
    coroutine.resume(co)
    assert.same({ false, "late" }, { coroutine.close(co) })
    assert.is_true(closed)
  end)

  it("yield nowhere at the top of a task", function()
    local task = neap.spawn(function() return pcall(coroutine.yield) end)
    assert.same({ false, "attempt to yield from outside a coroutine" }, { task:await() })
    assert.is_true(neap.spawn(function() return select(2, coroutine.running()) end):await())
    assert.is_false(neap.spawn(coroutine.isyieldable):await())
    assert.is_true(coroutine.wrap(coroutine.isyieldable)())
  end)
end)

describe("require", function()
  local function preload(name, f)
    package.preload[name] = f
    finally(function() package.preload[name], package.loaded[name] = nil, nil end)
  end

  it("may wait, and loads once for all tasks", function()
    local loads = 0
    preload("t.slow", function(name) loads = loads + 1 neap.sleep(0.002) return { name = name } end)
    local got = neap.all { function() return require "t.slow" end, function() return require "t.slow" end }
    assert.equal(1, loads)
    assert.equal(got[1], got[2])
    assert.equal("t.slow", got[1].name)
  end)

  it("names a module that requires itself", function()
    preload("t.cycle", function() return require "t.cycle" end)
    local _, e = neap.try(require, "t.cycle")
    assert.matches("t.cycle", e.message)
  end)

  it("tries again after a module has failed to load", function()
    local fail = true
    preload("t.bad", function() if fail then error "no" end return 5 end)
    assert.is_false((pcall(require, "t.bad")))
    fail = false
    assert.equal(5, require "t.bad")
  end)

  it("says where it looked", function()
    local _, e = pcall(require, "t.nowhere")
    assert.matches("module 't.nowhere' not found", e)
    assert.matches("no embedded module 't.nowhere'", e)
  end)
end)
