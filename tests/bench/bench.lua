-- bench.lua: what every benchmark is run by. A benchmark is data:
--
--   dofile "tests/bench/bench.lua" {
--     { name = "JSON text to Lua values", setup = "a command that makes what is needed",
--       { "neap", "{bin}/neap tests/bench/json.lua decode" },              -- ours comes first
--       { "Python json", "python3 tests/bench/json_peer.py decode", at_most = 0.87 },
--       { "lua-cjson", "lua5.4 tests/bench/json.lua decode", needs = "lua5.4 -lcjson -e ''" } },
--   }
--
-- A contender is a command that measures itself and prints seconds (or bytes, where unit = "bytes"). Each round runs all
-- of them, so that what the machine does meanwhile meets them alike; ratios are ours over theirs, taken within a round.
-- {bin} and {build} are the folders of the build. at_most beside a peer is the target of that ratio, beside the line a
-- target in its own unit. A contender whose `needs` fails is left out, and a line says so.
local ROUNDS = 7

local folders = { bin = os.getenv "BIN" or "bin", build = os.getenv "BUILD" or "build" }

local function expand(command)
  return (command:gsub("{(%l+)}", folders))
end

-- The number that a command prints first, or nil and what it printed instead.
local function measure(command)
  local pipe = assert(io.popen(expand(command) .. " 2>&1"))
  local text = pipe:read "a"
  pipe:close()
  local value = tonumber(text:match "^%S+")
  return value, text:match "[^\n]*$" ~= "" and text:match "[^\n]*$" or text:match "([^\n]*)\n$"
end

local function quartiles(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local function at(share)
    local position = 1 + (#sorted - 1) * share
    local low = math.floor(position)
    local above = sorted[low + 1] or sorted[low]
    return sorted[low] + (above - sorted[low]) * (position - low)
  end
  return at(0.5), at(0.25), at(0.75)
end

local UNITS = {
  seconds = { { 1, "s" }, { 1e-3, "ms" }, { 1e-6, "µs" }, { 1e-9, "ns" } },
  bytes = { { 1e6, "MB" }, { 1e3, "kB" }, { 1, "B" } },
}

local function show(unit, value)
  local units = UNITS[unit]
  local scale = units[#units]
  for i = #units, 1, -1 do
    if value >= units[i][1] then scale = units[i] end
  end
  return ("%7.2f %-2s"):format(value / scale[1], scale[2])
end

local function verdict(value, at_most)
  if not at_most then return "" end
  return ("  target <= %.4g: %s"):format(at_most, value <= at_most and "ok" or "MISSED")
end

-- Splits the contenders into those that can run and the names of those that cannot.
local function muster(line)
  local here = {}
  for _, c in ipairs(line) do
    if c.needs and not os.execute("{ " .. expand(c.needs) .. "; } >/dev/null 2>&1") then
      print(("  %-34s skipped: not installed"):format(c[1]))
    else
      here[#here + 1] = c
      c.values, c.ratios = {}, {}
    end
  end
  return here
end

-- One run of each contender. The first begins in each round one place later.
local function run_round(contenders, round)
  local count = #contenders
  for i = 0, count - 1 do
    local c = contenders[(i + round) % count + 1]
    local value, said = measure(c[2])
    if not value then return nil, c[1], said end
    c.values[round] = value
  end
  for _, c in ipairs(contenders) do c.ratios[round] = contenders[1].values[round] / c.values[round] end
  return true
end

local function report(line, contenders)
  local unit = line.unit or "seconds"
  for i, c in ipairs(contenders) do
    local median, low, high = quartiles(c.values)
    local text = ("  %-34s %s  (%s ..%s)"):format(c[1], show(unit, median), show(unit, low), show(unit, high))
    if i == 1 then
      local target = line.at_most and ("  target <=%s: %s"):format(show(unit, line.at_most):gsub(" +$", ""),
        median <= line.at_most and "ok" or "MISSED")
      print(text .. (target or ""))
    else
      local ratio, first, third = quartiles(c.ratios)
      print(("%s  ratio %5.2f (%.2f .. %.2f)%s"):format(text, ratio, first, third, verdict(ratio, c.at_most)))
    end
  end
end

local function run_line(line)
  print(line.name)
  if line.setup and not os.execute(expand(line.setup)) then
    print "  skipped: its preparation failed"
    return
  end
  local contenders = muster(line)
  for round = 1, ROUNDS do
    local ok, who, said = run_round(contenders, round)
    if not ok then
      print(("  stopped: %s printed no number: %s"):format(who, said or ""))
      return
    end
  end
  report(line, contenders)
end

return function(lines)
  for _, line in ipairs(lines) do run_line(line) end
end
