// sqlite_thread_test.c: in a stepped host SQLite works on a thread: no step waits for it, and everything else is the same.
#include <stdbool.h>
#include <unistd.h>

#include "check.h"

static const char reads_and_writes[] =
    "local neap = require 'neap'\n"
    "local store = neap.open(FILE)\n"
    "store:sql 'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)'\n"
    "assert(store:sql('INSERT INTO t (v) VALUES (?)', { 'one' }) == 1)\n"
    "assert(store:sql('SELECT v FROM t')[1].v == 'one')\n"
    "local ok, e = pcall(store.sql, store, 'SELECT missing FROM t')\n"
    "assert(not ok and neap.is(e, 'mismatch'))\n"
    "local ok, e = pcall(store.transaction, store, function(tx)\n"
    "  tx:sql \"INSERT INTO t (v) VALUES ('two')\"\n"
    "  pcall(tx.transaction, tx, function(inner) inner:sql \"INSERT INTO t (v) VALUES ('x')\" error 'inner' end)\n"
    "  assert(#tx:sql 'SELECT * FROM t' == 2)\n"
    "  error 'no'\n"
    "end)\n"
    "assert(not ok and #store:sql 'SELECT * FROM t' == 1)\n"
    "store:sql 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO t (v) "
    "SELECT i FROM n'\n"
    "assert(#store:sql 'SELECT * FROM t' == 2001)\n"
    "local a = neap.spawn(function()\n"
    "  store:transaction(function() store:sql 'DELETE FROM t' neap.sleep(0.01) store:sql \"INSERT INTO t (v) VALUES "
    "('a')\" end)\n"
    "end)\n"
    "store:sql \"INSERT INTO t (v) VALUES ('b')\"\n"
    "a:await()\n"
    "assert(#store:sql 'SELECT * FROM t' <= 2)\n"
    "store:close()\n";

static const char endless[] =
    "local neap = require 'neap'\n"
    "local store = neap.open(FILE)\n"
    "local function slow() store:sql 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) "
    "FROM n' end\n"
    "local ok, e = pcall(neap.timeout, 0.05, slow)\n"
    "assert(not ok and neap.is(e, 'timeout'), tostring(e))\n"
    "assert(store:sql('SELECT 1 AS one')[1].one == 1)\n";

// Objects, and tasks that are cancelled at every point of a transaction: nothing stays open, nothing half done.
static const char cancelled[] =
    "local neap = require 'neap'\n"
    "local t = neap.types\n"
    "local store = neap.open(FILE)\n"
    "local Item = store:model('Item', { id = t.integer { primary = true, auto = true }, v = t.string() })\n"
    "store:bind()\n"
    "local function list(n)\n"
    "  local items = {}\n"
    "  for i = 1, n do items[i] = Item { v = 'v' .. i } end\n"
    "  return items\n"
    "end\n"
    "store:save(list(3000))\n"
    "assert(Item:count() == 3000 and Item:get(2999).v == 'v2999')\n"
    "local seen = 0\n"
    "for item in Item:each() do\n"
    "  if seen == 0 then item.v = 'changed' item:save() end\n"
    "  seen = seen + 1\n"
    "end\n"
    "assert(seen == 3000 and Item:get(1).v == 'changed')\n"
    "for steps = 1, 60 do\n"
    "  local before = Item:count()\n"
    "  local done\n"
    "  local task = neap.spawn(function()\n"
    "    store:transaction(function() Item { v = 'one' }:save() store:save(list(20)) end)\n"
    "    done = true\n"
    "  end)\n"
    "  for _ = 1, steps do neap.sleep(0) end\n"
    "  task:cancel()\n"
    "  pcall(task.await, task)\n"
    "  Item { v = 'after' }:save()\n"
    "  local added = Item:count() - before - 1\n"
    "  assert(added == 21 or added == 0 and not done, added)\n"
    "end\n"
    "for steps = 1, 40 do\n"
    "  local task = neap.spawn(function() store:save(list(20)) end)\n"
    "  for _ = 1, steps do neap.sleep(0) end\n"
    "  task:cancel()\n"
    "  pcall(task.await, task)\n"
    "  Item { v = 'after' }:save()\n"
    "end\n";

