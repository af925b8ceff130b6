-- DynamoDB: objects to items and back, beside the plain loop over libcurl and beside boto3, over a server of its own. The server takes
-- most of the time, so the processor's time of the client is measured as well.
local pipe = assert(io.popen [[d=$(mktemp -d) && tests/services/dynamodb start $d/local && echo $d]])
local endpoint, folder = pipe:read("a"):match "^(%S+)%s+(%S+)"
pipe:close()
if not endpoint then
  print "DynamoDB: skipped, the server does not start"
  return
end

local function line(name, work, clock, curl, boto3)
  local arguments = ("%s %s%s"):format(work, endpoint, clock)
  return {
    name = "DynamoDB: " .. name,
    { "neap", "{bin}/neap tests/bench/dynamodb.lua " .. arguments },
    { "C loop", "{build}/tests/bench/dynamodb_peer " .. arguments, at_most = curl },
    { "boto3", "/usr/bin/python3 tests/bench/dynamodb_peer.py " .. arguments, at_most = boto3,
      needs = "/usr/bin/python3 -c 'import boto3'" },
  }
end

os.execute(("%s/tests/bench/dynamodb_peer prepare %s"):format(os.getenv "BUILD" or "build", endpoint))
dofile "tests/bench/bench.lua" {
  line("1,000 objects written, overwriting", "write", "", 1.10),
  line("the same, the client's processor", "write", " cpu", nil, 0.125),
  line("1,000 objects queried, 20 times", "query", "", 1.10),
  line("the same, the client's processor", "query", " cpu", nil, 0.125),
  line("1,000 objects loaded by their keys, 10 times", "load", "", 1.10),
  line("the same, the client's processor", "load", " cpu", nil, 0.125),
}
os.execute(("tests/services/dynamodb stop %s/local; rmdir %s"):format(folder, folder))
