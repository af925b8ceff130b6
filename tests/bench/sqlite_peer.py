# sqlite_peer.py sqlite3|sqlalchemy WORK FILE: the seconds that the work of sqlite_peer.c takes in Python.
import gc
import json
import sqlite3
import sys
import time

ROUNDS, ROWS, WRITES = 3, 100000, 20000
library, work, path = sys.argv[1:]
COLUMNS = "id, name, email, age, score, active, bio, data"


def fields(i):
    return {"name": f"User number {i}", "email": f"user{i}@example.org", "age": 18 + i % 70, "score": i * 0.5,
            "active": i % 2, "bio": "Some text about this user, of ordinary length",
            "data": json.dumps({"level": i % 10, "tags": ["a", "b"]})}


class Plain:
    def __init__(self):
        self.db = sqlite3.connect(path)

    def read(self):
        for _ in self.db.execute(f"SELECT {COLUMNS} FROM people"):
            pass

    def get(self):
        for i in range(1, WRITES + 1):
            self.db.execute(f"SELECT {COLUMNS} FROM people WHERE id = ?", (i * 7919 % ROWS + 1,)).fetchone()

    def before_insert(self):
        self.db.execute("DELETE FROM people")
        self.db.commit()
        self.rows = [tuple(fields(i).values()) for i in range(1, WRITES + 1)]

    def insert(self):
        self.db.executemany("INSERT INTO people (name, email, age, score, active, bio, data) VALUES (?, ?, ?, ?, ?, ?, ?)", self.rows)
        self.db.commit()

    def update(self):
        self.round = getattr(self, "round", -1) + 1
        rows = [(i + self.round, i) for i in range(1, WRITES + 1)]
        self.db.executemany("UPDATE people SET age = ? WHERE id = ?", rows)
        self.db.commit()


class Mapped:
    def __init__(self):
        from sqlalchemy import Column, Float, Integer, Text, create_engine
        from sqlalchemy.orm import Session, declarative_base
        base = declarative_base()

        class Person(base):
            __tablename__ = "people"
            id = Column(Integer, primary_key=True)
            name, email, bio, data = Column(Text), Column(Text), Column(Text), Column(Text)
            age, active, score = Column(Integer), Column(Integer), Column(Float)

        self.Person, self.engine, self.Session = Person, create_engine("sqlite:///" + path), Session
        self.session = Session(self.engine)

    def read(self):
        self.session.expunge_all()
        for _ in self.session.query(self.Person):
            pass

    def get(self):
        self.session.expunge_all()
        for i in range(1, WRITES + 1):
            self.session.get(self.Person, i * 7919 % ROWS + 1)

    def before_insert(self):
        self.session.query(self.Person).delete()
        self.session.commit()
        self.objects = [self.Person(**fields(i)) for i in range(1, WRITES + 1)]

    def insert(self):
        self.session.add_all(self.objects)
        self.session.commit()

    def before_update(self):
        self.objects = self.session.query(self.Person).limit(WRITES).all()
        for i, p in enumerate(self.objects):
            p.age = p.age + 1 + i

    def update(self):
        self.session.commit()


jobs = Plain() if library == "sqlite3" else Mapped()
rounds = ROUNDS if library == "sqlite3" else 1
best = float("inf")
for i in range(rounds + 1):
    getattr(jobs, "before_" + work, lambda: None)()
    gc.collect()
    start = time.process_time()
    getattr(jobs, work)()
    took = time.process_time() - start
    if i > 0:
        best = min(best, took)
print(best)
