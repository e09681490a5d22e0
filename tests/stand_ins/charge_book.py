"""The charge book: the calls that a vendor would have charged, recorded by the stand-in.

One row for each accepted paid call, written before the response is sent. Tests compare the
product's ledger with it, so it uses no code of the product.
"""

import hashlib
import json
import sqlite3
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import Any

_TABLES = """
CREATE TABLE IF NOT EXISTS charges (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, vendor TEXT NOT NULL, kind TEXT NOT NULL,
    model TEXT NOT NULL, amount TEXT NOT NULL, unit TEXT NOT NULL, fingerprint TEXT NOT NULL,
    marker TEXT, seed INTEGER, prompt TEXT NOT NULL, job TEXT, fault TEXT
);
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, endpoint TEXT, method TEXT NOT NULL,
    path TEXT NOT NULL, status INTEGER NOT NULL, delivery TEXT NOT NULL, fault TEXT,
    headers TEXT NOT NULL, fingerprint TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS leaks (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    place TEXT NOT NULL
);
"""
_SECRET_HEADERS = ("authorization", "x-amz-security-token")


@dataclass(frozen=True, slots=True)
class Charge:
    """An accepted paid call.

    at           seconds since 1970, by the stand-in's clock
    kind         the endpoint, such as `images.edits`, or `refund` (with a negative amount)
    unit         `usd` or `credits`
    fingerprint  equal for equal requests, regardless of headers
    marker       the client's id of the call: X-Client-Request-Id or client token
    prompt       the text of the request, which identifies the scene
    job          the returned id (even if the response never arrived)
    fault        the scripted fault of the call, if any
    """

    id: int
    at: float
    vendor: str
    kind: str
    model: str
    amount: Decimal
    unit: str
    fingerprint: str
    marker: str | None
    seed: int | None
    prompt: str
    job: str | None
    fault: str | None

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "Charge":
        """Return the charge of a JSON row of the control port."""
        return cls(**{**row, "amount": Decimal(row["amount"])})

    def as_json(self) -> dict[str, Any]:
        """Return the charge as JSON values."""
        return {**asdict(self), "amount": str(self.amount)}


class ChargeBook:
    """An SQLite file in `folder`. Every method is safe to call from several threads."""

    def __init__(self, folder: Path, vendor: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._vendor = vendor
        self._lock = Lock()
        self._db = sqlite3.connect(folder / f"{vendor}.sqlite", check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        # Rows have to survive the end of this process, but not a power failure.
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.executescript(_TABLES)

    def charge(
        self,
        *,
        at: float,
        kind: str,
        model: str,
        amount: Decimal,
        unit: str,
        fingerprint: str,
        prompt: str,
        marker: str | None = None,
        seed: int | None = None,
        job: str | None = None,
        fault: str | None = None,
    ) -> None:
        """Write a row; it is committed when this returns."""
        self._write(
            "INSERT INTO charges (at, vendor, kind, model, amount, unit, fingerprint, marker, seed,"
            " prompt, job, fault) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (at, self._vendor, kind, model, f"{amount:f}", unit, fingerprint, marker, seed),
            (prompt, job, fault),
        )

    def refund(self, *, at: float, job: str, amount: Decimal) -> None:
        """Record a refund of part or all of a job's charge."""
        charged = next(c for c in self.charges() if c.job == job)
        self.charge(
            at=at,
            kind="refund",
            model=charged.model,
            amount=-amount,
            unit=charged.unit,
            fingerprint=charged.fingerprint,
            prompt=charged.prompt,
            marker=charged.marker,
            seed=charged.seed,
            job=job,
        )

    def charges(self) -> list[Charge]:
        """Return all rows in order, including refunds."""
        return [Charge.from_json(row) for row in self._rows("charges")]

    def request(self, *row: float | str | int | None, headers: dict[str, str]) -> None:
        """Record a request: at, endpoint, method, path, status, delivery, fault, fingerprint."""
        at, endpoint, method, path, status, delivery, fault, fingerprint = row
        public_headers = {
            name: hashlib.sha256(value.encode()).hexdigest()[:12] if _secret(name) else value
            for name, value in headers.items()
        }
        self._write(
            "INSERT INTO requests (at, endpoint, method, path, status, delivery, fault,"
            " fingerprint, headers) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (at, endpoint, method, path, status, delivery, fault, fingerprint),
            (json.dumps(public_headers),),
        )

    def requests(self) -> list[dict[str, Any]]:
        """Return every received request in order, including rejected ones."""
        rows = self._rows("requests")
        return [{**row, "headers": json.loads(row["headers"])} for row in rows]

    def leak(self, *, at: float, method: str, path: str, place: str) -> None:
        """Record that an API key was sent to a host that must not receive it."""
        self._write(
            "INSERT INTO leaks (at, method, path, place) VALUES (?, ?, ?, ?)",
            (at, method, path, place),
        )

    def leaks(self) -> list[dict[str, Any]]:
        """Return the leaks, in order."""
        return self._rows("leaks")

    def _rows(self, table: str) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(row) for row in self._db.execute(f"SELECT * FROM {table} ORDER BY id")]

    def _write(self, sql: str, *parts: tuple[Any, ...]) -> None:
        with self._lock, self._db:
            self._db.execute(sql, tuple(value for part in parts for value in part))


def _secret(name: str) -> bool:
    return name in _SECRET_HEADERS


def fingerprint(*parts: object) -> str:
    """Return a hash that is equal for equal parts (text, bytes or JSON values)."""
    whole = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else json.dumps(part, sort_keys=True).encode()
        whole.update(hashlib.sha256(data).digest())
    return whole.hexdigest()
