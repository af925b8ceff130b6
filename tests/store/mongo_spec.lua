-- Query Objects: what comes from outside, as tables or JSON text, within what settings allow.
local contract = require "tests.store.contract"
local mongo = require "neap.mongo"
local neap = require "neap"
local shop = require "tests.store.shop"

contract.each("Query Objects", function(c)
  local m

  before_each(function() m = shop.fill(c.store, shop.declare(c.store)) end)

  local function run(class, object, settings) return mongo.query(class, settings):query(object):run() end

  --- The keys of what comes back, in order.
  local function ids(class, object, settings)
    local list = {}
    for i, row in ipairs(run(class, object, settings)) do list[i] = row.id end
    return list
  end

  --- The faults of a Query Object: { pointer = message }, and the error.
  local function faults(class, object, settings)
    local e = select(2, neap.try(run, class, object, settings))
    assert.is_truthy(e, "no fault")
    local by_pointer = {}
    for _, fault in ipairs(e.errors or {}) do by_pointer[fault.pointer] = fault.message end
    return by_pointer, e
  end

  describe("give", function()
    it("plain tables of what was projected, NULL as neap.null", function()
      assert.same({ { title = "Wind", author_id = neap.null } },
        run(m.Post, { project = { "title", "author_id" }, filter = { id = 5 } }))
    end)

    it("everything if nothing is asked for", function()
      assert.equal(5, #run(m.Post, nil))
      assert.same({ id = 1, name = "Ada", age = 36 }, run(m.Author, '{"filter":{"id":1}}')[1])
    end)

    it("JSON text with the fields in declared order", function()
      assert.equal('[{"id":1,"name":"Ada"},{"id":2,"name":"Bob"},{"id":3,"name":"Cy"}]',
        mongo.query(m.Author):query { project = "name id", sort = "id" }:json())
      assert.equal("[]", mongo.query(m.Author):query { filter = { id = 9 } }:json())
      assert.equal('{"key":3}', mongo.query(m.Post):query { filter = { id = 1 }, project = "data" }:json():match '"data":(.*)}%]')
    end)

    it("the same in a table and in text", function()
      local object = '{"filter":{"views":{"$gte":10}},"sort":["views-","id"],"project":{"price":0},"join":["author","comments","tags"]}'
      local a = mongo.query(m.Post):query(object)
      assert.equal(neap.json.encode(neap.json.decode(a:json())), neap.json.encode(a:run()))
    end)

    it("objects", function()
      local posts = mongo.query(m.Post):query { filter = { id = 1 }, project = "title" }:objects()
      assert.equal("Tides", posts[1].title)
      assert.has_error(function() return posts[1].views end)
    end)

    it("the number of rows, whatever else is asked", function()
      assert.equal(3, run(m.Post, { count = true, filter = { views = { ["$gte"] = 20 } }, limit = 1, sort = "nothing" }))
      assert.equal("5", mongo.query(m.Post, { max_items = 2 }):query { count = 1 }:json())
      assert.equal(5, #run(m.Post, { count = 0 }))
    end)

    it("only what the base query gives", function()
      local object = mongo.query(m.Post):from(m.Post:where { views__gte = 20 }):query { sort = "id", filter = { author_id = 2 } }
      assert.same({ 3, 4 }, shop.list(object:run(), "id"))
    end)
  end)

  describe("sort", function()
    it("by names with + and -, in a list, a text or an object of one", function()
      assert.same({ 2, 3, 4, 1, 5 }, ids(m.Post, { sort = { "views-", "id+" } }))
      assert.same({ 2, 4, 3, 1, 5 }, ids(m.Post, { sort = "views- id-" }))
      assert.same({ 5, 4, 3, 2, 1 }, ids(m.Post, { sort = { id = -1 } }))
    end)

    it("keep the place of the first of two names and the direction of the last", function()
      assert.same({ 1, 3, 2 }, ids(m.Author, { sort = { "age", "id-", "age-" } }))
    end)

    it("put what is absent last, and end with the key", function()
      assert.same({ 1, 5, 2, 3, 4 }, ids(m.Post, { sort = "at", limit = 10 }))
      assert.same({ 2, 1, 5, 3, 4 }, ids(m.Post, { sort = "at-", limit = 10 }))
    end)

    it("by what has_one leads to", function()
      m.Profile:create { id = 2, author = 3, bio = "zips" }
      assert.same({ 3, 1, 2 }, ids(m.Author, { sort = "profile.bio-" }))
      assert.same({ { ["profile.bio"] = "counts" }, { ["profile.bio"] = "zips" }, { ["profile.bio"] = neap.null } },
        run(m.Author, { group = "profile.bio" }))
      assert.truthy(faults(m.Author, { sort = "posts.title" })["/sort"])
    end)

    it("by what a pointer leads to, and by places in JSON", function()
      assert.same({ 4, 3, 2, 1, 5 }, ids(m.Post, { sort = "author.name- id-" }))
      assert.same({ 3, 1 }, ids(m.Post, { sort = "data.key", limit = 2 }))
    end)

    it("skip and limit; nothing above zero is no limit", function()
      assert.same({ 3, 4 }, ids(m.Post, { sort = "id", skip = 2, limit = 2 }))
      assert.same({ 4, 5 }, ids(m.Post, { sort = "id", skip = 3 }))
      assert.equal(5, #run(m.Post, { limit = 0, skip = -1 }))
      assert.same({ 1, 2 }, ids(m.Post, { sort = "id", limit = 9 }, { max_items = 2 }))
    end)
  end)

  describe("project", function()
    local function fields(project, settings)
      local names = {}
      for name in pairs(run(m.Post, { project = project, limit = 1 }, settings)[1]) do names[#names + 1] = name end
      table.sort(names)
      return table.concat(names, " ")
    end

    it("includes", function()
      assert.equal("id title", fields "title id title")
      assert.equal("id title", fields { "title", "id" })
      assert.equal("id title", fields { title = 1, id = true })
    end)

    it("excludes", function() assert.equal("author_id id price", fields { title = 0, views = false, data = 0, at = 0 }) end)

    it("names every field, some in and some out", function()
      assert.equal("id", fields { id = 1, author_id = 0, title = 0, views = 0, price = 0, data = 0, at = 0 })
    end)

    it("gives empty objects if it is empty", function()
      for _, empty in ipairs { {}, "", 0, false } do assert.equal("", fields(empty)) end
      assert.equal("[{}]", mongo.query(m.Post):query { project = "", limit = 1 }:json())
    end)

    it("joins the relations that it names", function()
      assert.equal("author", fields "author")
      assert.equal("at author_id comments data id price title views", fields(neap.null, { force_include = { "comments" } }))
      assert.same({ { title = "Tides", author = { name = "Ada" } } },
        run(m.Post, { filter = { id = 1 }, project = { title = 1, author = { project = "name" } } }))
    end)

    it("counts what a relation to many leads to, at any level", function()
      assert.same({ { title = "Tides", ["comments.count"] = 2 }, { title = "Wind", ["comments.count"] = 0 } },
        run(m.Post, { project = { "title", "comments.count" }, filter = { id = { ["$in"] = { 1, 5 } } }, sort = "id" }))
      assert.equal('[{"name":"Ada","posts.count":2,"posts":[{"id":1,"comments.count":2},{"id":2,"comments.count":1}]}]',
        mongo.query(m.Author):query { filter = { id = 1 }, project = "posts.count name",
          join = { posts = { project = "id comments.count", sort = "id" } } }:json())
      assert.same({ ["posts.count"] = 1 }, mongo.query(m.Author):query { project = "posts.count" }:projection_tree())
      assert.same({ { ["posts.count"] = 2 } }, run(m.Author, { limit = 1, sort = "id" }, { default_projection = "posts.count" }))
      local hidden = { related = { posts = { force_filter = { id = 1 } } } }
      assert.equal("forbidden", select(2, faults(m.Author, { project = "posts.count" }, hidden)).kind)
      assert.equal("forbidden", select(2, faults(m.Author, { project = "posts.count" }, { banned_relations = "posts" })).kind)
      assert.truthy(faults(m.Author, { project = { "profile.count" } })["/project/0"])
    end)

    it("takes a join away by 0", function()
      assert.is_nil(run(m.Post, { join = "comments", project = { comments = 0 } })[1].comments)
      assert.equal("at author_id data id price title views", fields { comments = 0 })
    end)
  end)

  describe("join", function()
    it("nests objects and lists", function()
      local object = { filter = { id = 1 }, project = { "title" },
        join = { author = { project = "name" }, comments = { project = { "text" }, sort = "id", join = "user" } } }
      local post = run(m.Post, object)[1]
      assert.same({ name = "Ada" }, post.author)
      assert.equal("ah", post.comments[1].text)
      assert.equal("Bob", post.comments[1].user.name)
      assert.equal("Tides", post.title)
    end)

    it("never removes a row: null where nothing is, an empty list where none are", function()
      local posts = run(m.Post, { sort = "id", join = "author comments tags" })
      assert.equal(neap.null, posts[5].author)
      assert.same({}, posts[5].comments)
      assert.equal(neap.null, run(m.Author, { filter = { id = 2 }, join = { "profile" } })[1].profile)
      assert.equal("[]", mongo.query(m.Post):query { filter = { id = 5 }, project = "tags" }:json():match '"tags":(.*)}%]')
    end)
  end)

  describe("join with a Query Object of its own", function()
    local function joined(object, relation, class)
      local result = {}
      for i, row in ipairs(run(class or m.Post, object)) do
        result[i] = row[relation] == neap.null and "null" or row[relation].id or shop.list(row[relation], "id")
      end
      return result
    end

    it("filters and sorts what is joined, and takes no row away", function()
      assert.same({ { 1 }, { 3 }, {}, {}, {} },
        joined({ sort = "id", join = { comments = { filter = { user_id = 2 } } } }, "comments"))
      assert.same({ { 2, 1 }, { 3 }, { 4 }, {}, {} }, joined({ sort = "id", join = { comments = { sort = "id-" } } }, "comments"))
      assert.same({ 1, 1, "null", "null", "null" },
        joined({ sort = "id", join = { author = { filter = { name = "Ada" }, sort = "name-", limit = 3 } } }, "author"))
    end)

    it("is one with what the projection says of the relation", function()
      local rows = run(m.Post, { project = { id = 1, comments = { filter = { user_id = 2 }, project = "id", sort = "id" } },
        join = { comments = { filter = { text = { ["$ne"] = "well" } }, project = "text", sort = "id-" } }, sort = "id" })
      assert.same({ { id = 1, text = "ah" } }, rows[1].comments)
      assert.same({}, rows[2].comments)
      local by_pointer = faults(m.Post, { project = { comments = { limit = 1 } }, join = { comments = { sort = "id" } } })
      assert.truthy(by_pointer["/project/comments/limit"])
      by_pointer = faults(m.Post, { joinf = { comments = { filter = { id = 1 } } }, join = { comments = { sort = "id" } } })
      assert.truthy(by_pointer["/join/comments"])
    end)

    it("cuts for each row", function()
      assert.same({ { 2 }, { 3 }, { 4 }, {}, {} },
        joined({ sort = "id", join = { comments = { sort = "id-", limit = 1 } } }, "comments"))
      assert.same({ { 2 }, {}, {}, {}, {} }, joined({ sort = "id", join = { comments = { sort = "id", skip = 1 } } }, "comments"))
      assert.same({ { 2 }, { 2 }, {}, {}, {} },
        joined({ sort = "id", join = { tags = { sort = "name-", limit = 1 } } }, "tags"))
      local rows = run(m.Post, { sort = "id", join = "comments" }, { related = { comments = { max_items = 1 } } })
      assert.equal(1, #rows[1].comments)
    end)

    it("keeps two lists of one row apart", function()
      local rows = run(m.Comment, { sort = "id", join = { post = { join = { comments = { filter = { user_id = 2 } } } },
        user = { join = { posts = { sort = "id", join = { comments = { filter = { user_id = 3 } } } } } } } })
      assert.same({ 1 }, shop.list(rows[1].post.comments, "id"))
      assert.same({ 1 }, shop.list(rows[2].post.comments, "id"))
      assert.same({ 2 }, shop.list(rows[4].user.posts[1].comments, "id"))
    end)

    it("applies what the settings of the related model force", function()
      local settings = { related_models = { Comment = { force_filter = { text__ne = "ah" }, force_exclude = "user_id" } } }
      local row = run(m.Post, { filter = { id = 1 }, join = "comments" }, settings)[1]
      assert.same({ { id = 2, post_id = 1, text = "oh" } }, row.comments)
    end)
  end)

  describe("joinf", function()
    it("leaves out rows without a match, and gives what matches", function()
      assert.same({ 1, 2, 3 }, ids(m.Post, { sort = "id", joinf = { "comments" } }))
      local rows = run(m.Post, { sort = "id", joinf = { comments = { filter = { user_id = 2 } } } })
      assert.same({ 1, 2 }, shop.list(rows, "id"))
      assert.same({ 1 }, shop.list(rows[1].comments, "id"))
      assert.same({ 1, 2 }, ids(m.Post, { sort = "id", joinf = { author = { filter = { name = "Ada" } } } }))
    end)

    it("filters before pages are cut, and counts rows once", function()
      assert.same({ 2, 3 }, ids(m.Post, { sort = "id", joinf = "comments", skip = 1, limit = 2 }))
      assert.equal(3, run(m.Post, { joinf = "comments", count = true }))
      assert.same({ { n = 3 } }, run(m.Post, { joinf = "comments", aggregate = { n = { ["$count"] = true } } }))
      assert.equal(3, select(2, mongo.query(m.Post):query { joinf = "comments", limit = 1 }:total()))
    end)

    it("nests", function()
      assert.same({ 2 }, ids(m.Author, { sort = "id",
        joinf = { posts = { joinf = { comments = { filter = { user_id = 1 } } } } } }))
    end)

    it("takes no skip and limit", function()
      assert.truthy(faults(m.Post, { joinf = { comments = { limit = 1 } } })["/joinf/comments/limit"])
    end)
  end)

  describe("filter", function()
    local function filter(criteria, class) return ids(class or m.Post, { filter = criteria, sort = "id" }) end

    it("compares", function()
      assert.same({ 2 }, filter { views = 30 })
      assert.same({ 1, 2 }, filter { title = { ["$in"] = { "Moon", "Tides" } } })
      assert.same({ 3, 4 }, filter { views = { ["$gt"] = 10, ["$lt"] = 30 } })
      assert.same({ 3, 4 }, filter { views = { ["$between"] = { 15, 25 } } })
      assert.same({ 1, 5 }, filter { views = { ["$not"] = { ["$gte"] = 20 } } })
      assert.same({ 3, 4 }, filter { title = { ["$prefix"] = "S" } })
      assert.same({ 3, 4 }, filter { title = { ["$iprefix"] = "s" } })
      assert.same({ 1, 2, 5 }, filter { at = { ["$exists"] = true } })
    end)

    it("reads operands by the type of their column", function()
      assert.same({ 2 }, filter { id = "2" })
      assert.same({ 2 }, filter { price = 2.2 })
      assert.same({ 1, 5 }, filter { at = "2024-05-01T10:00:00Z" })
    end)

    it("counts null as absent", function()
      assert.same({ 5 }, filter { author_id = neap.null })
      assert.same({ 3, 4, 5 }, filter { author_id = { ["$ne"] = 1 } })
      assert.same({ 1, 2, 5 }, filter { author_id = { ["$in"] = { 1, neap.null } } })
    end)

    it("combines with $and $or $nor $not, two-valued", function()
      assert.same({ 1, 2 }, filter { ["$or"] = { { id = 1 }, { title = "Moon" } } })
      assert.same({ 3, 4, 5 }, filter { ["$not"] = { author_id = 1 } })
      assert.same({ 5 }, filter { ["$nor"] = { { author_id = 1 }, { author_id = 2 } } })
      assert.same({ 1 }, filter { ["$and"] = { { author_id = 1 }, { views = 10 } } })
      assert.equal(5, #filter { ["$and"] = {} })
      assert.equal(0, #filter { ["$or"] = {} })
      assert.equal(5, #filter { ["$nor"] = {} })
    end)

    it("looks into JSON; another type is no match", function()
      assert.same({ 1 }, filter { ["data.key"] = { ["$gte"] = 2 } })
      assert.same({}, filter { ["data.key"] = "3" })
      assert.same({ 1, 3 }, filter { ["data.key"] = { ["$exists"] = 1 } })
      assert.same({ 1 }, filter { data = { ["$eq"] = { key = 3 } } })
    end)

    it("asks for one element of a list that meets all criteria", function()
      m.Post:create { id = 6, title = "Salt", data = { items = { { qty = 5, name = "a" }, { qty = 1, name = "b" } }, n = { 70, 82, 90 } } }
      m.Post:create { id = 7, title = "Rock", data = { items = { { qty = 5, name = "b" } }, n = { 70, 90, "x" } } }
      assert.same({ 6 }, filter { ["data.n"] = { ["$elemMatch"] = { ["$gte"] = 80, ["$lt"] = 85 } } })
      assert.same({ 1, 2, 3, 4, 5, 7 }, filter { ["data.n"] = { ["$not"] = { ["$elemMatch"] = { ["$gte"] = 80, ["$lt"] = 85 } } } })
      assert.same({ 7 }, filter { ["data.items"] = { ["$elemMatch"] = { qty = { ["$gt"] = 2 }, name = "b" } } })
      assert.same({ 6 }, filter { ["data.items"] = { ["$elemMatch"] = { ["$or"] = { { name = "x" }, { qty = { ["$lt"] = 2 } } } } } })
      assert.same({ 6, 7 }, filter { ["data.items"] = { ["$elemMatch"] = {} } })
      assert.same({ 7 }, filter { ["data.n"] = { ["$elemMatch"] = { ["$prefix"] = "x" } } })
      assert.same({}, filter { ["data.items"] = { ["$elemMatch"] = { ["$elemMatch"] = { ["$eq"] = 5 } } } })
      assert.truthy(faults(m.Post, { filter = { title = { ["$elemMatch"] = { ["$eq"] = 1 } } } })["/filter/title/$elemMatch"])
      assert.truthy(faults(m.Post, { filter = { data = { ["$elemMatch"] = 5 } } })["/filter/data/$elemMatch"])
      assert.truthy(faults(m.Post, { filter = { data = { ["$elemMatch"] = { a = { ["$x"] = 5 } } } } })["/filter/data/$elemMatch/a/$x"])
      assert.truthy(faults(m.Post, { filter = { data = { ["$elemMatch"] = { ["a..b"] = 1 } } } })["/filter/data/$elemMatch/a..b"])
    end)

    it("asks related rows: keys of one relation in one object mean one row", function()
      assert.same({ 1, 2 }, filter { ["author.name"] = "Ada" })
      assert.same({}, filter({ ["posts.views"] = 30, ["posts.title"] = "Tides" }, m.Author))
      assert.same({ 1 }, filter({ ["$and"] = { { ["posts.views"] = 30 }, { ["posts.title"] = "Tides" } } }, m.Author))
      assert.same({ 1, 2 }, filter({ ["$or"] = { { ["posts.views"] = 30 }, { ["posts.title"] = "Sand" } } }, m.Author))
      assert.same({ 2 }, filter({ ["posts.comments.user.name"] = "Ada" }, m.Author))
      assert.same({ 1 }, filter { ["tags.name"] = "sea" })
    end)

    it("counts related rows", function()
      assert.same({ 1 }, filter { ["comments.count"] = { ["$gte"] = 2 } })
      assert.same({ 2, 3 }, filter { comments = { ["$count"] = 1 } })
      assert.same({ 4, 5 }, filter { comments = { ["$count"] = { ["$lt"] = 1 } } })
      assert.same({ 1, 2, 3, 4, 5 }, ids(m.Post, { sort = "comments.count- id" }))
      assert.same({ { ["comments.count"] = 2 }, { ["comments.count"] = 1 }, { ["comments.count"] = 0 } },
        run(m.Post, { group = "comments.count", sort = "comments.count-" }))
      local hidden = { related = { comments = { force_filter = { text__ne = "ah" } } } }
      assert.same({ 1, 2, 3 }, ids(m.Post, { filter = { ["comments.count"] = 1 }, sort = "id" }, hidden))
      assert.equal("forbidden", select(2, faults(m.Post, { sort = "comments.count" }, hidden)).kind)
      assert.equal("forbidden", select(2, faults(m.Post, { sort = "comments.count" }, { banned_relations = "comments" })).kind)
      assert.truthy(faults(m.Post, { filter = { author = { ["$count"] = 1 } } })["/filter/author/$count"])
    end)

    it("quantifies", function()
      assert.same({ 3 }, filter({ posts = { ["$exists"] = false } }, m.Author))
      assert.same({ 3 }, filter({ posts = neap.null }, m.Author))
      assert.same({ 1 }, filter({ posts = { ["$some"] = { views = 10 } } }, m.Author))
      assert.same({ 2, 3 }, filter({ posts = { ["$every"] = { views = 20 } } }, m.Author))
      assert.same({ 1, 3 }, filter({ posts = { ["$none"] = { views = 20 } } }, m.Author))
    end)
  end)

  describe("aggregate and group", function()
    local open = { aggregate_columns = { "views", "price", "author_id", "data" }, aggregate_labels = true }

    it("give numbers, in a list of one", function()
      assert.same({ { n = 5, low = 0, high = 30, all = 80, some = 3, twice = 10 } }, run(m.Post, { aggregate = {
        n = { ["$count"] = true }, low = { ["$min"] = "views" }, high = { ["$max"] = "views" }, all = { ["$sum"] = "views" },
        some = { ["$sum"] = { views = { ["$gte"] = 20 } } }, twice = { ["$sum"] = 2 },
      } }, open))
      assert.same({ { n = 0, high = neap.null } },
        run(m.Post, { filter = { id = 9 }, aggregate = { n = { ["$sum"] = { views = 1 } }, high = { ["$max"] = "views" } } }, open))
      assert.same({ { old = neap.null, n = 5 } }, run(m.Post, { aggregate = { old = { ["$sum"] = "old" }, n = { ["$count"] = 1 } } },
        { legacy_fields = "old" }))
      assert.same({ { old = neap.null } }, run(m.Post, { aggregate = { old = { ["$max"] = "old.x" } } }, { legacy_fields = "old" }))
      assert.equal('[{"k":2.0}]', mongo.query(m.Post, open):query { aggregate = { k = { ["$avg"] = "data.key" } } }:json())
    end)

    it("give groups, which sort by what they are grouped by and by labels", function()
      local object = { group = { "author_id" }, aggregate = { ["-n"] = { ["$sum"] = "views" } }, sort = { "-n-", "author_id-" } }
      assert.same({ { author_id = 2, ["-n"] = 40 }, { author_id = 1, ["-n"] = 40 }, { author_id = neap.null, ["-n"] = 0 } },
        run(m.Post, object, open))
      assert.same({ { views = 30 }, { views = 20 } }, run(m.Post, { group = "views-", limit = 2 }))
      assert.same({ { views = 0 }, { views = 10 } }, run(m.Post, { group = "views-", sort = "views", limit = 2 }))
      assert.same({ { ["author.name"] = "Ada", who = "Ada" } },
        run(m.Post, { group = "author.name", aggregate = { who = "author.name" }, filter = { id = 1 } },
          { related = { author = { aggregate_labels = true, aggregate_columns = { "name" } } } }))
    end)

    it("are JSON text straight from the store, the same as their tables", function()
      local object = { group = { "author_id", "data.key" }, sort = "author_id data.key", aggregate = {
        n = { ["$count"] = true }, ['"x'] = { ["$sum"] = "price" }, twice = { ["$sum"] = 2 }, low = { ["$min"] = "views" },
        some = { ["$count"] = { views = 20 } }, old = { ["$max"] = "old" }, mean = { ["$avg"] = "views" },
      } }
      local settings = { aggregate_columns = "views price", legacy_fields = "old" }
      local text = mongo.query(m.Post, settings):query(object):json()
      assert.equal(neap.json.encode(run(m.Post, object, settings)), text)
      assert.equal('{"\\"x":0.30,"author_id":2,"data.key":1,"low":20,"mean":20.0,"n":1,"old":null,"some":1,"twice":2}',
        text:match '{[^{]*0.30[^}]*}')
      object.filter = { id = 99 }
      assert.equal("[]", mongo.query(m.Post, settings):query(object):json())
      assert.equal('[{"views":0},{"views":10}]', mongo.query(m.Post):query { group = "views", limit = 2 }:json())
    end)

    it("are chosen by what is computed of them", function()
      local object = { group = "author_id", aggregate = { n = { ["$count"] = true }, low = { ["$min"] = "price" } }, sort = "author_id" }
      local function groups(having)
        object.having = having
        local list = {}
        for i, row in ipairs(run(m.Post, object, open)) do list[i] = row.author_id end
        return list
      end
      assert.same({ 1, 2 }, groups { n = { ["$gte"] = 2 } })
      assert.same({ 1, 2 }, groups { n = 2 })
      assert.same({ neap.null }, groups { n = { ["$ne"] = 2, ["$lt"] = 9 } })
      assert.same({ 2 }, groups { low = { ["$lt"] = 1 } })
      assert.same({ 1 }, groups { low = { ["$gt"] = 0.35 } })
      assert.truthy(faults(m.Post, { group = "views", having = { n = 1 } })["/having/n"])
      assert.truthy(faults(m.Post, { aggregate = { n = { ["$count"] = 1 } }, having = { n = "x" } })["/having/n/$eq"])
      object.having = { n = { ["$in"] = { 1 } } }
      assert.truthy(faults(m.Post, object, open)["/having/n/$in"])
    end)

    it("are counted by their number", function()
      assert.equal(3, run(m.Post, { group = "author_id", count = true }))
      assert.equal(1, run(m.Post, { aggregate = { n = { ["$count"] = true } }, count = true }))
    end)

    it("need columns that may be summed up, and operators that there are", function()
      local by_pointer, e = faults(m.Post, { aggregate = { a = { ["$sum"] = "views" } } })
      assert.equal("forbidden", e.kind)
      assert.equal("aggregation is disabled for views", by_pointer["/aggregate/a/$sum"])
      local wrong = { a = { ["$foo"] = { views = 1 } }, b = "views", c = { ["$sum"] = 1.5 } }
      by_pointer = faults(m.Post, { aggregate = wrong, sort = "id" }, open)
      assert.equal("aggregate has no function $foo", by_pointer["/aggregate/a/$foo"])
      assert.truthy(by_pointer["/aggregate/b"])
      assert.truthy(by_pointer["/aggregate/c/$sum"])
      assert.truthy(faults(m.Post, { group = "views", sort = "id" })["/sort"])
    end)
  end)

  describe("total", function()
    it("comes beside the rows, without skip and limit", function()
      local object = { filter = { views = { ["$gt"] = 0 } }, limit = 2, skip = 1, sort = "id", total = true }
      local rows, total = mongo.query(m.Post):query(object):total()
      assert.same({ 2, 3 }, shop.list(rows, "id"))
      assert.equal(4, total)
    end)

    it("may be capped", function()
      assert.equal(3, select(2, mongo.query(m.Post):query { total = "capped:3" }:total()))
      assert.truthy(faults(m.Post, { total = "capped:x" })["/total"])
    end)
  end)

  describe("page", function()
    it("gives cursors for the next and the previous one", function()
      local rows, after = mongo.query(m.Post):query { sort = "views-", limit = 2, project = "id" }:page()
      assert.same({ { id = 2 }, { id = 3 } }, rows)
      local next_rows, _, before = mongo.query(m.Post):query { sort = "views-", limit = 2, project = "id", after = after }:page()
      assert.same({ { id = 4 }, { id = 1 } }, next_rows)
      assert.same({ 2, 3 }, ids(m.Post, { sort = "views-", limit = 2, before = before }))
      assert.same({ 4, 1, 5 }, ids(m.Post, { sort = "views-", after = after }))
      assert.equal('[{"id":2},{"id":3}]', (mongo.query(m.Post):query { sort = "views-", limit = 2, project = "id" }:page "json"))
    end)

    it("refuses cursors that do not fit, and what has no pages", function()
      local _, after = mongo.query(m.Post):query { limit = 2 }:page()
      assert.truthy(faults(m.Post, { sort = "views", limit = 2, after = after })["/after"])
      assert.truthy(faults(m.Post, { limit = 2, before = "x" })["/before"])
      assert.truthy(faults(m.Post, { after = 5 })["/after"])
      assert.truthy(faults(m.Post, { after = after, before = after })["/before"])
      assert.truthy(faults(m.Post, { after = after, sort = "author.name" })["/sort"])
      assert.truthy(faults(m.Post, { after = after, group = "views" })["/after"])
      assert.equal("forbidden", select(2, faults(m.Post, { after = after }, { force_exclude = "id" })).kind)
      assert.has_error(function() mongo.query(m.Post, { force_exclude = "id" }):query { limit = 2 }:page() end)
    end)
  end)

  describe("introspection", function()
    it("tells what will come", function()
      assert.is_true(mongo.query(m.Post):query {}:result_contains_entities())
      assert.is_true(mongo.query(m.Post):query { count = true }:result_is_scalar())
      assert.is_true(mongo.query(m.Post):query { group = "views" }:result_is_tuples())
    end)

    it("gives the Query Object that it has come to", function()
      local final = mongo.query(m.Post, { max_items = 9, force_include = { "id" } }):query {
        project = "title", sort = "views- id+", filter = { id = 1 }, join = { author = { project = { "name" } } } }:final_query_object()
      assert.same({ title = 1, id = 1 }, final.project)
      assert.same({ "views-", "id" }, final.sort)
      assert.same({ id = 1 }, final.filter)
      assert.same({ name = 1 }, final.join.author.project)
      assert.equal(9, final.limit)
      assert.equal(neap.null, final.joinf)
      assert.equal(neap.null, final.count)
    end)

    it("gives the tree of what is projected", function()
      local mq = mongo.query(m.Author):query { project = { age = 0 }, join = { posts = { project = "id title" } } }
      assert.same({ age = 0, posts = { id = 1, title = 1 } }, mq:projection_tree())
      assert.same({ id = 1, name = 1, age = 0, posts = { id = 1, title = 1, author_id = 0, views = 0, price = 0, data = 0, at = 0 } },
        mq:full_projection_tree())
      assert.is_true(mq:includes "name")
      assert.is_true(mq:includes "posts")
      assert.is_false(mq:includes "age")
      assert.is_false(mq:includes "nothing")
    end)
  end)

  describe("for your code", function()
    it("loads more than is given out", function()
      local mq = mongo.query(m.Post):query { project = "title", filter = { id = 1 } }
      mq:ensure_loaded("views", "comments", "author.name")
      local post = mq:objects()[1]
      assert.equal(10, post.views)
      assert.equal("Ada", post.author.name)
      assert.same({ title = "Tides" }, mq:pluck(post))
      assert.same({ { title = "Tides" } }, mq:run())
      assert.has_error(function() mq:pluck(m.Tag:get(1)) end)
      assert.has_error(function() mq:ensure_loaded "foo" end)
    end)

    it("adds what it needs itself", function()
      local mq = mongo.query(m.Post):query { project = "title", filter = { views = { ["$gte"] = 20 } }, sort = "views" }
      mq:merge { filter = { author_id = 2 }, project = { "id" }, sort = "views- id-", join = "author" }
      local rows = mq:run()
      assert.same({ 4, 3 }, shop.list(rows, "id"))
      assert.equal("Bob", rows[1].author.name)
      assert.is_nil(rows[1].views)
      assert.same({ ["$and"] = { { views = { ["$gte"] = 20 } }, { author_id = 2 } } }, mq:final_query_object().filter)
    end)

    it("adds quietly, or openly what was quiet; drops and overlays", function()
      local function tree(first, second, quietly)
        return mongo.query(m.Author):query { project = first }:merge({ project = second }, quietly):projection_tree()
      end
      assert.same({ id = 1, name = 1 }, tree({ id = 1 }, { name = 1 }))
      assert.same({ id = 0, name = 0 }, tree({ id = 0 }, { name = 0 }))
      assert.same({ id = 1 }, tree({ id = 1, name = 1 }, { name = 0 }))
      assert.same({ id = 0, name = 1, age = 1 }, tree({ id = 0, age = 0 }, { age = 1 }))
      assert.same({ id = 1 }, tree({ id = 1 }, { name = 1 }, true))
      local mq = mongo.query(m.Author):query { project = "id", filter = { id = 1 } }
      mq:merge({ project = "name" }, true)
      assert.is_true(mq:includes "name")
      assert.same({ { id = 1 } }, mq:run())
      assert.same({ { id = 1, name = "Ada" } }, mq:merge { project = "name" }:run())
      assert.has_error(function() mq:merge { limit = 1 } end)
    end)

    it("is used once, or copied by mongo.reusable", function()
      local mq = mongo.query(m.Post):from(m.Post:where { id__lt = 3 })
      local many = mongo.reusable(mq)
      assert.equal(2, many:query { count = 1 }:run())
      assert.equal(1, #many:query { limit = 1 }:run())
      mq:query {}
      assert.has_error(function() mq:query {} end)
    end)

    it("stands on every class", function() assert.equal(5, m.Post:mongo():query { count = true }:run()) end)

    it("leaves tables as they were given", function()
      local object = { project = { title = 1, author = 1 }, filter = { id = 1 } }
      local settings = { default_projection = { "id", "author" } }
      for _ = 1, 2 do
        assert.same({ { title = "Tides", author = { id = 1, name = "Ada", age = 36 } } }, run(m.Post, object, settings))
        assert.equal("Ada", run(m.Post, { filter = { id = 1 } }, settings)[1].author.name)
      end
      assert.same({ project = { title = 1, author = 1 }, filter = { id = 1 } }, object)
    end)
  end)

  describe("faults", function()
    it("come all at once, each with a JSON pointer", function()
      local by_pointer, e = faults(m.Post, '{"filter":{"$or":[{"id":1},{"foo":1}],"views":"many","a/b~":1},"sort":["titel"],"limit":"1"}')
      assert.equal("query", e.kind)
      assert.equal("Post has no field foo", by_pointer["/filter/$or/1/foo"])
      assert.equal('views is of type integer, "many" is none', by_pointer["/filter/views"])
      assert.equal("Post has no field a/b~", by_pointer["/filter/a~1b~0"])
      assert.equal("Post has no field titel; did you mean title?", by_pointer["/sort/0"])
      assert.equal('limit is an integer or null, not "1"', by_pointer["/limit"])
      assert.equal(5, #e.errors)
    end)

    it("reach into what is joined", function()
      local by_pointer = faults(m.Post, { join = { comments = { join = { user = { project = { "nam" } } } } } })
      assert.equal("Author has no field nam; did you mean name?", by_pointer["/join/comments/join/user/project/0"])
    end)

    it("are of kind forbidden where an operation is disabled", function()
      local by_pointer, e = faults(m.Post, { filter = { id = 1 } }, { filter_enabled = false })
      assert.equal("forbidden", e.kind)
      assert.equal('the operation "filter" is disabled for Post', by_pointer["/filter"])
    end)

    it("are there for JSON that is none, and for what is no object", function()
      assert.equal("query", select(2, faults(m.Post, "{")).kind)
      assert.equal("query", select(2, faults(m.Post, "[1]")).kind)
    end)
  end)
end)
