-- apart.lua: queries that ask for related rows, on stores that cannot join: what they ask is read before, by queries of
-- its own, and the rows are put together in memory. The kernel has the queries and goes through the rows; here is what
-- comes after what.
local kernel = require "neap.apart.kernel"

local apart = {}

--- The query that a question is, once it is known which targets its links may lead to.
local function asked(question)
  if not question.links then return question.target end
  if not question.target then return question.links end
  return kernel.narrow(question.links, question.there, kernel.read(question.target, 0), 0)
end

--- What the conditions of a query ask of related rows becomes conditions on keys, by the nodes that ask it.
local function answer(query)
  local answers = {}
  for _, question in ipairs(kernel.questions(query)) do
    answers[question.node] = kernel.answer(query, question.node, kernel.read(asked(question), 0))
  end
  return answers
end

--- Reads what lies some steps away from the rows that are held: { cell, rows, cell, rows, …, cell }, each cell the key
--- that leads to the next rows, the last one what is looked for.
local function follow(query, reaches, i, distance, held, cell)
  local path = {}
  for step = 1, distance do
    local question, key, value = kernel.step(query, reaches, i, step)
    local found = kernel.read(kernel.narrow(asked(question), question.tie, held, cell), key)
    path[#path + 1], path[#path + 2] = cell, found
    held, cell = found, value
  end
  path[#path + 1] = cell
  return path
end

--- Sends a query.
---@param count boolean  whether it is asked how many rows there are
---@return userdata query, userdata rows  the query that is left
function apart.send(query, count)
  local left = kernel.settle(query, answer(query), count)
  local reaches, distances = kernel.reaches(left)
  local links, target, here, there = kernel.links(left)
  if #distances == 0 and not links then return left, kernel.select(left, count) end
  local base, key, done = kernel.base(left)
  local linked = links and kernel.read(links)
  if linked then base = kernel.narrow(base, target, linked, there) end
  local held, paths = kernel.read(base, linked and key), {}
  for i, distance in ipairs(distances) do
    paths[i] = follow(left, reaches, i, distance, held, kernel.cell(left, base, reaches, i))
  end
  return left, kernel.rows(left, count, base, held, linked, here, there, reaches, paths, done)
end

--- The query that gives the same rows, of which a store can be asked to write them.
function apart.settle(query)
  local left = kernel.settle(query, answer(query), false)
  local links, target, _, there = kernel.links(left)
  left = kernel.target(left)
  return links and kernel.narrow(left, target, kernel.read(links), there) or left
end

--- What would be asked: the query whose rows are read last, and a list of what would be sent before, as explain says.
--- Keys are not known then.
function apart.explain(query)
  local related, answers = {}, {}
  local function add(question)
    for _, asked_first in ipairs { question.target or false, question.links or false } do
      if asked_first then related[#related + 1] = asked_first:explain() end
    end
  end
  for _, question in ipairs(kernel.questions(query)) do
    add(question)
    answers[question.node] = kernel.answer(query, question.node)
  end
  local left = kernel.settle(query, answers, false)
  local reaches, distances = kernel.reaches(left)
  local links, target = kernel.links(left)
  if links then add { target = links } end
  for i, distance in ipairs(distances) do
    for step = 1, distance do
      local question = kernel.step(left, reaches, i, step)
      local last = question.links and "links" or "target"
      question[last] = kernel.narrow(question[last], question.tie)
      add(question)
    end
  end
  if #distances == 0 and not links then return left, related end
  local base = kernel.base(left)
  return links and kernel.narrow(base, target) or base, related
end

return apart
