-- What a shell command prints, both ways, and its exit code: text, code = capture "ls".
return function(command)
  local pipe = assert(io.popen("{ " .. command .. "; } 2>&1"))
  local text = pipe:read "a"
  local _, _, code = pipe:close()
  return text, code
end
