-- Hostile Query Objects: what is wrong is refused with a pointer before anything is sent; nothing reaches the store as SQL.
local contract = require "tests.store.contract"
local mongo = require "neap.mongo"
local neap = require "neap"
local shop = require "tests.store.shop"

local deep = ('{"$not":'):rep(40) .. "{}" .. ("}"):rep(40)
local wide = {}
for i = 1, 1001 do wide[i] = tostring(i) end
local many = {}
for i = 1, 501 do many[i] = '{"id":' .. i .. "}" end
local joins = ('{"posts":{"join":{"author":{"join":'):rep(20) .. "null" .. ("}}}}"):rep(20)

-- Each of them is refused.
local refused = {
  -- no Query Object
  "", "{", "[]", "[{}]", "1", '"filter"', "true", "{}{}", "{'filter':1}", '{"filter":{}', "\0", "\xff", '{"a":1,"a":2}',
  -- operations
  '{"order":"id"}', '{"offset":1}', '{"$or":[]}', '{"":1}', '{"select":"*"}', '{"where":"1=1"}', '{"filter;drop table Post":1}',
  -- filter
  '{"filter":1}', '{"filter":"id=1"}', '{"filter":[{"id":1}]}', '{"filter":true}', '{"filter":{"":1}}', '{"filter":{"id":[]}}',
  '{"filter":{"id; DROP TABLE Post":1}}', [[{"filter":{"id' OR '1'='1":1}}]], '{"filter":{"id\\u0000":1}}',
  '{"filter":{"id--":1}}', '{"filter":{"t0.id":1}}', '{"filter":{"rowid":1}}', '{"filter":{"sqlite_master.name":1}}',
  '{"filter":{"id":"abc"}}', '{"filter":{"id":true}}', '{"filter":{"id":{"a":1}}}',
  '{"filter":{"id":[1,2]}}', '{"filter":{"id":{"$in":1}}}', '{"filter":{"id":{"$in":[[1]]}}}', '{"filter":{"id":{"$in":["x"]}}}',
  '{"filter":{"id":{"$nin":{"a":1}}}}', '{"filter":{"id":{"$gt":null}}}', '{"filter":{"id":{"$gt":"1 OR 1=1"}}}',
  '{"filter":{"id":{"$where":"1"}}}', '{"filter":{"id":{"$eq":1,"x":2}}}', '{"filter":{"id":{"$prefix":"1"}}}',
  '{"filter":{"title":{"$prefix":5}}}', '{"filter":{"title":{"$regex":"(a+)+$"}}}', '{"filter":{"title":5}}',
  '{"filter":{"title":{"$exists":"false"}}}', '{"filter":{"title":{"$size":1}}}', '{"filter":{"title":{"$not":1}}}',
  '{"filter":{"at":"yesterday"}}', '{"filter":{"at":5}}', '{"filter":{"price":"cheap"}}', '{"filter":{"price":true}}',
  '{"filter":{"views":{"$between":[1]}}}', '{"filter":{"views":{"$between":[1,2,3]}}}', '{"filter":{"views":{"$between":"1,2"}}}',
  '{"filter":{"$or":{"id":1}}}', '{"filter":{"$and":1}}', '{"filter":{"$not":[{"id":1}]}}', '{"filter":{"$nor":"x"}}',
  '{"filter":{"$or":[1]}}', '{"filter":{"$where":"sleep(10)"}}', '{"filter":{"$expr":{}}}', '{"filter":' .. deep .. "}",
  '{"filter":{"data.":1}}', '{"filter":{"data..a":1}}', '{"filter":{"data":{"$eq":{"$regex":"x"}}}}',
  '{"filter":{"title.length":1}}', '{"filter":{"author":1}}', '{"filter":{"author.":1}}', '{"filter":{"author.password":1}}',
  '{"filter":{"author.posts.x":1}}', '{"filter":{"author":{"$some":1}}}', '{"filter":{"author":{"$all":{}}}}',
  '{"filter":{"posts":{"$none":{}}}}', '{"filter":{"id":{"$in":[' .. table.concat(wide, ",") .. "]}}}",
  '{"filter":{"$or":[' .. table.concat(many, ",") .. "]}}",
  '{"filter":{"title":"\\u0000"}}', '{"filter":{"title":{"$in":["a\\u0000"]}}}', '{"filter":{"data":{"$eq":{"a":["\\u0000"]}}}}',
  '{"filter":{"data.\\u0000":1}}', '{"sort":"data.\\u0000"}', '{"filter":{"data":{"$eq":{"\\u0000":1}}}}',
  '{"filter":{"data":{"$in":[' .. ("{},"):rep(600) .. '{}]}}}', '{"filter":{"data":{"$elemMatch":1}}}',
  '{"filter":{"title":{"$elemMatch":{"$eq":1}}}}', '{"filter":{"data":{"$elemMatch":{"$where":1}}}}',
  '{"filter":{"data":{"$elemMatch":[]}}}',
  '{"filter":{"data":{"$elemMatch":{"a":{"$gt":null}}}}}', '{"filter":{"data.' .. ("a."):rep(40) .. 'b":1}}',
  '{"filter":{"data":' .. ('{"$elemMatch":'):rep(20) .. "{}" .. ("}"):rep(20) .. "}}", '{"filter":{"comments.count":"many"}}',
  '{"filter":{"comments.count":{"$prefix":"1"}}}', '{"filter":{"comments":{"$count":{"$some":1}}}}', '{"filter":{"comments.text.x":1}}',
  -- sort, skip, limit, count
  '{"sort":1}', '{"sort":true}', '{"sort":["-id"]}', '{"sort":["-"]}', '{"sort":[""]}', '{"sort":[null]}', '{"sort":[["id"]]}',
  '{"sort":{"id":1,"views":1}}', '{"sort":{"id":2}}', '{"sort":{"id":"desc"}}', '{"sort":"id desc"}', '{"sort":["id; --"]}',
  '{"sort":["(select 1)"]}', '{"sort":["comments.text"]}', '{"sort":["comments"]}', '{"sort":["data.a__b"]}',
  '{"limit":"1"}', '{"limit":1.5}', '{"limit":true}', '{"limit":[1]}', '{"skip":"0 UNION SELECT 1"}', '{"count":2}', '{"count":"yes"}',
  '{"limit":1e300}', '{"filter":{"views":"99999999999999999999"}}',
  -- project, join
  '{"project":5}', '{"project":"*"}', '{"project":["*"]}', '{"project":{"id":2}}', '{"project":{"id":"1"}}', '{"project":{"id":null}}',
  '{"project":{"id":1,"title":0}}', '{"project":[1]}', '{"project":["id as x"]}', '{"project":["count(*)"]}',
  '{"project":["author.name"]}', '{"project":["author.count"]}', '{"project":{"comments.count":{}}}', '{"project":["comments.counts"]}',
  '{"project":{"comments.count":1,"id":0}}', '{"project":["data.key"]}', '{"project":{"author":{"limit":"x"}}}',
  '{"project":{"id":{"project":"x"}}}', '{"join":1}', '{"join":["id"]}', '{"join":["nothing"]}',
  '{"join":{"author":1}}', '{"join":{"author":"name"}}', '{"join":{"author":["name"]}}', '{"join":{"author":{"aggregate":{"n":1}}}}',
  '{"join":{"author":{"count":true}}}', '{"join":{"author":{"group":"id"}}}', '{"join":{"author":{"join":' .. joins .. "}}}",
  '{"join":{"author":{"foo":1}}}', '{"join":[{"author":1}]}',
  -- aggregate, group
  '{"aggregate":1}', '{"aggregate":["views"]}', '{"aggregate":{"n":1}}', '{"aggregate":{"n":{}}}', '{"aggregate":{"n":null}}',
  '{"aggregate":{"n":{"$sum":"views","$min":"views"}}}', '{"aggregate":{"n":{"$sum":"title"}}}', '{"aggregate":{"n":{"$foo":"views"}}}',
  '{"aggregate":{"n":{"$sum":1.5}}}', '{"aggregate":{"n":{"$sum":["views"]}}}', '{"aggregate":{"n":{"$min":{"id":1}}}}',
  '{"aggregate":{"n":{"sum":"views"}}}', '{"aggregate":{"n":{"$sum":{"foo":1}}}}', '{"aggregate":{"n":"views); --"}}',
  '{"group":1}', '{"group":["foo"]}', '{"group":["views"],"aggregate":{"views":{"$count":true}}}', '{"group":["views"],"sort":"id"}',
  '{"group":["comments"]}', '{"total":5}', '{"total":"capped:-1"}',
}

