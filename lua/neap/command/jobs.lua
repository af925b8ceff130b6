-- neap jobs FILE: what became of the runs that neap run has noted in a file.
local command = require "neap.command"

local COLUMNS = { "job", "began", "took", "state", "attempts", "read", "written", "error" }

--- What the table shows of a run.
local function shown(run)
  local retry, null = require "neap.retry", require "neap.marks".null
  local row = {}
  for _, name in ipairs(COLUMNS) do
    local value = run[name]
    row[name] = (value == nil or value == null) and "" or tostring(value)
  end
  row.began = os.date("%Y-%m-%d %H:%M:%S", run.began:timestamp() // 1 | 0)
  row.took = run.seconds == null and "" or retry.show(run.seconds)
  row.error = row.error:gsub("%s+", " ")
  return row
end

local function length(text) return utf8.len(text) or #text end

--- Cuts a line to so many characters.
local function cut(line, width)
  if not width or length(line) <= width then return line end
  return line:sub(1, (utf8.offset(line, width) or width) - 1) .. "…"
end

local function show_table(runs)
  local columns = require "neap.terminal".columns(1)
  local rows, widths = { {} }, {}
  for _, name in ipairs(COLUMNS) do rows[1][name] = name:upper() end
  for _, run in ipairs(runs) do rows[#rows + 1] = shown(run) end
  for _, row in ipairs(rows) do
    for _, name in ipairs(COLUMNS) do widths[name] = math.max(widths[name] or 0, length(row[name])) end
  end
  for _, row in ipairs(rows) do
    local parts = {}
    for i, name in ipairs(COLUMNS) do parts[i] = row[name] .. (" "):rep(widths[name] - length(row[name])) end
    print(cut(table.concat(parts, "  "):gsub("%s+$", ""), columns))
  end
end

return {
  about = "what became of the runs that neap run --history has noted",
  operands = "[FILE]",
  options = {
    { "--job NAME", "only runs of this job" },
    { "--last N", "how many, newest first (20)" },
    { "--json", "print them as a JSON array" },
  },
  run = function(options, path)
    path = path or os.getenv "NEAP_HISTORY" or command.wrong("jobs", "a FILE is wanted, or one in NEAP_HISTORY")
    local runs = require "neap.history".list(path, { job = options.job, last = options.last or 20 })
    if not options.json then return show_table(runs) end
    local json, marks = require "neap.json", require "neap.marks"
    print(json.encode(marks.array(runs)))
  end,
}
