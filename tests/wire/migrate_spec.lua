-- `neap migrate`, run as a user runs it, on SQLite. What it did is read by sqlite3, not by us.
local bin = (os.getenv "BIN" or "bin") .. "/neap"
local capture = require "tests.capture"

describe("neap migrate", function()
  local root, dir, db

  before_each(function()
    root = capture "mktemp -d":gsub("\n", "")
    dir, db = root .. "/db", root .. "/shop.db"
    capture("mkdir " .. dir)
  end)

  after_each(function() capture("rm -r " .. root) end)

  local function write(name, text)
    local file = assert(io.open(dir .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end

  local function run(options) return capture(("%s migrate sqlite:%s %s %s"):format(bin, db, dir, options or "")) end

  local function sqlite(statement) return (capture(("sqlite3 '%s' \"%s\""):format(db, statement)):gsub("\n$", "")) end

  local function write_posts()
    write("0001_posts.lua", 'return { up = "CREATE TABLE posts (titel TEXT)", down = "DROP TABLE posts" }')
    write("0002_title.lua", 'return { up = "ALTER TABLE posts RENAME titel TO title", down = "ALTER TABLE posts RENAME title TO titel" }')
  end

  it("says one line for each migration", function()
    write_posts()
    local text, code = run()
    assert.equal(0, code)
    assert.equal("up 0001_posts.lua (T)\nup 0002_title.lua (T)\n", (text:gsub("%d+%.%d%d s", "T")))
    assert.equal("nothing to do: the database is at version 2\n", (run()))
    assert.equal("down 0002_title.lua (T)\n", (run "--down 1":gsub("%d+%.%d%d s", "T")))
    assert.equal("1|titel", sqlite "SELECT (SELECT max(version) FROM neap_migrations), name FROM pragma_table_info('posts')")
    assert.equal(0, select(2, run "--to 2"))
  end)

  it("plans as text that sqlite3 takes", function()
    write_posts()
    write("0003_a.lua", 'return { up = function(tx) tx:sql("INSERT INTO posts VALUES (?)", { "x" }) tx:model "Post" end }')
    local text, code = run "--plan"
    assert.equal(0, code)
    assert.equal([[
-- up 0001_posts.lua
CREATE TABLE posts (titel TEXT);
-- up 0002_title.lua
ALTER TABLE posts RENAME titel TO title;
-- up 0003_a.lua
INSERT INTO posts VALUES (?);  -- "x"
-- the rest depends on what it finds: DIR/0003_a.lua:1: unsupported: store:model is not sent in a plan
]], (text:gsub(dir, "DIR")))
    assert.equal("", sqlite "SELECT name FROM sqlite_master")
  end)

  it("ends with 1 where a migration fails, and says which and where", function()
    write_posts()
    write("0003_bad.lua", 'return { "SELECT missing FROM posts" }')
    local text, code = run()
    assert.equal(1, code)
    assert.matches("\nup 0002_title.lua [^\n]*\nneap migrate: [^\n]*/0003_bad.lua:1: mismatch: 0003_bad.lua, up: [^\n]*\n$", text)
    assert.equal("2", sqlite "SELECT max(version) FROM neap_migrations")
  end)

  it("ends with 2 where it is used wrongly", function()
    for _, command in ipairs { "migrate", "migrate x", "migrate x y z", "migrate x y --nonsense", "migrate x y --to", "migrate x y --to 0",
      "migrate x y --to 1 --down 1" } do
      local text, code = capture(bin .. " " .. command)
      assert.equal(2, code, command)
      assert.matches("^neap migrate: .*; see neap migrate %-%-help\n$", text)
    end
    local text, code = capture(bin .. " migrate --help")
    assert.equal(0, code)
    assert.matches("^usage: neap migrate %[options%] URL dir", text)
  end)

  it("ends with 75 while another run is at work", function()
    write("0001_again.lua", ([[return { up = function()
      local pipe = io.popen "%s migrate sqlite:%s %s; echo $?"
      local text = pipe:read "a"
      pipe:close()
      print("inside: " .. text)
    end }]]):format(bin, db, dir))
    local text, code = run()
    assert.equal(0, code, text)
    assert.matches("inside: 75\n", text)
    assert.matches("neap migrate: .*another run of migrations is at work on this database: try again when it has ended", text)
    assert.equal("1", sqlite "SELECT count(*) FROM neap_migrations")
  end)

  it("leaves nothing of a migration in which it is killed", function()
    write_posts()
    write("0003_killed.lua", [[return { up = function(tx)
      tx:sql "INSERT INTO posts VALUES ('half')"
      if os.getenv "KILL" then os.execute "kill -9 $PPID" end
    end }]])
    capture(("KILL=1 %s migrate sqlite:%s %s"):format(bin, db, dir))
    assert.equal("2|0", sqlite "SELECT (SELECT max(version) FROM neap_migrations), (SELECT count(*) FROM posts)")
    assert.matches("^up 0003_killed.lua", (run()))
    assert.equal("1", sqlite "SELECT count(*) FROM posts")
  end)

  it("goes on with batches behind the last one before it was killed", function()
    write("0001_posts.lua", [[return { "CREATE TABLE posts (id INTEGER PRIMARY KEY, n INTEGER)", "WITH RECURSIVE " ..
      "c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 1000) INSERT INTO posts SELECT i, 0 FROM c" }]])
    write("0002_fill.lua", [[
      local migrate, t = require "neap.migrate", require "neap".types
      return { transaction = false, up = function(store)
        local Post = store:model("Post", { id = t.integer { primary = true }, n = t.integer() }, { table = "posts" })
        migrate.batches(Post, 100, function(posts, tx)
          tx:sql("UPDATE posts SET n = n + 1 WHERE id BETWEEN ? AND ?", { posts[1].id, posts[#posts].id })
          if os.getenv "KILL" and posts[1].id == 401 then os.execute "kill -9 $PPID" end
        end)
      end }]])
    capture(("KILL=1 %s migrate sqlite:%s %s"):format(bin, db, dir))
    assert.equal("1|400|400", sqlite "SELECT (SELECT max(version) FROM neap_migrations), sum(n), max(id) FILTER (WHERE n > 0) FROM posts")
    local text, code = run()
    assert.equal(0, code, text)
    assert.equal("1000|1|1", sqlite "SELECT count(*), min(n), max(n) FROM posts")
    assert.is_nil(text:find "\r")
  end)

  it("changes types as the manual says, with rows that point to the table", function()
    sqlite [[CREATE TABLE posts (id INTEGER PRIMARY KEY, price REAL); INSERT INTO posts VALUES (1, 1.5);
      CREATE TABLE notes (post INTEGER REFERENCES posts (id)); INSERT INTO notes VALUES (1)]]
    local manual = assert(io.open "docs/migrations.md"):read "a"
    write("0001_price.lua", manual:match "```lua\n(return {\n  transaction = false,[^`]*foreign_keys = OFF.-)```")
    local text, code = run()
    assert.equal(0, code, text)
    assert.equal("text|1.50|1", sqlite "SELECT typeof(price), price, (SELECT post FROM notes) FROM posts; PRAGMA foreign_key_check")
  end)

  it("is not in the way of a script of that name", function()
    local script = root .. "/migrate"
    local file = assert(io.open(script, "w"))
    file:write "print 'mine'"
    file:close()
    assert.equal("mine\n", (capture(bin .. " " .. script)))
    assert.matches("cannot open nosuchword", (capture(bin .. " nosuchword")))
  end)
end)
