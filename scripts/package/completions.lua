-- completions.lua: prints the completions of a shell from what the words of the command declare.
-- Usage: neap scripts/package/completions.lua bash|zsh
local command = require "neap.command"

local TOLD = "printed by scripts/package/completions.lua from what its words declare"

-- What a shell offers for a value or an operand that is called so: scripts, folders, choices or files.
local function kind_of(name)
  name = name:lower():match "^%[?(.-)[%].]*$"
  if name:find("|", 1, true) then return "choices" end
  return name:find "^script" and "scripts" or name == "dir" and "folders" or "files"
end

local function operands_of(found) return found.word == "" and "script.lua" or found.operands end

local function each_value(words, f)
  for _, found in ipairs(words) do
    for _, option in ipairs(found.options) do
      if option.value then f(found.word, option, kind_of(option.value)) end
    end
  end
end

-- ---- bash ----

local BASH = [=[
# Completions of neap for bash, %s.
_neap() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word='' flags='' kind='' i
  if [[ $cur == = ]]; then cur=''; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      %s) ((i++)) ;;
      -*) ;;
      *) word=${COMP_WORDS[i]} && break ;;
    esac
  done
  COMPREPLY=()
  case $word:$prev in
%s
  esac
  case $word in
%s
  esac
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$cur")
  elif [[ $kind == scripts ]]; then
    compopt -o filenames
    mapfile -t COMPREPLY < <(
      [[ $word ]] || compgen -W '%s' -- "$cur"
      compgen -f -X '!*.lua' -- "$cur"
      compgen -d -- "$cur")
  elif [[ $kind == folders ]]; then
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -d -- "$cur")
  fi
}
complete -o default -F _neap neap
]=]

-- The arms that complete the values of options; what is a file, or anything, is left to the shell.
local function bash_values(words)
  local lines, folders, files = {}, {}, {}
  each_value(words, function(word, option, kind)
    local pattern = word .. ":" .. option.flag
    if kind == "choices" then
      lines[#lines + 1] = ("    %s) mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\"); return ;;"):format(pattern,
        option.value:gsub("|", " "))
    else
      table.insert(kind == "folders" and folders or files, pattern)
    end
  end)
  lines[#lines + 1] = ("    %s)"):format(table.concat(folders, " | "))
  lines[#lines + 1] = '      compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;'
  lines[#lines + 1] = ("    %s) return ;;"):format(table.concat(files, " | "))
  return table.concat(lines, "\n")
end

local function bash_words(words)
  local lines, names = {}, {}
  for i, found in ipairs(words) do
    local flags, kinds = {}, {}
    for _, option in ipairs(found.options) do flags[#flags + 1] = option.flag end
    for name in operands_of(found):gmatch "%S+" do kinds[kind_of(name)] = true end
    lines[i] = ("    %s) flags='%s' kind=%s ;;"):format(i == 1 and "''" or found.word, table.concat(flags, " "),
      kinds.scripts and "scripts" or kinds.folders and "folders" or "files")
    if i > 1 then names[#names + 1] = found.word end
  end
  return table.concat(lines, "\n"), table.concat(names, " ")
end

local function bash(words)
  local before = {}
  for _, option in ipairs(words[1].options) do before[#before + 1] = option.value and option.flag end
  local arms, names = bash_words(words)
  return BASH:format(TOLD, table.concat(before, " | "), bash_values(words), arms, names)
end

-- ---- zsh ----

local ZSH = [=[
#compdef neap
# Completions of neap for zsh, %s.
_neap() {
  local curcontext=$curcontext state line
  local -a names=(
    %s
  )
  _arguments -C -S \
    %s \
    '1: :->first' '*:: :->rest'
  case $state in
    first) _alternative 'words:word:{ _describe -t words word names }' 'scripts:script:_files -g "*.lua"' ;;
    rest) case $line[1] in
      %s
      *) _files ;;
    esac ;;
  esac
}
_neap "$@"
]=]

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function escape(text) return (text:gsub("%s*\n%s*", " "):gsub("[%]%[:\\]", "\\%0")) end

-- How _arguments completes what is called so.
local function zsh_action(name)
  local actions = { scripts = '_files -g "*.lua"', folders = "_files -/", files = "_files" }
  return escape(name) .. ":" .. (actions[kind_of(name)] or "(" .. name:gsub("|", " ") .. ")")
end

local function zsh_options(found)
  local list = {}
  for i, option in ipairs(found.options) do
    local value = option.value and ":" .. zsh_action(option.value) or ""
    local equals = option.value and found.word ~= "" and "=" or ""  -- --to N, and --to=N
    list[i] = quote(("%s%s[%s]%s"):format(option.flag, equals, escape(option.about), value))
  end
  return list
end

local function zsh_word(found)
  local list = zsh_options(found)
  for name in operands_of(found):gmatch "%S+" do
    local place = name:find("...", 1, true) and "*:" or name:find "^%[" and ":" or ""
    list[#list + 1] = quote(place .. ":" .. zsh_action(name))
  end
  return ("%s) _arguments -S \\\n        %s ;;"):format(found.word, table.concat(list, " \\\n        "))
end

local function zsh(words)
  local names, arms = {}, {}
  for i = 2, #words do
    names[i - 1] = quote(words[i].word .. ":" .. escape(words[i].about))
    arms[i - 1] = zsh_word(words[i])
  end
  return ZSH:format(TOLD, table.concat(names, "\n    "), table.concat(zsh_options(words[1]), " \\\n    "),
    table.concat(arms, "\n      "))
end

local shells = { bash = bash, zsh = zsh }
io.write(assert(shells[arg[1]], "usage: neap scripts/package/completions.lua bash|zsh")(command.words()))
