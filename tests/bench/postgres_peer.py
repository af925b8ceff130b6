# postgres_peer.py psycopg2|sqlalchemy|django WORK URL: the seconds that the work of postgres_peer.c takes in Python.
import gc
import json
import sys
import time
import urllib.parse

import psycopg2
import psycopg2.extras

ROUNDS, ROWS, WRITES, NESTED = 3, 100000, 20000, 100
library, work, url = sys.argv[1:]
SHARE = 1 if library == "psycopg2" else 10  # of what the mappers do one by one they do a tenth
COLUMNS = "SELECT id, name, email, age, score, active, bio, data FROM people"


def fields(i):
    return {"name": f"User number {i}", "email": f"user{i}@example.org", "age": 18 + i % 70, "score": i * 0.5,
            "active": i % 2 == 1, "bio": "Some text about this user, of ordinary length",
            "data": json.dumps({"level": i % 10, "tags": ["a", "b"]})}


def clean(sql):
    db = psycopg2.connect(url)
    db.autocommit = True
    db.cursor().execute(sql)
    db.close()


class Plain:
    def __init__(self):
        self.db = psycopg2.connect(url)
        self.cursor = self.db.cursor()
        self.round = -1

    def read(self):
        self.cursor.execute(COLUMNS)
        for _ in self.cursor:
            pass
        self.db.commit()

    def get(self):
        for i in range(1, WRITES + 1):
            self.cursor.execute(COLUMNS + " WHERE id = %s", (i * 7919 % ROWS + 1,))
            self.cursor.fetchone()
        self.db.commit()

    def before_insert(self):
        clean("TRUNCATE people")
        self.rows = [tuple(fields(i).values()) for i in range(1, WRITES + 1)]

    def insert(self):
        psycopg2.extras.execute_values(
            self.cursor, "INSERT INTO people (name, email, age, score, active, bio, data) VALUES %s RETURNING id",
            self.rows, page_size=1000, fetch=True)
        self.db.commit()

    def before_update(self):
        clean("VACUUM people")
        self.round += 1

    def update(self):
        psycopg2.extras.execute_values(
            self.cursor, "UPDATE people SET age = v.age FROM (VALUES %s) v (age, id) WHERE people.id = v.id",
            [(i + self.round, i) for i in range(1, WRITES + 1)], page_size=1000)
        self.db.commit()

    # Dictionaries in lists.
    def nested(self):
        for _ in range(NESTED):
            self.cursor.execute("SELECT id, name FROM authors ORDER BY id")
            authors = [{"id": row[0], "name": row[1], "books": []} for row in self.cursor]
            by_id = {a["id"]: a for a in authors}
            self.cursor.execute("SELECT id, author_id, title FROM books WHERE author_id = ANY (%s) ORDER BY id", (list(by_id),))
            books = {}
            for row in self.cursor:
                books[row[0]] = {"id": row[0], "title": row[2], "reviews": []}
                by_id[row[1]]["books"].append(books[row[0]])
            self.cursor.execute("SELECT id, book_id, stars, body FROM reviews WHERE book_id = ANY (%s) ORDER BY id",
                                (list(books),))
            for row in self.cursor:
                books[row[1]]["reviews"].append({"id": row[0], "stars": row[2], "body": row[3]})
            assert sum(1 for a in authors for b in a["books"] for _ in b["reviews"]) == 1500
        self.db.commit()


