#!/usr/bin/env bash
# neap shell: models of a database that is there, results as tables, SQL, Ctrl-C that ends a query and not the session; the
# same from a pipe.
. tests/host/check.sh
url=sqlite:$dir/shop.db
export LC_ALL=C.UTF-8 TERM=xterm HOME=$dir
unset NO_COLOR

# check WHAT ACTUAL EXPECTED
check() { is "$1" "$3" "$2"; }

sqlite3 "$dir/shop.db" "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
  CREATE TABLE posts (id INTEGER PRIMARY KEY, author_id INTEGER REFERENCES users (id), title TEXT, views INTEGER);
  CREATE TABLE lines (line TEXT);
  INSERT INTO users VALUES (1, 'Ada'), (2, 'Käthe');
  INSERT INTO posts VALUES (1, 1, 'Tides', 10), (2, 2, NULL, 7)"

# ---- From a pipe ----

shell() { printf "$1" | $NEAP shell "${2:-$url}" 2>&1; }

check "a query is a table" "$(shell 'Posts:order "id"\n')" "id  author_id  title  views
──  ─────────  ─────  ─────
 1          1  Tides     10
 2          2  NULL       7
(2 rows)"
check "and so are objects, what was selected, and plain rows" \
  "$(shell 'Posts:select("title"):all()\nPosts:group "author":aggregate{ n = { ["$sum"] = "views" } }\n')" "id  title
──  ─────
 1  Tides
 2  NULL
(2 rows)
author   n
──────  ──
     1  10
     2   7
(2 rows)"
check "one object is a line for each field" "$(shell 'Posts:get(2)\n')" "Posts
id         2
author_id  2
title      NULL
views      7"
check "a model says what it has" "$(shell 'Posts\n')" "model: Posts
field   leads to
──────  ────────
id      NULL
author  Users
title   NULL
views   NULL
(4 rows)"
check "secrets, counts and undeclared fields" "$(shell 'S = store:model("S", { id = t.integer { primary = true }, key = t.string { secret = true } }, { open = true, table = "s" })
store:bind() S { id = 1, key = "hidden", other = 7 }:save()
S
S:all()
Users:select "posts.count":order "id"
')" 'model: S
field  leads to
─────  ────────
id     NULL
key    NULL
(2 rows)
id  key  (other fields)
──  ───  ──────────────
 1  ***  {"other":7}
(1 row)
id  posts.count
──  ───────────
 1            1
 2            1
(2 rows)'
sqlite3 "$dir/shop.db" "DROP TABLE s"
check "other values are what they are in Lua" "$(shell '1 + 1, "x", nil, { a = { 1 } }, Users:get(2).name\n')" '2
"x"
nil
{ a = { 1 } }
"Käthe"'
check "statements give nothing" "$(shell 'x = 1\nfunction f()\n  return x\nend\nf()\n')" "1"
check "SQL ends with a semicolon, and its columns are in its order" \
  "$(shell 'select views, id\nfrom posts;\nselect 1 as a where 0;\n')" "views  id
─────  ──
   10   1
    7   2
(2 rows)
a
─
(0 rows)"
check "SQL that changes says how much" "$(shell 'update posts set views = 8 where id = 2;\n')" "1 row changed"
check "and has" "$(sqlite3 "$dir/shop.db" 'SELECT views FROM posts WHERE id = 2')" "8"
check "Lua has the word where it is Lua" "$(shell 'select("#", 1, 2)\n')" "2"
check "a statement may be one word" "$(shell 'analyze;\n')" "0 rows changed"
check "an error ends it" "$(shell 'Posts:get(9)\n1\n'; echo "code $?")" \
  "neap shell: stdin:1: not_found: there is no Posts with id 9
code 1"
check "so does text that is no chunk" "$(shell 'x = )\n' | head -1)" \
  "neap shell: stdin:1: unexpected symbol near ')'"
check "or has no end" "$(shell 'select 1\n')" "neap shell: what was read ends in the middle of: select 1"
check "the URL may come from the environment" "$(echo 'Users:count()' | NEAP_STORE=$url $NEAP shell)" "2"
check "an ASCII locale gets ASCII" "$(echo 'Users:select "name":limit(1)' | LC_ALL=C $NEAP shell "$url" | sed -n 2p)" "--  ----"
check "what is typed in the plain prompt's way is no script" "$($NEAP shell a b 2>&1; echo $?)" \
  "neap shell: b is one too many; see neap shell --help
