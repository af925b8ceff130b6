#!/usr/bin/env bash
# Small builds: without a part neap builds where that part's -dev package is missing, without a warning, opens what is left,
# and says of what was left out which option brings it back.
. tests/host/check.sh
unset MAKEFLAGS NEAP_TEST_POSTGRES

# without PACKAGE HEADER COMMAND...: as on a machine that has not got it.
without() {
  local package=$1 header=$2
  shift 2
  rm -rf "$dir/bin" "$dir/include"
  mkdir -p "$dir/bin" "$dir/include/$(dirname "$header")"
  printf '#!/bin/sh\ncase " $* " in *" %s "*) exit 1 ;; esac\nexec %s "$@"\n' "$package" "$(command -v pkg-config)" > "$dir/bin/pkg-config"
  chmod +x "$dir/bin/pkg-config"
  echo "#error \"$header is not there\"" > "$dir/include/$header"
  CPATH=$dir/include PATH=$dir/bin:$PATH "$@"
}
build() { make --no-print-directory -s -j2 BUILD="$dir/$1" BIN="$dir/$1" CFLAGS="-O1 -Werror" "${@:2}" all; }
refused() { [ "$("$1/neap" -e 'local _, e = pcall(require("neap").open, arg[1]) print(e.kind, tostring(e):match "%(WITH_.*%)")' "$2")" = "unsupported	($3)" ]; }
opens() { "$1/neap" -e 'local store = require("neap").open "sqlite::memory:" assert(store:sql("SELECT 1 AS one")[1].one == 1)'; }

try "it builds without libpq-dev" without libpq libpq-fe.h build pg WITH_PG=0
try "SQLite opens" opens "$dir/pg"
try "PostgreSQL is refused" refused "$dir/pg" postgres://h/d WITH_PG=0
try "also by its other name" refused "$dir/pg" postgresql://h/d WITH_PG=0
for spec in tests/store/save_spec.lua tests/store/transaction_spec.lua tests/wire/migrate_spec.lua; do
  try "$spec" env BIN="$dir/pg" "$dir/pg/neap" --busted "$spec"
done
no_libpq() { ! nm -D "$dir/pg/neap" | grep ' PQ' && ! grep -q libpq.so "$dir/pg/neap"; }
try "nothing of libpq is in it" no_libpq
refuses() { ! without libpq libpq-fe.h build pg WITH_PG=1 && without libpq libpq-fe.h make -n BUILD="$dir/x" BIN="$dir/x" 2>&1 | grep -q 'apt-get install.* libpq-dev'; }
try "with the part, it says what is missing and how to get it" refuses

try "it builds without libcurl4-openssl-dev" without libcurl curl/curl.h build http WITH_HTTP=0
try "SQLite opens there too" opens "$dir/http"
no_http() { [ "$("$dir/http/neap" -e 'local _, e = pcall(function() return require("neap").http end) print(e.kind, e.message:match "%(WITH_.*%)")')" = "unsupported	(WITH_HTTP=0)" ]; }
try "HTTP is refused" no_http
no_libcurl() { ! nm -D "$dir/http/neap" | grep ' curl_' && ! grep -q libcurl.so "$dir/http/neap"; }
try "nothing of libcurl is in it" no_libcurl
refuses_http() { ! without libcurl curl/curl.h build http WITH_HTTP=1; }
try "with the part, libcurl is missed" refuses_http

# The same folder, built again with the part.
again() { build pg > /dev/null && "$dir/pg/neap" -e 'require("neap").open "postgres://h/d"'; }
try "the part comes back when it is asked for" again

report
