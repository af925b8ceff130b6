std = "lua54"
max_line_length = 120
cache = false
files["tests"] = { max_line_length = 140 }
files["tests/host/hostile"] = { ignore = { "1", "2", "3" }, max_line_length = 160 }
files["tests/**/*_spec.lua"] = { std = "+busted", max_line_length = 140 }
files["lua/neap/meta"] = { unused = false, max_line_length = false }
files["tests/unit/docs_*.lua"] = { global = false, max_line_length = 140 }