// Each of many that save at once gets the key of its own row; many that read share few threads.
static const char together[] =
    "local neap = require 'neap'\n"
    "local t = neap.types\n"
    "local store = neap.open(FILE)\n"
    "local Row = store:model('Row', { id = t.integer { primary = true, auto = true }, v = t.integer() }, { table = "
    "'together' })\n"
    "store:bind()\n"
    "local tasks, reading = {}, {}\n"
    "for i = 1, 200 do\n"
    "  tasks[i] = function()\n"
    "    local row = Row:create { v = i }\n"
    "    assert(Row:get(row.id).v == i)\n"
    "  end\n"
    "end\n"
    "neap.all(tasks)\n"
    "for i = 1, 100 do reading[i] = neap.spawn(function() return Row:all() end) end\n"
    "neap.sleep(0)\n"
    "for i = 1, 100, 3 do reading[i]:cancel() end\n"
    "for i = 1, 100 do assert(i % 3 == 1 or #reading[i]:await() == 200) pcall(reading[i].await, reading[i]) end\n"
    "local threads = 0\n"
    "for _ in io.popen('ls /proc/' .. PID .. '/task'):lines() do threads = threads + 1 end\n"
    "assert(threads < 20, threads)\n";

// What a script writes while a save of the same object waits is not taken for saved.
static const char overtaken[] =
    "local neap = require 'neap'\n"
    "local t = neap.types\n"
    "local store = neap.open(FILE)\n"
    "local Note = store:model('Note', { id = t.integer { primary = true, auto = true }, v = t.string(), n = "
    "t.integer() })\n"
    "store:bind()\n"
    "for steps = 0, 20 do\n"
    "  local note = Note { v = 'first', n = 1 }:save()\n"
    "  note.v, note.n = 'second', 2\n"
    "  local task = neap.spawn(function() note:save() end)\n"
    "  for _ = 1, steps do neap.sleep(0) end\n"
    "  note.v, note.n = 'third', 3\n"
    "  task:await()\n"
    "  assert(note.v == 'third' and note.n == 3)\n"
    "  note:save()\n"
    "  assert(Note:get(note.id).v == 'third' and Note:get(note.id).n == 3, steps)\n"
    "  assert(next(note:changes()) == nil)\n"
    "end\n";

// A list that the script changes while it is saved is saved as it was given.
static const char replaced[] =
    "local neap = require 'neap'\n"
    "local t = neap.types\n"
    "local store = neap.open(FILE)\n"
    "local One = store:model('One', { id = t.integer { primary = true, auto = true }, v = t.string() })\n"
    "local Two = store:model('Two', { id = t.string { primary = true }, n = t.integer() })\n"
    "store:bind()\n"
    "for steps = 1, 20 do\n"
    "  local before = One:count()\n"
    "  local given = { One { v = 'a' }, One { v = 'b' }, One { v = 'c' } }\n"
    "  local list = { table.unpack(given) }\n"
    "  local task = neap.spawn(function() store:save(list) end)\n"
    "  for _ = 1, steps do neap.sleep(0) end\n"
    "  list[1], list[2], list[3] = Two {}, 'text', nil\n"
    "  local ok = pcall(task.await, task)\n"
    "  assert(not ok and One:count() == before or One:count() == before + 3)\n"
    "  if ok then for _, one in ipairs(given) do assert(One:get(one.id).v == one.v) end end\n"
    "end\n";