class SQLAlchemy:
    def __init__(self):
        from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Text, create_engine
        from sqlalchemy.orm import Session, declarative_base, relationship
        base = declarative_base()

        class Person(base):
            __tablename__ = "people"
            id = Column(BigInteger, primary_key=True)
            name, email, bio, data = Column(Text), Column(Text), Column(Text), Column(Text)
            age, active, score = Column(BigInteger), Column(Boolean), Column(Float)

        class Review(base):
            __tablename__ = "reviews"
            id, stars, body = Column(BigInteger, primary_key=True), Column(BigInteger), Column(Text)
            book_id = Column(BigInteger, ForeignKey("books.id"))

        class Book(base):
            __tablename__ = "books"
            id, title = Column(BigInteger, primary_key=True), Column(Text)
            author_id = Column(BigInteger, ForeignKey("authors.id"))
            reviews = relationship(Review, order_by=Review.id)

        class Author(base):
            __tablename__ = "authors"
            id, name = Column(BigInteger, primary_key=True), Column(Text)
            books = relationship(Book, order_by=Book.id)

        self.Person, self.Author, self.Book = Person, Author, Book
        self.session = Session(create_engine(url.replace("postgres:", "postgresql:", 1)))

    def read(self):
        self.session.expunge_all()
        for _ in self.session.query(self.Person):
            pass

    def get(self):
        self.session.expunge_all()
        for i in range(1, WRITES // SHARE + 1):
            self.session.get(self.Person, i * 7919 % ROWS + 1)

    def before_insert(self):
        self.session.commit()
        clean("TRUNCATE people")
        self.objects = [self.Person(**fields(i)) for i in range(1, WRITES + 1)]

    def insert(self):
        self.session.add_all(self.objects)
        self.session.commit()

    def before_update(self):
        self.session.commit()
        clean("VACUUM people")
        self.objects = self.session.query(self.Person).order_by(self.Person.id).limit(WRITES).all()
        for i, p in enumerate(self.objects):
            p.age = p.age + 1 + i

    def update(self):
        self.session.commit()

    def nested(self):
        from sqlalchemy.orm import selectinload
        for _ in range(NESTED // SHARE):
            self.session.expunge_all()
            authors = self.session.query(self.Author).order_by(self.Author.id).options(
                selectinload(self.Author.books).selectinload(self.Book.reviews)).all()
            assert sum(1 for a in authors for b in a.books for _ in b.reviews) == 1500


class Django:
    def __init__(self):
        import django
        from django.conf import settings
        parts = urllib.parse.urlsplit(url)
        settings.configure(DATABASES={"default": {
            "ENGINE": "django.db.backends.postgresql", "NAME": parts.path[1:], "USER": parts.username,
            "HOST": parts.hostname, "PORT": parts.port}})
        django.setup()
        from django.db import models

        class Person(models.Model):
            id = models.BigAutoField(primary_key=True)
            name, email, bio, data = models.TextField(), models.TextField(), models.TextField(), models.TextField()
            age, active, score = models.BigIntegerField(), models.BooleanField(), models.FloatField()

            class Meta:
                app_label, db_table = "bench", "people"

        class Author(models.Model):
            id, name = models.BigAutoField(primary_key=True), models.TextField()

            class Meta:
                app_label, db_table = "bench", "authors"

        class Book(models.Model):
            id, title = models.BigAutoField(primary_key=True), models.TextField()
            author = models.ForeignKey(Author, models.CASCADE, related_name="books")

            class Meta:
                app_label, db_table = "bench", "books"

        class Review(models.Model):
            id, stars, body = models.BigAutoField(primary_key=True), models.BigIntegerField(), models.TextField()
            book = models.ForeignKey(Book, models.CASCADE, related_name="reviews")

            class Meta:
                app_label, db_table = "bench", "reviews"

        self.Person, self.Author = Person, Author

    def read(self):
        for _ in self.Person.objects.iterator():
            pass

    def get(self):
        for i in range(1, WRITES // SHARE + 1):
            self.Person.objects.get(id=i * 7919 % ROWS + 1)

    def before_insert(self):
        clean("TRUNCATE people")
        self.objects = [self.Person(**fields(i)) for i in range(1, WRITES + 1)]

    def insert(self):
        self.Person.objects.bulk_create(self.objects)

    def before_update(self):
        clean("VACUUM people")
        self.objects = list(self.Person.objects.order_by("id")[:WRITES])
        for i, p in enumerate(self.objects):
            p.age = p.age + 1 + i

    def update(self):
        self.Person.objects.bulk_update(self.objects, ["age"], batch_size=500)

    def nested(self):
        for _ in range(NESTED // SHARE):
            authors = self.Author.objects.order_by("id").prefetch_related("books__reviews")
            assert sum(1 for a in authors for b in a.books.all() for _ in b.reviews.all()) == 1500


jobs = {"psycopg2": Plain, "sqlalchemy": SQLAlchemy, "django": Django}[library]()
best = float("inf")
for i in range(ROUNDS + 1 if SHARE == 1 else 2):
    getattr(jobs, "before_" + work, lambda: None)()
    gc.collect()
    start = time.perf_counter()
    getattr(jobs, work)()
    took = time.perf_counter() - start
    if i > 0:
        best = min(best, took)
print("%.9f" % (best * (SHARE if work in ("get", "nested") else 1)))
