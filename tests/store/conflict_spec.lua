-- Conflicts: what the store refuses because of other rows, and what the script is told.
local contract = require "tests.store.contract"
local fails = require "tests.fails"
local neap = require "neap"
local t = neap.types

contract.sql("conflicts", function(c)
  local Team, Player

  before_each(function()
    Team = c.store:model("Team", { id = t.integer { primary = true, auto = true }, name = t.string() }, { table = "teams" })
    Player = c.store:model("Player", {
      id = t.integer { primary = true, auto = true }, team = t.pointer("Team", { on_delete = "restrict" }),
      number = t.integer(), email = t.string { unique = true, column = "mail" }, one_number = t.unique { "team", "number" },
    }, { table = "players" })
    c.store:bind()
  end)

  it("name the field, whatever its column is called", function()
    Player { email = "a@example.org" }:save()
    local e = fails("conflict", function() Player { email = "a@example.org" }:save() end)
    assert.same({ email = "is taken by another row" }, e.errors)
    assert.is_nil(e.retryable)
  end)

  it("name all fields of a unique index", function()
    local team = Team { name = "Reds" }:save()
    Player { team = team, number = 7 }:save()
    local e = fails("conflict", function() Player { team = team, number = 7 }:save() end)
    assert.truthy(e.errors.number)
    assert.truthy(e.errors.team)
  end)

  it("of a change leave the row and the object as they were", function()
    Player { id = 1, email = "a@example.org" }:save()
    local p = Player { id = 2, email = "b@example.org" }:save()
    p.email = "a@example.org"
    fails("conflict", p.save, p)
    assert.same({ "b@example.org", "a@example.org" }, p:changes().email)
    assert.same({ "a@example.org", "b@example.org" }, c:client "SELECT mail FROM players ORDER BY id")
  end)

  it("keep a row that others point to", function()
    local team = Team { name = "Reds" }:save()
    Player { team = team }:save()
    fails("conflict", team.delete, team)
    assert.same({ "Reds" }, c:client "SELECT name FROM teams")
    assert.equal("Reds", Team:get(team.id).name)
  end)

  it("do not arise where the pointer gives way: cascade deletes, set_null empties", function()
    for _, case in ipairs {
      { "restrict", "conflict", "1" }, { "nothing", "conflict", "1" }, { "cascade", nil, nil }, { "set_null", nil, "" },
    } do
      local on_delete, kind, left = table.unpack(case, 1, 3)
      local Fan = c.store:model("Fan" .. on_delete, {
        id = t.integer { primary = true }, team = t.pointer("Team", { on_delete = on_delete }),
      })
      c.store:bind()
      local team = Team { id = 1 }:save()
      Fan { id = 1, team = team }:save()
      if kind then
        local e = fails(kind, team.delete, team)
        assert.truthy(e.message:find("others still point to this one", 1, true), e.message)
      else
        assert.is_true(team:delete())
      end
      assert.same({ left }, c:client("SELECT team_id FROM Fan" .. on_delete), on_delete)
      c.store:drop(Fan)
      Team:delete { all = true }
    end
  end)

  it("of one object in a list say which one", function()
    local gone = Team { name = "Reds" }:save()
    local kept = Team { name = "Blues" }:save()
    Player { team = kept }:save()
    local e = fails("batch", c.store.delete, c.store, { gone, kept })
    assert.equal(1, #e.errors)
    assert.equal(kept, e.errors[1].object)
    assert.same({ "Blues" }, c:client "SELECT name FROM teams")
  end)

  it("of set-based writes undo the whole statement", function()
    Player { id = 1, email = "a" }:save()
    Player { id = 2, email = "b" }:save()
    fails("conflict", function() Player:where { id__gte = 1 }:update { email = "same" } end)
    assert.same({ "a", "b" }, c:client "SELECT mail FROM players ORDER BY id")
  end)
end)

contract.each("two programs with one object", function(c)
  it("do not overwrite each other where the second saves atomically", function()
    local Team = c.store:model("Team", { id = c:counted(), name = t.string() }, { table = "teams" })
    c.store:bind()
    local first = Team { name = "Reds" }:save()
    local second = Team:get(first.id)
    first.name = "Blues"
    first:save()
    second.name = "Greens"
    fails("condition", second.save, second, { atomic = true })
    second:reload().name = "Greens"
    second:save { atomic = true }
    assert.same({ "Greens" }, c:rows("teams", "name"))
  end)
end)
