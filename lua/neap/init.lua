-- neap: what `require "neap"` gives.
local neap = {}
return neap