contract.sql("hostile Query Objects", function(c)
  local m

  before_each(function() m = shop.fill(c.store, shop.declare(c.store)) end)

  it("are refused, " .. #refused .. " of them", function()
    local settings = { aggregate_columns = { "views", "title" }, max_depth = 8 }
    for _, text in ipairs(refused) do
      local ok, e = pcall(function() return mongo.query(m.Post, settings):query(text) end)
      assert.is_false(ok, text)
      assert.truthy(e.kind == "query" or e.kind == "forbidden" or e.kind == "limit", text .. ": " .. tostring(e))
      for _, fault in ipairs(e.errors) do
        assert.is_string(fault.pointer)
        assert.is_string(fault.message)
      end
    end
    assert.equal(5, m.Post:count())
  end)

  it("with patterns that a store cannot read are refused before anything is sent", function()
    for _, pattern in ipairs { "(?<=a)b", "(a", "a++", "[[:alpha:]]", "(?i)x", "\\1", "(a+)+$", "^S" } do
      for _, criteria in ipairs { { title = { ["$regex"] = pattern } }, { data = { ["$elemMatch"] = { ["$regex"] = pattern } } } } do
        local mq = mongo.query(m.Post, { regex_enabled = true })
        local ok, e = pcall(mq.query, mq, { filter = criteria })
        if ok then assert.is_table(mq:run()) else assert.truthy(e.errors[1].pointer:find("$regex", 1, true) or criteria.data, pattern) end
      end
    end
  end)

  it("that look bad and are not, run", function()
    for _, text in ipairs {
      "{}", "null", '{"filter":null,"sort":null,"project":null,"join":null,"limit":null,"count":null}', '{"filter":{"id":{}}}',
      [[{"filter":{"title":"'; DROP TABLE Post; --"}}]], '{"filter":{"title":{"$prefix":"%"}}}', '{"filter":{"title":{"$contains":"_"}}}',
      '{"filter":{"data.a\'b\\"c":1}}', '{"filter":{"data.$x":1}}', '{"filter":{"data.0.1.2":1}}', '{"filter":{"id":9223372036854775807}}',
      '{"filter":{"id":1e308}}', '{"filter":{"id":123456789012345678901234567890}}',
      '{"filter":{"id":{"$in":[]}}}', '{"filter":{"data":{"$in":[{"a":[1,{"b":null}]}]}}}', '{"limit":9223372036854775807}',
      '{"skip":9223372036854775807,"limit":9223372036854775807}', '{"sort":["data.x.y.z-"]}',
      '{"aggregate":{"\\"); --":{"$count":true}}}', '{"group":["data.a\'b"],"aggregate":{"x\\"y":{"$count":1}},"sort":["x\\"y-"]}',
    } do
      local ok, e = neap.try(function() return mongo.query(m.Post):query(text):json() end)
      assert.truthy(ok, text .. ": " .. tostring(e))
    end
    assert.same({}, mongo.query(m.Post):query { filter = { title = { ["$prefix"] = "%" } } }:run())
  end)
end)
