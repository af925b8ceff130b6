-- harmless: a result that is twice as long with each level is no result
local t = { 1 }
for _ = 1, 60 do t = { t, t } end
return t
