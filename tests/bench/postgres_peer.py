# postgres_peer.py WORK URL: the seconds that the work of postgres_peer.c takes with psycopg2.
import sys
import time

import psycopg2

ROUNDS, ROWS, GETS = 3, 100000, 20000
COLUMNS = "SELECT id, name, email, age, score, active, bio, data FROM people"
db = psycopg2.connect(sys.argv[2])


def read():
    with db.cursor() as cursor:
        cursor.execute(COLUMNS)
        for _ in cursor:
            pass


def get():
    with db.cursor() as cursor:
        for i in range(1, GETS + 1):
            cursor.execute(COLUMNS + " WHERE id = %s", (i * 7919 % ROWS + 1,))
            cursor.fetchone()


best = 1e9
for _ in range(ROUNDS):
    start = time.perf_counter()
    {"read": read, "get": get}[sys.argv[1]]()
    best = min(best, time.perf_counter() - start)
print("%.9f" % best)
