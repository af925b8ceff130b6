-- store:bind makes what is declared and missing, and compares the rest.
local contract = require "tests.store.contract"
local neap = require "neap"
local t = neap.types

local function mismatch_of(store)
  local ok, e = pcall(store.bind, store)
  assert.is_false(ok)
  assert.is_true(neap.is(e, "mismatch"), tostring(e))
  return e
end

--- The differences as sorted lines.
local function lines(e)
  local list = {}
  for i, d in ipairs(e.errors) do list[i] = ("%s | %s | %s | %s"):format(d.model, d.what, d.expected, d.actual) end
  table.sort(list)
  return list
end

local function id()
  return t.integer { primary = true, auto = true }
end

local function declare_blog(store)
  store:model("User", { id = id(), name = t.string { required = true } })
  store:model("Post", {
    id = id(),
    author = t.pointer("User", { index = true, on_delete = "cascade" }),
    title = t.string { required = true },
    views = t.integer { default = 0 },
    slug = t.string { unique = true },
    by_author_title = t.index { "author", "-title" },
  }, { table = "posts" })
end

contract.sql("bind", function(c)
  -- What is said of the database in its own words.
  local in_sqlite = c.name == "sqlite" and it or function() end

  describe("on an empty database", function()
    it("creates tables with their columns in declared order", function()
      declare_blog(c.store)
      c.store:bind()
      assert.same({ "id", "author_id", "title", "views", "slug" }, c:columns "posts")
    end)

    in_sqlite("gives every type a column that other programs read", function()
      c.store:model("Everything", {
        id = t.uuid { primary = true, auto = true }, s = t.string(), i = t.integer(), n = t.number(), d = t.decimal(),
        b = t.boolean(), at = t.datetime(), day = t.date(), blob = t.bytes(), j = t.json(), l = t.list(t.string()),
        m = t.map(t.integer()), g = t.geopoint(),
      })
      c.store:bind()
      assert.same({
        "id|TEXT", "s|TEXT", "i|INTEGER", "n|REAL", "d|TEXT", "b|INTEGER", "at|TEXT", "day|TEXT", "blob|BLOB", "j|TEXT",
        "l|TEXT", "m|TEXT", "g|TEXT",
      }, c:client "SELECT name, type FROM pragma_table_info('Everything')")
    end)

    in_sqlite("makes required columns NOT NULL and writes defaults into the table", function()
      declare_blog(c.store)
      c.store:bind()
      assert.same({ "title|1|", "views|0|0" },
        c:client [[SELECT name, "notnull", dflt_value FROM pragma_table_info('posts') WHERE name IN ('title', 'views')]])
    end)

    it("writes defaults of text so that nothing in them ends the text", function()
      c.store:model("Quote", { id = id(), text = t.string { default = "it's; --" } })
      c.store:bind()
      assert.same({ "it's; --" }, c:client "INSERT INTO Quote (id) VALUES (1); SELECT text FROM Quote")
    end)

    it("lets no other program write broken JSON", function()
      c.store:model("Note", { id = id(), data = t.json(), tags = t.list(t.string()) })
      c.store:bind()
      assert.truthy(c:client("INSERT INTO Note (data) VALUES ('{')")[1])
      assert.truthy(c:client("INSERT INTO Note (tags) VALUES ('a, b')")[1])
      assert.same({}, c:client "INSERT INTO Note (data, tags) VALUES ('null', NULL)")
    end)

    it("makes keys of several columns, none of which may be NULL", function()
      c.store:model("Reply", { forum = t.string { primary = true }, id = t.integer { primary = true }, body = t.string() })
      c.store:bind()
      assert.same({ "forum", "id" }, c:keys "Reply")
      assert.truthy(c:client("INSERT INTO Reply (forum) VALUES ('a')")[1])
    end)

    it("makes references that act on deletion", function()
      declare_blog(c.store)
      c.store:bind()
      assert.same({ "author_id|User|id|CASCADE" }, c:references "posts")
    end)

    it("makes indexes: of one column, of several, descending, unique", function()
      declare_blog(c.store)
      c.store:bind()
      assert.same({ "0|author_id", "0|author_id, title desc", "1|slug" }, c:indexes "posts")
    end)

    it("makes partial indexes that other programs can keep", function()
      c.store:model("Job", {
        id = id(), state = t.string(), at = t.integer(), waiting = t.unique { "at", where = { state = "waiting" } },
      })
      c.store:bind()
      assert.same({}, c:client "INSERT INTO Job (state, at) VALUES ('waiting', 1), ('done', 2), ('done', 2)")
      assert.truthy(c:client("INSERT INTO Job (state, at) VALUES ('waiting', 1)")[1]:upper():find "UNIQUE")
      assert.same({}, c.store:bind())
    end)

    it("makes indexes of expressions", function()
      c.store:model("Person", { id = id(), name = t.string(), by_lower_name = t.unique { "lower({name})" } })
      c.store:bind()
      assert.same({}, c:client "INSERT INTO Person (name) VALUES ('Ada')")
      assert.truthy(c:client("INSERT INTO Person (name) VALUES ('ADA')")[1]:upper():find "UNIQUE")
      assert.same({}, c.store:bind())
    end)

    it("makes tables that point at each other", function()
      c.store:model("A", { id = id(), b = t.pointer "B" })
      c.store:model("B", { id = id(), a = t.pointer "A" })
      c.store:bind()
      assert.same({ "b_id|B|id|NO ACTION" }, c:references "A")
      assert.same({ "a_id|A|id|NO ACTION" }, c:references "B")
    end)

    it("uses the names that column= and table= give", function()
      c.store:model("Post", { id = t.integer { primary = true, auto = true, column = "post_id" }, title = t.string { column = "Title" } },
        { table = "blog posts" })
      c.store:bind()
      assert.same({ "post_id", "Title" }, c:columns "blog posts")
    end)

    it("quotes every name", function()
      c.store:model("Odd", { id = id(), select = t.string { column = 'a "b"', index = true, default = "x" } }, { table = 'the "table"' })
      c.store:bind()
      assert.same({ "id", 'a "b"' }, c:columns 'the "table"')
      assert.same({}, c.store:bind())
    end)

    it("gives open models one column for what is not declared", function()
      c.store:model("Note", {})
      c.store:bind()
      assert.same({ "id", "extra" }, c:columns "Note")
      assert.same({ "id" }, c:keys "Note")
    end)

    it("puts all names into the template of the store", function()
      local store = neap.open { url = c.url, table_template = "test_{table}" }
      declare_blog(store)
      store:bind()
      store:close()
      assert.same({ "test_User", "test_posts" }, c:tables())
      assert.same({ "author_id|test_User|id|CASCADE" }, c:references "test_posts")
    end)

    it("creates the link table of a many_to_many that no model declares", function()
      c.store:model("Track", { id = id(), lists = t.many_to_many("Playlist", { through = "playlist_track" }) })
      c.store:model("Playlist", { id = id(), tracks = t.many_to_many("Track", { through = "playlist_track" }) })
      c.store:bind()
      assert.equal(2, #c:references "playlist_track")
      assert.same({ "0|playlist_id" }, c:indexes "playlist_track")
    end)

    it("creates it in one way, whichever side is asked first", function()
      for turn = 1, 2 do
        local store = turn == 1 and c.store or neap.open(c.url)
        store:model("Track", { id = id(), lists = t.many_to_many("Playlist", { through = "playlist_track" }) })
        local Playlist = store:model("Playlist", { id = id(), tracks = t.many_to_many("Track", { through = "playlist_track" }) })
        if turn == 2 then assert.truthy(Playlist:where { tracks__id = 1 }:explain()) end
        assert.equal(turn == 1, #store:bind() > 0)
        if turn == 2 then store:close() end
      end
    end)
  end)

  it("gives the statements that it ran, and none the second time", function()
    declare_blog(c.store)
    assert.is_true(#c.store:bind() > 0)
    assert.same({}, c.store:bind())
  end)

  in_sqlite("changes nothing the second time, as another client sees it", function()
    declare_blog(c.store)
    c.store:bind()
    local before = c:client "PRAGMA schema_version"
    c.store:bind()
    assert.same(before, c:client "PRAGMA schema_version")
  end)

  it("is undone with the transaction that it is part of", function()
    declare_blog(c.store)
    pcall(c.store.transaction, c.store, function(tx)
      tx:bind()
      error "no"
    end)
    assert.same({}, c:tables())
    assert.is_true(#c.store:bind() > 0)
  end)

  it("may be done by two at the same time", function()
    local stores = { c.store, neap.open(c.url) }
    local ran = neap.gather(stores, 2, function(store)
      declare_blog(store)
      return #store:bind()
    end)
    stores[2]:close()
    table.sort(ran)
    assert.equal(0, ran[1])
    assert.is_true(ran[2] > 0)
  end)

  describe("on tables that are there", function()
    it("adds columns that may be empty or have a default, and indexes", function()
      c:client [[CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT NOT NULL); INSERT INTO posts VALUES (1, 'Tides')]]
      declare_blog(c.store)
      c.store:bind()
      assert.same({ "1||Tides|0|" }, c:client "SELECT id, author_id, title, views, slug FROM posts")
      assert.equal(3, #c:indexes "posts")
    end)

    in_sqlite("lists every difference, and then changes nothing", function()
      c:client [[CREATE TABLE User (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
        CREATE TABLE posts (id TEXT PRIMARY KEY, author_id INTEGER, views BLOB, secret TEXT NOT NULL)]]
      declare_blog(c.store)
      assert.same({
        "Post | column author_id | REFERENCES User (id) ON DELETE CASCADE | no reference",
        "Post | column id: type | INTEGER | TEXT",
        "Post | column secret | a default, or may be NULL: it is not declared | TEXT NOT NULL",
        "Post | column title | TEXT NOT NULL | missing; it cannot be added: rows that are there would lack a value",
        "Post | column views: type | INTEGER | BLOB",
      }, lines(mismatch_of(c.store)))
      assert.same({ "0" }, c:client "SELECT count(*) FROM sqlite_master WHERE name LIKE 'posts_%'")
    end)

    it("points to migrations", function()
      c:client "CREATE TABLE User (id INTEGER PRIMARY KEY, name INTEGER)"
      c.store:model("User", { id = t.integer { primary = true }, name = t.string() })
      assert.matches("column name: type: declared %a+, found %a+; .* %(neap migrate%)$", mismatch_of(c.store).message)
    end)

    it("says which key there is, and what may be NULL", function()
      c:client [[CREATE TABLE User (id INTEGER, org INTEGER, name TEXT, PRIMARY KEY (id, org))]]
      c.store:model("User", { id = t.integer { primary = true }, org = t.integer(), name = t.string { required = true } })
      assert.same({ "User | column name | NOT NULL | may be NULL", "User | key | id | id, org" }, lines(mismatch_of(c.store)))
    end)

    in_sqlite("takes what other programs call their types", function()
      c:client [[CREATE TABLE Track (TrackId INTEGER PRIMARY KEY, Name NVARCHAR(200) NOT NULL, Seen DATETIME, Live BOOLEAN,
        Length DOUBLE, Bytes BIGINT)]]
      c.store:model("Track", {
        TrackId = id(), Name = t.string { required = true }, Seen = t.datetime(), Live = t.boolean(), Length = t.number(),
        Bytes = t.integer(),
      })
      assert.same({}, c.store:bind())
    end)

    in_sqlite("does not take a column that would make floats of decimals", function()
      c:client "CREATE TABLE Item (id INTEGER PRIMARY KEY, price NUMERIC(10,2))"
      c.store:model("Item", { id = id(), price = t.decimal() })
      assert.same({ "Item | column price: type | TEXT | NUMERIC(10,2)" }, lines(mismatch_of(c.store)))
    end)

    it("finds an index under any name, and tells when its name means another", function()
      c:client [[CREATE TABLE Item (id INTEGER PRIMARY KEY, a TEXT, b TEXT UNIQUE); CREATE INDEX mine ON Item (a);
        CREATE INDEX "Item_pair" ON Item (b)]]
      c.store:model("Item", {
        id = id(), a = t.string { index = true }, b = t.string { unique = true }, pair = t.index { "a", "b" },
      })
      local e = mismatch_of(c.store)
      assert.equal(1, #e.errors)
      assert.equal("index Item_pair", e.errors[1].what)
    end)

    it("says so where a view has the name", function()
      c:client "CREATE VIEW Item AS SELECT 1 AS id"
      c.store:model("Item", { id = id() })
      assert.same({ "Item | table Item | a table | a view" }, lines(mismatch_of(c.store)))
    end)

    it("says where a reference leads elsewhere or does something else", function()
      c:client [[CREATE TABLE User (id INTEGER PRIMARY KEY); CREATE TABLE Robot (id INTEGER PRIMARY KEY);
        CREATE TABLE Post (id INTEGER PRIMARY KEY, author_id INTEGER REFERENCES Robot (id),
          editor_id INTEGER REFERENCES User (id) ON DELETE CASCADE, reader_id INTEGER)]]
      c.store:model("User", { id = id() })
      c.store:model("Post", {
        id = id(), author = t.pointer "User", editor = t.pointer("User", { on_delete = "set_null" }), reader = t.pointer "User",
      })
      assert.same({
        "Post | column author_id | REFERENCES User (id) | REFERENCES Robot (id)",
        "Post | column editor_id: on_delete | SET NULL | CASCADE",
      }, lines(mismatch_of(c.store)))
    end)

    it("raises conflict when rows break a unique index that is to be made", function()
      c:client [[CREATE TABLE Item (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO Item VALUES (1, 'x'), (2, 'x')]]
      c.store:model("Item", { id = id(), a = t.string { unique = true }, b = t.string() })
      local ok, e = pcall(c.store.bind, c.store)
      assert.is_false(ok)
      assert.is_true(neap.is(e, "conflict"), tostring(e))
      assert.same({ "id", "a" }, c:columns "Item")
    end)
  end)

  it("lets two models share a table", function()
    c.store:model("Post", { id = id(), title = t.string() }, { table = "posts" })
    c.store:model("Summary", { id = id(), summary = t.string() }, { table = "posts" })
    c.store:bind()
    assert.same({ "id", "title", "summary" }, c:columns "posts")
  end)

  it("refuses a unique decimal without a scale", function()
    local ok, e = pcall(function()
      c.store:model("Item", { id = id(), price = t.decimal { unique = true } })
      c.store:bind()
    end)
    assert.is_false(ok)
    assert.truthy(tostring(e):find("scale", 1, true), tostring(e))
  end)

  it("refuses an integer that counts up and is not the whole key", function()
    for _, fields in ipairs {
      { { "id", id() }, { "number", t.integer { auto = true } } },
      { { "shop", t.integer { primary = true } }, { "number", id() } },
    } do
      c.store:model("Ticket", fields)
      local ok, e = pcall(c.store.bind, c.store)
      assert.is_false(ok)
      assert.equal("unsupported", e.kind, tostring(e))
      assert.truthy(e.message:find("Ticket.number", 1, true), e.message)
    end
  end)

  it("refuses a pointer to a key of several fields", function()
    c.store:model("Reply", { forum = t.string { primary = true }, at = t.integer { primary = true } })
    local Vote = c.store:model("Vote", { id = id(), reply = t.pointer "Reply" })
    for _, f in ipairs { function() c.store:bind() end, function() Vote { reply = 1 } end, function() Vote:include "reply" end } do
      local ok, e = pcall(f)
      assert.is_false(ok)
      assert.equal("unsupported", e.kind, tostring(e))
    end
  end)

  it("names the model that a pointer misses", function()
    c.store:model("Post", { id = id(), author = t.pointer "Author" })
    local ok, e = pcall(c.store.bind, c.store)
    assert.is_false(ok)
    assert.truthy(tostring(e):find("Author", 1, true), tostring(e))
  end)

  it("drops a table with all its rows", function()
    local User = c.store:model("User", { id = id() })
    c.store:bind()
    c.store:drop(User)
    c.store:drop(User)
    assert.same({}, c:tables())
  end)
end)
