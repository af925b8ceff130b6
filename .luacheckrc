std = "lua54"
max_line_length = 120
cache = false
files["tests/**/*_spec.lua"] = { std = "+busted" }
files["lua/neap/meta.lua"] = { ignore = { "211", "212", "241" } }  -- annotations only
