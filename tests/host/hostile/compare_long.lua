-- limit: comparing long texts that are equal and not the same costs as much as reading them
local a = "x"
for _ = 1, 21 do a = a .. a end
local b = a:sub(1, -2) .. "x"
while true do
  if a ~= b then break end
  if a < b then break end
end
error "escaped"
