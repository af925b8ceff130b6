-- limit: chunks with very many constants, locals, labels and upvalues
while true do
  local list = {}
  for i = 1, 20000 do list[i] = ("x%d = %d.5 "):format(i, i) end
  load(table.concat(list))
end
