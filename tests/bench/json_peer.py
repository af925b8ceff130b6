# json_peer.py decode|encode FILE: the seconds that one takes in Python's json.
import gc
import json
import sys
import time

ROUNDS = 20
work, path = sys.argv[1:]
text = open(path, encoding="utf-8").read()
value = text if work == "decode" else json.loads(text)
f = json.loads if work == "decode" else json.dumps
for _ in range(3):
    f(value)
gc.collect()
start = time.process_time()
for _ in range(ROUNDS):
    f(value)
print((time.process_time() - start) / ROUNDS)
