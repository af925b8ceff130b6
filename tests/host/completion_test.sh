#!/usr/bin/env bash
# What bash and zsh complete, against what --help prints: the same words and options, folders and scripts where they belong.
. tests/host/check.sh

mkdir -p "$dir/work/folder" "$dir/functions"
touch "$dir/work/script.lua" "$dir/work/notes.txt"
$NEAP scripts/package/completions.lua bash > "$dir/neap.bash"
$NEAP scripts/package/completions.lua zsh > "$dir/functions/_neap"

words=$($NEAP --help | sed -n 's/^ *neap \([a-z]\{1,\}\) \[options\].*/\1/p')
options_of() { $NEAP $1 --help | sed -nE 's/^  (--?[a-z-]+).*/\1/p' | sort; }

# What bash offers for the last of the given words.
compopt() { :; }  # bash has one for its own completions only
. "$dir/neap.bash"
offered() {
  COMP_WORDS=(neap "$@") COMP_CWORD=$#
  cd "$dir/work" && _neap && printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort | tr '\n' ' '
  cd "$OLDPWD" || exit
}

is "bash offers words, scripts and folders" "$(printf '%s\n' $words folder script.lua | LC_ALL=C sort | tr '\n' ' ')" "$(offered '')"
is "bash offers folders after --lua-dir" "folder " "$(offered --lua-dir '')"
is "bash knows the word behind options" "--plan " "$(offered --lua-dir folder migrate --pl)"
is "bash offers a folder of migrations" "folder " "$(offered migrate sqlite:x.db '')"
is "bash leaves numbers alone" " " "$(offered migrate --to '')"
is "bash leaves the arguments of a script alone" " " "$(offered script.lua --pl)"
for word in '' $words; do
  is "bash offers the options of neap $word" "$(options_of "$word" | LC_ALL=C sort | tr '\n' ' ')" "$(offered $word -)"
done

# In a zsh on a terminal: types words behind `neap`, presses tab and enter. neap is a function there, which prints what it got.
cat > "$dir/type.zsh" << 'ZSH'
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; fpath=($1/functions \$fpath); autoload -U compinit; compinit -u -D; LISTMAX=0; cd $1/work"
zpty -w shell 'neap() { print -r -- "<$*>" }; print ready\ now'
zpty -r -m shell found '*ready now*'
while IFS= read -r line; do
  zpty -w -n shell "neap $line"$'\t\n'
  zpty -r -m shell found '*<*>*' && print -r -- "${${found##*<}%%>*}"
done
zpty -d shell
ZSH
typed() { timeout 60 zsh -f "$dir/type.zsh" "$dir"; }
if command -v zsh > /dev/null; then
  is "zsh completes words, scripts and folders" "$(printf '%s\n' migrate script.lua '--lua-dir folder' 'migrate --plan' \
    'migrate --to=2 x folder')" "$(printf '%s\n' migr scri '--lua-dir fol' 'migrate --pla' 'migrate --to=2 x fol' | typed)"
  for word in '' $words; do  # without the last letter, where that leaves no choice
    options=$(options_of "$word" | grep -- --)
    is "zsh completes the options of neap $word" "$(sed "s/^/${word:+$word }/" <<< "$options")" \
      "$(sed "s/^/${word:+$word }/; s/.$//; s/--lo$/--log/" <<< "$options" | typed | sed 's/ *$//; s/=$//')"
  done
fi

report
