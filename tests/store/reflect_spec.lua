-- neap.reflect makes models of tables that are there; `neap models` prints them as declarations that load again.
local contract = require "tests.store.contract"
local neap = require "neap"
local t = neap.types

--- What `neap models` prints.
local function printed(c, options, tables)
  local command = ("%s models %s '%s' %s 2>&1"):format(os.getenv "NEAP" or "bin/neap", options or "", c.url, tables or "")
  local pipe <close> = assert(io.popen(command))
  return pipe:read "a"
end

local opened = {}  -- the stores of a spec, beside c.store

local function open(options)
  opened[#opened + 1] = neap.open(options)
  return opened[#opened]
end

--- Declares them in a store of their own, where bind finds nothing to do.
local function load_printed(c, options)
  local store = open(c.url)
  local text = printed(c, options)
  local models = assert(load(text, "=models", "t"), text)()(store)
  assert.same({}, store:bind())
  return models
end

--- Both ways, bind finds what it has declared, and nothing to do. Gives the models, and what was left out as lines.
local function reflect(c, options)
  local models, left = neap.reflect(c.store, options)
  assert.same({}, c.store:bind())
  local loaded = options and {} or load_printed(c)
  for name in pairs(options and {} or models) do assert.is_truthy(loaded[name], name) end
  local lines = {}
  for i, out in ipairs(left) do
    lines[i] = ("%s%s: %s"):format(out.table, out.column and "." .. out.column or "", out.reason)
  end
  return models, lines
end

local function names_of(models)
  local names = {}
  for name in pairs(models) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- Runs statements of the spec, one a line or more, ended by semicolons.
local function run(c, text)
  for statement in text:gmatch "[^;]+" do
    if statement:find "%S" then c.store:sql(statement) end
  end
end

local function close_opened()
  for i, store in ipairs(opened) do store:close(); opened[i] = nil end
end

contract.sql("neap.reflect", function(c)
  after_each(close_opened)

  describe("of a blog", function()
    before_each(function()
      run(c, [[
        CREATE TABLE users (id integer PRIMARY KEY, name varchar(80) NOT NULL, email varchar(80) UNIQUE);
        CREATE TABLE profiles (user_id integer PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE, bio text);
        CREATE TABLE blog_posts (id integer PRIMARY KEY, author_id integer NOT NULL REFERENCES users (id),
          editor_id integer REFERENCES users (id) ON DELETE SET NULL, title varchar(200) NOT NULL DEFAULT 'it''s new',
          views integer NOT NULL DEFAULT 0);
        CREATE INDEX posts_by_title ON blog_posts (title, views);
        CREATE TABLE comments (id integer PRIMARY KEY, post integer REFERENCES blog_posts (id), parent_id integer
          REFERENCES comments (id));
        CREATE TABLE tags (id integer PRIMARY KEY, name varchar(20) NOT NULL);
        CREATE TABLE post_tags (post_id integer REFERENCES blog_posts (id), tag_id integer REFERENCES tags (id),
          PRIMARY KEY (post_id, tag_id));
        INSERT INTO users (id, name) VALUES (1, 'Ada'), (2, 'Ben');
        INSERT INTO profiles VALUES (1, 'counts');
        INSERT INTO blog_posts (id, author_id, editor_id) VALUES (1, 1, 2), (2, 1, NULL);
        INSERT INTO tags VALUES (1, 'sea'), (2, 'sky');
        INSERT INTO post_tags VALUES (1, 1), (1, 2), (2, 2);
        INSERT INTO comments VALUES (1, 1, NULL), (2, 1, 1)]])
    end)

    it("gives a model a table, with fields in the order of the columns", function()
      local models = reflect(c)
      assert.same({ "BlogPosts", "Comments", "PostTags", "Profiles", "Tags", "Users" }, names_of(models))
      assert.equal(models.Users, c.store:model "Users")
      local fields = {}
      for name in pairs(models.BlogPosts:get(1)) do fields[#fields + 1] = name end
      assert.same({ "id", "author_id", "editor_id", "title", "views" }, fields)
    end)

    it("makes pointers of references, and relations of who points back", function()
      local models = reflect(c)
      local post = models.BlogPosts:get(1)
      assert.equal("Ada", post.author.name)
      assert.equal("Ben", post.editor.name)
      assert.equal(2, models.Users:get(1).blog_posts_by_author:count())
      assert.equal(1, models.Users:get(2).blog_posts_by_editor:count())
      assert.equal("counts", models.Users:get(1).profiles.bio)
      assert.equal(2, models.BlogPosts:where { comments__id = 2 }:one().comments:count())
      assert.equal(2, models.Comments:get(1).comments:one().id)
    end)

    it("ties the two sides of a link table", function()
      local models = reflect(c)
      assert.same({ "sea", "sky" }, models.BlogPosts:get(1).tags:order "name":pluck "name")
      assert.equal(2, models.Tags:get(2).blog_posts:count())
      models.BlogPosts:get(2).tags:add(1)
      assert.same({ "2" }, c:client "SELECT count(*) FROM post_tags WHERE tag_id = 1")
    end)

    it("gives new objects the defaults of the table", function()
      local models = reflect(c)
      local post = models.BlogPosts { id = 3, author = 1 }
      assert.equal("it's new", post.title)
      assert.equal(0, post.views)
      post:save()
      assert.same({ "it's new" }, c:client "SELECT title FROM blog_posts WHERE id = 3")
    end)

    it("prints what a person would have declared", function()
      local text = printed(c)
      assert.matches('models.BlogPosts = store:model("BlogPosts", {', text, 1, true)
      assert.matches('author         = t.pointer("Users", { required = true })', text, 1, true)
      assert.matches('default = "it\'s new"', text, 1, true)
      assert.matches('by_title_views = t.index { "title", "views" }', text, 1, true)
      assert.matches('tags           = t.many_to_many("Tags", { through = "PostTags" })', text, 1, true)
      assert.matches('}, { table = "blog_posts" })', text, 1, true)
    end)

    it("takes some tables only, whose references to others stay columns", function()
      local models, left = reflect(c, { only = { "blog_posts" } })
      assert.same({ "BlogPosts" }, names_of(models))
      assert.equal(1, models.BlogPosts:get(1).author_id)
      assert.same({
        "blog_posts.author_id: it refers to users, which has no model: no pointer",
        "blog_posts.editor_id: it refers to users, which has no model: no pointer",
      }, left)
      assert.matches("no table nobody", printed(c, "", "nobody"))
    end)

    it("leaves models alone that are declared, and lets others point to them", function()
      local User = c.store:model("User", {
        key = t.integer { primary = true, column = "id" }, name = t.string { required = true },
      }, { table = "users" })
      local models = neap.reflect(c.store)
      assert.equal(User, models.User)
      assert.is_nil(models.Users)
      assert.equal(1, models.BlogPosts:get(1).author.key)
      assert.same({}, c.store:bind())
    end)

    it("knows tables under a template", function()
      local store = open { url = c.url, table_template = "{table}s" }
      local models = neap.reflect(store, { only = { "user", "tag" } })
      assert.same({ "Tag", "User" }, names_of(models))
      assert.equal("Ada", models.User:get(1).name)
      assert.same({}, store:bind())
    end)
  end)

  it("takes keys of several columns, in the order of the key", function()
    run(c, [[
      CREATE TABLE forums (id integer PRIMARY KEY);
      CREATE TABLE threads (nr integer NOT NULL, forum_id integer NOT NULL REFERENCES forums (id), title varchar(20),
        PRIMARY KEY (forum_id, nr));
      CREATE TABLE answers (id integer PRIMARY KEY, forum integer, thread integer,
        FOREIGN KEY (forum, thread) REFERENCES threads (forum_id, nr));
      INSERT INTO forums VALUES (7);
      INSERT INTO threads VALUES (1, 7, 'first')]])
    local models, left = reflect(c)
    assert.equal("first", models.Threads:get({ forum = 7, nr = 1 }).title)
    assert.equal(1, models.Forums:get(7).threads:count())
    assert.same({
      "answers.forum: a reference of several columns: no pointer",
      "answers.thread: a reference of several columns: no pointer",
    }, left)
  end)

  it("takes a unique index as the key of a table without one, and leaves out what has none", function()
    run(c, [[
      CREATE TABLE days (day varchar(10) NOT NULL UNIQUE, note text);
      CREATE TABLE lines (line text);
      CREATE TABLE wide (a integer, b integer, c integer, d integer, e integer, PRIMARY KEY (a, b, c, d, e));
      INSERT INTO days VALUES ('monday', 'x')]])
    local models, left = reflect(c)
    assert.equal("x", models.Days:get("monday").note)
    assert.same({ "Days" }, names_of(models))
    assert.same({
      "lines: a table with no key; name one with keys =",
      "wide: a table with a key of more than 4 columns",
    }, left)
  end)

  it("reads views, whose key is id or is given", function()
    run(c, [[
      CREATE TABLE sales (id integer PRIMARY KEY, customer varchar(20), total double precision);
      INSERT INTO sales VALUES (1, 'Ada', 2.5), (2, 'Ben', 4), (3, 'Ada', 1);
      CREATE VIEW big_sales AS SELECT * FROM sales WHERE total > 2;
      CREATE VIEW by_customer AS SELECT customer, sum(total) AS total, count(*) AS n FROM sales GROUP BY customer]])
    local models, left = reflect(c)
    assert.equal(2, models.BigSales:count())
    assert.same({ "by_customer: a view with no key; name one with keys =" }, left)
    local loaded = load_printed(c, "--keys by_customer=customer")
    local ada = loaded.ByCustomer:get "Ada"
    assert.equal(3.5, ada.total)
    assert.equal(2, ada.n)
  end)

  it("says that a view is gone, or has become something else", function()
    local View = { id = t.integer { primary = true }, name = t.string() }
    c.store:model("Gone", View, { view = true })
    c.store:sql "CREATE TABLE solid (id integer PRIMARY KEY, name text)"
    c.store:model("Solid", View, { view = true, table = "solid" })
    c.store:sql "CREATE VIEW narrow AS SELECT id FROM solid"
    c.store:model("Narrow", View, { view = true, table = "narrow" })
    local _, e = neap.try(c.store.bind, c.store)
    local whats = {}
    for i, d in ipairs(e.errors) do whats[i] = d.model .. " " .. d.what .. " " .. d.actual end
    assert.same({ "Gone table Gone missing; a view is made by a migration", "Solid table solid a table",
      "Narrow column name missing" }, whats)
  end)

  it("changes names that Lua or neap would take for something else, and no others", function()
    run(c, [[
      CREATE TABLE "odd names" ("key" integer PRIMARY KEY, "end" integer, "save" integer, "a__b" integer, "a.b" integer,
        "a b" integer, "-x" integer, "größe" integer, "Author" integer REFERENCES "odd names" ("key"),
        "authorId" integer REFERENCES "odd names" ("key"));
      INSERT INTO "odd names" VALUES (1, 2, 3, 4, 5, 6, 7, 8, 1, 1)]])
    local models = reflect(c)
    local row = models.OddNames:get(1)
    assert.same({ 2, 3, 4, 5, 6, 7, 8 }, { row.end_, row.save_, row.a_b, row.a_b_, row["a b"], row.x, row["größe"] })
    assert.equal(1, row.Author.key)
    assert.equal(1, row.author.key)
    row.save_ = 30
    row:save()
    assert.same({ "30" }, c:client [[SELECT "save" FROM "odd names"]])
  end)

  it("gives models of one name, or a name of Lua's, names of their own", function()
    run(c, [[
      CREATE TABLE a_b (id integer PRIMARY KEY);
      CREATE TABLE "a b" (id integer PRIMARY KEY);
      CREATE TABLE "2024" (id integer PRIMARY KEY);
      CREATE TABLE "end" (id integer PRIMARY KEY, other integer REFERENCES "2024" (id))]])
    assert.same({ "2024", "AB", "AB2", "End" }, names_of((reflect(c))))
  end)

  it("takes whatever else a name may be", function()
    local names = { 'a"b', "c\nd", "e'f", "]] os", "g\\h", "i;j", "\27[2J", '"', "%s", "--x", "fields", "nil", " " }
    for i, name in ipairs(names) do
      local function quoted(text) return '"' .. text:gsub('"', '""') .. '"' end
      c.store:sql(("CREATE TABLE %s (id integer PRIMARY KEY, %s varchar(20) DEFAULT '%s')"):format(quoted(name),
        quoted(name .. i), name:gsub("'", "''")))
    end
    local models, left = reflect(c)
    assert.same({}, left)
    local count = 0
    for name, model in pairs(models) do
      local new = model { id = 1 }:save()
      assert.equal(new, model:get(1), name)
      count = count + 1
    end
    assert.equal(#names, count)
  end)

  it("knows its own tables again", function()
    c.store:model("User", { id = t.integer { primary = true, auto = true }, email = t.string { unique = true, max = 80 } })
    c.store:model("Post", {
      id = t.uuid { primary = true, auto = true },
      author = t.pointer("User", { index = true, required = true, on_delete = "cascade" }),
      title = t.string { required = true, default = "new" }, price = t.decimal { scale = 2 }, at = t.datetime(),
      day = t.date(), open = t.boolean { default = true }, data = t.json(), blob = t.bytes(), ratio = t.number(),
      words = t.list(t.string()), counts = t.list(t.integer()), any = t.list(), place = t.geopoint(),
      newest = t.index { "author", "-at" }, one = t.unique { "title", "day" },
      early = t.index { "at", where = { title = "new" } },
    })
    c.store:bind()
    local loaded = load_printed(c)
    local user = loaded.User { email = "a@b.c" }:save()
    local post = loaded.Post { id = "5f0c1b3a-93e0-4c1e-8e4f-7c1f3c0f9a10", author = user, data = { a = { 1 } } }:save()
    assert.same({ "new" }, c:client "SELECT title FROM Post")
    assert.equal(1, loaded.Post:get(post.id).data.a[1])
  end)

  it("leaves out the tables of migrations", function()
    run(c, [[CREATE TABLE neap_migrations (version integer PRIMARY KEY); CREATE TABLE x (id integer PRIMARY KEY)]])
    assert.same({ "X" }, names_of((reflect(c))))
  end)

  it("reflects the Chinook data", function()
    local source = assert(loadfile "scripts/chinook_models.lua")()
    source(c.store)
    c.store:bind()
    local loaded = load_printed(c)
    local artist = loaded.Artists { id = 1, name = "Bach" }:save()
    loaded.Albums { id = 1, title = "Fugues", artist = artist }:save()
    assert.equal("Bach", loaded.Albums:first().artist.name)
    assert.equal(1, artist.albums:count())
  end)

  it("refuses options that it does not know, and keys that are no columns", function()
    c.store:sql "CREATE TABLE x (a integer)"
    assert.has_error(function() neap.reflect(c.store, { tables = {} }) end)
    local _, e = neap.try(neap.reflect, c.store, { keys = { x = "nope" } })
    assert.equal("usage", e.kind)
    assert.matches("x has no column nope", e.message)
  end)
end)

contract.only("sqlite", "neap.reflect", function(c)
  after_each(close_opened)

  it("takes columns by what SQLite makes of them", function()
    run(c, [[
      CREATE TABLE things (id INTEGER PRIMARY KEY AUTOINCREMENT, a VARCHAR(20), b DATETIME, c DATE, d BOOLEAN,
        e DECIMAL(10,2), f BLOB, g REAL, h BIGINT, i STRING, j JSON, k TIME, l, m INT NOT NULL DEFAULT (1 + 1),
        n TEXT DEFAULT CURRENT_TIMESTAMP, o DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, p INTEGER DEFAULT -3,
        q TEXT CHECK ("q" IS NULL OR json_valid("q")), r POINT, s INTEGER GENERATED ALWAYS AS (p * 2) STORED);
      INSERT INTO things (a, b, c, d, e, f, g, h, i, j, k, l, q, r) VALUES ('x', '2020-01-02 03:04:05', '2020-01-02', 1,
        1.5, x'00ff', 2.5, 9007199254740993, 'text', '{"a":1}', '12:30:00', 'loose', '[1]', '(1,2)')]])
    local models = reflect(c)
    local row = models.Things:get(1)
    assert.equal("2020-01-02T03:04:05.000000+00:00", tostring(row.b))
    assert.equal("2020-01-02", tostring(row.c))
    assert.is_true(row.d)
    assert.equal(1.5, row.e)
    assert.equal(9007199254740993, row.h)
    assert.equal("text", row.i)
    assert.equal(1, row.j.a)
    assert.equal("12:30:00", row.k)
    assert.equal("loose", row.l)
    assert.equal(2, row.m)
    assert.equal(1, row.q[1])
    assert.equal("(1,2)", row.r)
    assert.equal(-6, row.s)
    local new = models.Things { i = "other", l = "any" }:save()
    assert.equal(2, new:reload().m)
    assert.is_truthy(new.o)
    assert.same({ "text|12:30:00", "other|" }, c:client "SELECT i, k FROM things")
  end)

  it("leaves out types that are no names", function()
    run(c, [[
      CREATE TABLE odd (id INTEGER PRIMARY KEY, a "x' --", b TEXT);
      CREATE TABLE odder (id "it's" PRIMARY KEY, a TEXT)]])
    local models, left = reflect(c)
    assert.same({ "Odd" }, names_of(models))
    assert.same({
      "odd.a: its type has no name that a declaration takes",
      "odder: its key is left out",
      "odder.id: its type has no name that a declaration takes",
    }, left)
  end)

  it("leaves out virtual tables, and views that name what is gone", function()
    run(c, [[
      CREATE VIRTUAL TABLE notes USING fts5(body);
      CREATE TABLE base (id INTEGER PRIMARY KEY);
      CREATE VIEW dangling AS SELECT * FROM base;
      CREATE TABLE words (word TEXT PRIMARY KEY) WITHOUT ROWID;
      DROP TABLE base]])
    local models, left = reflect(c)
    assert.same({ "Words" }, names_of(models))
    assert.matches("^dangling: .*base", left[1])
    assert.matches("^notes: a virtual table", left[2])
  end)
end)

contract.only("postgres", "neap.reflect", function(c)
  after_each(close_opened)

  it("takes PostgreSQL's own types, those of the database's as text", function()
    run(c, [[
      CREATE TYPE mood AS ENUM ('sad', 'ok');
      CREATE TYPE pair AS (a integer, b integer);
      CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
      CREATE DOMAIN email AS varchar(80);
      CREATE TABLE things (id bigserial PRIMARY KEY, a varchar(20), b timestamp(3), c timestamptz,
        d numeric(10,2), e numeric, f mood DEFAULT 'ok' NOT NULL, g mood[], h positive, i email, j json, k jsonb DEFAULT '{}',
        l integer[], m varchar(5)[], n numeric[], o inet, p interval, q time, r money, s pair, t bytea,
        u uuid DEFAULT gen_random_uuid() NOT NULL, v double precision, w smallint, x char(3), y date DEFAULT CURRENT_DATE,
        z text GENERATED ALWAYS AS (upper(a)) STORED)]])
    local models = reflect(c)
    local values = {
      a = "x", b = "2020-01-02T03:04:05Z", c = "2020-01-02T03:04:05Z", d = "1.50", e = "2.125", f = "sad", g = "{ok,sad}",
      h = 3, i = "a@b.c", j = { a = 1 }, l = { 1, 2 }, m = { "p" }, o = "10.0.0.0/8", p = "1 day", q = "12:30:00",
      r = "$1.00", s = "(1,2)", t = "\0\1", v = 2.5, w = 4, x = "abc", y = "2020-01-02",
    }
    local row = models.Things(values):save():reload()
    for name, value in pairs { a = "x", f = "sad", g = "{ok,sad}", h = 3, i = "a@b.c", p = "1 day", q = "12:30:00", s = "(1,2)",
      z = "X" } do
      assert.equal(value, row[name], name)
    end
    assert.equal(2, row.l[2])
    assert.equal("p", row.m[1])
    assert.equal(36, #row.u)
    c.store:save { models.Things(values), models.Things(values) }
    assert.equal(3, models.Things:where { f = "sad", l__has = 2, f__in = { "sad", "ok" }, h__in = { 3 } }:count())
    assert.equal(3, models.Things:where { j__a = 1 }:where("j", { a = 1 }):where { j__in = { { a = 1 } } }:count())
    row:set("j.b", 2)
    row.j = { c = 3 }
    row:save { atomic = true }
    assert.equal(1, models.Things:where { j = { c = 3 } }:update { j = { d = 4 } })
    assert.same({ "4" }, c:client "SELECT j ->> 'd' FROM things WHERE id = 1")
    local new = models.Things {}:save()
    assert.equal("ok", new.f)
    assert.has_error(function() new.f = "furious" end)
    c.store:sql "UPDATE things SET n = '{1.5}' WHERE id = 1"
    assert.equal("1.5", tostring(models.Things:get(1).n[1]))
  end)

  it("never cuts a value to the length of its type", function()
    run(c, "CREATE TABLE short (id integer PRIMARY KEY, bits bit(3), more bit varying(4), words varchar(3)[], at time(0))")
    local Short = reflect(c).Short
    Short { id = 1, bits = "101", more = "1", words = { "abc" }, at = "12:30:00" }:save()
    local function refuses(fields)
      for i, save in ipairs {
        function(row) row:save() end,
        function(row) c.store:save { row, Short { id = row.id + 1 } } end,
        function() Short:where { id = 1 }:update(fields) end,
      } do
        fields.id = i < 3 and i * 10 or nil
        local _, e = neap.try(save, Short(fields))
        assert.is_truthy(e and (e.kind == "validation" or e.kind == "batch"), tostring(e))
      end
    end
    refuses { bits = "1010" }
    refuses { more = "10101" }
    refuses { words = { "abcd" } }
    assert.equal("101", Short:where { bits = "101", bits__in = { "101", "1011" }, words__has = "abc" }:one().bits)
    assert.equal(0, Short:where { bits = "1011" }:count())
  end)

  it("finds tables in other schemas, partitioned ones, materialized views and identity columns", function()
    run(c, [[
      CREATE SCHEMA shop;
      CREATE TABLE shop.orders (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, total numeric(10,2));
      CREATE TABLE shop.items (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, order_id integer NOT NULL
        REFERENCES shop.orders (id) ON DELETE CASCADE);
      CREATE TABLE logs (id bigint NOT NULL, day date NOT NULL, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
      CREATE TABLE logs_2024 PARTITION OF logs FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
      CREATE MATERIALIZED VIEW totals AS SELECT 1 AS n, 2 AS total;
      CREATE UNIQUE INDEX totals_n ON totals (n)]])
    local models, left = reflect(c)
    assert.same({ "Logs", "ShopItems", "ShopOrders" }, names_of(models))
    assert.same({ "totals: a materialized view with no key; name one with keys =" }, left)
    local order = models.ShopOrders { total = "9.50" }:save()
    models.ShopItems { order = order }:save()
    assert.equal(1, order.items:count())
    assert.equal(1, neap.reflect(c.store, { only = { "totals" }, keys = { totals = "n" } }).Totals:count())
  end)

  it("leaves out one of two names that differ in case only", function()
    run(c, [[
      CREATE TABLE twins (id integer PRIMARY KEY, "Name" text, name text);
      CREATE TABLE "Twins" (id integer PRIMARY KEY)]])
    local _, left = reflect(c)
    assert.same({ "twins: its name and Twins are one in neap" }, left)
    c.store:sql 'DROP TABLE "Twins"'
    left = select(2, neap.reflect(open(c.url)))
    assert.equal("name", left[1].column)
  end)
end)
