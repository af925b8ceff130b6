# dynamodb_peer.py WORK ENDPOINT [cpu]: the seconds that the work of dynamodb_peer.c takes with boto3's tables and items, or those of
# the processor.
import sys
import time
from decimal import Decimal

import boto3
from botocore.config import Config

ITEMS, ROUNDS = 1000, 3
work, endpoint = sys.argv[1:3]
clock = time.process_time if len(sys.argv) > 3 else time.perf_counter
resource = boto3.resource("dynamodb", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="key",
                          aws_secret_access_key="secret", config=Config(proxies={}))
table = resource.Table("people")


def item(i):
    return {"shop": "north", "id": i, "name": f"User number {i}", "email": f"user{i}@example.org", "age": 18 + i % 70,
            "score": Decimal(i) / 2, "active": i % 2 == 1, "bio": "Some text about this user, of ordinary length"}


def write():
    with table.batch_writer() as batch:
        for i in range(1, ITEMS + 1):
            batch.put_item(Item=item(i))


def query():
    from boto3.dynamodb.conditions import Key
    for _ in range(20):
        assert len(table.query(KeyConditionExpression=Key("shop").eq("north"))["Items"]) == ITEMS


def load():
    for _ in range(10):
        for start in range(1, ITEMS, 100):
            keys = [{"shop": "north", "id": i} for i in range(start, start + 100)]
            reply = resource.batch_get_item(RequestItems={"people": {"Keys": keys}})
            assert len(reply["Responses"]["people"]) == 100


best = float("inf")
for i in range(ROUNDS + 1):
    start = clock()
    globals()[work]()
    took = clock() - start
    if i > 0:
        best = min(best, took)
print("%.9f" % best)
