-- Objects: what reading, writing and keeping them costs.
local function line(name, work, at_most, unit)
  return { name = name, at_most = at_most, unit = unit, { "neap", "{bin}/neap tests/bench/object.lua " .. work } }
end

dofile "tests/bench/bench.lua" {
  line("objects: an integer field read", "read", 20e-9),
  line("objects: a text field read", "read_text"),
  line("objects: an integer field written", "write", 35e-9),
  line("objects: one of 100,000 unchanged ones in a list saved", "unchanged", 40e-9),
  line("objects: one made of a table", "make"),
  line("objects: bytes that one of 8 columns takes", "memory", 350, "bytes"),
}