// Writes behind a lock, cancelled at every point and refused once it is lost; and dry runs.
static const char fenced[] =
    "local neap = require 'neap'\n"
    "local lease = require 'neap.lease'\n"
    "local t = neap.types\n"
    "local store = neap.open(FILE)\n"
    "local Item = store:model('Locked', { id = t.integer { primary = true, auto = true }, v = t.string() })\n"
    "store:bind()\n"
    "local function three() return { Item { v = 'a' }, Item { v = 'b' }, Item { v = 'c' } } end\n"
    "local function write()\n"
    "  Item { v = 'one' }:save()\n"
    "  store:save(three())\n"
    "  store:transaction(function() store:save(three()) Item { v = 'two' }:save() end)\n"
    "  assert(#store:sql \"INSERT INTO Locked (v) VALUES ('raw') RETURNING id\" == 1)\n"
    "end\n"
    "local lock = lease.take(store, 'job')\n"
    "lock:run(write)\n"
    "assert(Item:count() == 9)\n"
    "for steps = 1, 60 do\n"
    "  local task = neap.spawn(function() lock:run(write) end)\n"
    "  for _ = 1, steps do neap.sleep(0) end\n"
    "  task:cancel()\n"
    "  pcall(task.await, task)\n"
    "  local n = Item:count()\n"
    "  Item { v = 'after' }:save()\n"
    "  assert(Item:count() == n + 1, n .. ' ' .. Item:count() .. ' ' .. steps)\n"
    "end\n"
    "store:sql 'UPDATE neap_leases SET token = token + 1'\n"
    "local n = Item:count()\n"
    "local tries = { function() Item { v = 'x' }:save() end, function() store:save(three()) end, write,\n"
    "  function() store:transaction(write) end, function() store:sql 'DELETE FROM Locked' end }\n"
    "for i, try in ipairs(tries) do\n"
    "  local ok, e = pcall(lock.run, lock, try)\n"
    "  assert(not ok and e.code == 'lost', i .. ': ' .. tostring(e))\n"
    "end\n"
    "store:with({ dry_run = true }, function() tries[1]() tries[2]() store:transaction(tries[2]) tries[5]() end)\n"
    "assert(Item:count() == n)\n"
    "store:sql 'DROP TABLE neap_leases'\n"
    "store:sql 'DROP TABLE Locked'\n";

static const char left_open[] =
    "local neap = require 'neap'\n"
    "local store = neap.open(FILE)\n"
    "store:sql 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n'\n";

static neap *open_with(const char *script, const char *file, neap_task *task) {
  static char text[8192];
  neap_options options = {.size = sizeof options, .slice_us = 1000};
  neap *h;
  if (neap_open(&h, &options) != NEAP_OK) return NULL;
  snprintf(text, sizeof text, "local FILE, PID = 'sqlite:%s', %d %s", file, (int)getpid(), script);
  if (neap_spawn(h, text, strlen(text), "=script", task) != NEAP_OK) printf("%s\n", neap_message(h));
  return h;
}

static bool runs(const char *script, const char *file) {
  neap_task task;
  neap *h = open_with(script, file, &task);
  for (int i = 0; i < 20000 && neap_step(h, 1000) > 0; i++) usleep(500);
  int status = neap_status(h, task);
  if (status != NEAP_OK) printf("%s\n", neap_result(h, task, NULL) ? neap_result(h, task, NULL) : neap_message(h));
  neap_close(&h);
  return status == NEAP_OK;
}

int main(void) {
  char file[64], shm[80], wal[80];
  neap_task task;
  snprintf(file, sizeof file, "/tmp/neap_thread_%d.db", (int)getpid());
  snprintf(shm, sizeof shm, "%s-shm", file);
  snprintf(wal, sizeof wal, "%s-wal", file);
  CHECK(runs(reads_and_writes, file));
  CHECK(runs(reads_and_writes, ":memory:"));
  CHECK(runs(endless, file));
  CHECK(runs(replaced, file));
  CHECK(runs(cancelled, file));
  CHECK(runs(cancelled, ":memory:"));
  CHECK(runs(overtaken, file));
  CHECK(runs(together, file));
  CHECK(runs(together, ":memory:"));
  CHECK(runs(fenced, file));
  CHECK(runs(fenced, ":memory:"));
  neap *h = open_with(left_open, file, &task);
  for (int i = 0; i < 20; i++) neap_step(h, 1000);
  neap_close(&h);  // while the statement runs: it is stopped
  CHECK(h == NULL);
  unlink(file);
  unlink(shm);
  unlink(wal);
  return report();
}