2"
check "many rows are written as they come" \
  "$(echo 'with recursive c (n) as (select 1 union all select n + 1 from c) select n from c;' | $NEAP shell "$url" 2>&1 | sed -n '1000{p;q}')" "998"

# ---- neap models ----

models() { $NEAP models "$@" 2>&1; echo "code $?"; }

check "neap models prints what was asked for" "$(models "$url" users | sed -n '/models.Users/,/^  }/p')" '  models.Users = store:model("Users", {
    id   = t.integer { primary = true, auto = true },
    name = t.string { required = true },
  }, { table = "users" })'
check "it says what it has left out, and why" "$(models "$url" | sed -n '/Left out/,/return/p')" '  -- Left out:
  -- lines: a table with no key; name one with keys =

  return models'
check "it makes no database" "$(models "sqlite:$dir/none.db" | sed -n '$p'; ls "$dir" | grep none)" "code 1"
check "keys are written as keys" "$(models --keys users "$url")" \
  "neap models: --keys takes TABLE=COLUMN, not users; see neap models --help
code 2"

# ---- At a terminal ----

# open URL: a session on a terminal of 40 columns
open() { terminal xterm "stty cols 40; exec $NEAP shell $1"; }

end() {
  type '\004'
  wait "$session"
  check "Ctrl-D ends it" "$?" 0
}

open "$url"

expect "it says what there is" "Posts, Users"
expect "and what has no model" "without a model: lines"
expect "a prompt" "> "
type 'Posts:select("title", "views"):order "id"\n'
expect "the head of a table" $'\e[1mtitle\e[0m'
expect "an absent value" $'\e[2mNULL\e[0m'
expect "the rows" "(2 rows)"
expect "then a prompt" "> "
type '{ { a = ("x"):rep(60), b = ("y"):rep(60), n = 7 } }\n'
expect "what does not fit is cut" "xxx…"
expect "then a prompt" "> "
type 'Pos\t'
expect "a tab completes" "ts"
type ':cou\t'
expect "and a method" "nt"
type '()\n'
expect "which then runs" $'\n2'
expect "then a prompt" "> "
type 'select na\t'
expect "a tab completes names in SQL, too" "me"
type ' from users where users.i\t'
expect "and columns of a table" "d"
type ' = 1;\n'
expect "and the statement runs" "Ada"
expect "then a prompt" "> "
type 'print "runs" store:sql "with recursive c (n) as (select 1 union all select n + 1 from c) select count(*) from c"\n'
expect "a query that does not end" $'runs\r\n'
type '\003'
expect "Ctrl-C ends it" $'\n> '
type 'Users:count(), models.Users == Users\n'
expect "models and connections stay" $'2\r\ntrue'
expect "then a prompt" "> "
type 'nobody()\n'
expect "an error" "nobody"
expect "then a prompt" "> "
end

# ---- PostgreSQL: what is stopped ends in the server, too ----

# sleeping N: waits until so many statements of ours sleep in the server
sleeping() {
  local count try
  for try in {1..200}; do
    count=$(psql -qAtX "$NEAP_TEST_POSTGRES" -c "SELECT count(*) FROM pg_stat_activity
      WHERE state = 'active' AND query LIKE '%pg_sleep(71)%' AND pid <> pg_backend_pid()")
    [ "$count" = "$1" ] && break
    sleep 0.05
  done
  check "statements that sleep in the server" "$count" "$1"
}

if [ -n "${NEAP_TEST_POSTGRES:-}" ]; then
  open "$NEAP_TEST_POSTGRES"
  expect "a prompt" "> "
  type 'select pg_sleep(71);\n'
  sleeping 1
  type '\003'
  expect "Ctrl-C ends it" $'\n> '
  sleeping 0
  type 'select 6 * 7 as n;\n'
  expect "and the connection goes on" "42"
  expect "then a prompt" "> "
  end
fi

report
