"""The charge book: what a vendor would put on the bill, kept by the stand-in, not by us.

One row per accepted paid call, written before the answer leaves. The product's own ledger is
judged by this book, so nothing of the product is used here.
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
    """One accepted paid call.

    at           seconds since 1970, by the stand-in's clock
    kind         the endpoint, such as `images.edits`; `refund` gives an amount back (negative)
    unit         `usd` or `credits`
    fingerprint  equal for equal requests, whatever headers they came with
    marker       what the client sent to tell its calls apart: X-Client-Request-Id or token
    prompt       the text that was sent, so that a test can tell which scene this was
    job          id that was given out (also when the answer never arrived)
    fault        the scripted fault that struck the call, if one did
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
        """Read what the control port says."""
        return cls(**{**row, "amount": Decimal(row["amount"])})

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "amount": str(self.amount)}


class ChargeBook:
    """An SQLite file in `folder`. Every method is safe to call from several threads."""

    def __init__(self, folder: Path, vendor: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._vendor = vendor
        self._lock = Lock()
        self._db = sqlite3.connect(folder / f"{vendor}.sqlite", check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        # What was written has to outlive this process, not a power cut.
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
        """Write one row; it is on disk when this returns."""
        self._write(
            "INSERT INTO charges (at, vendor, kind, model, amount, unit, fingerprint, marker, seed,"
            " prompt, job, fault) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (at, self._vendor, kind, model, f"{amount:f}", unit, fingerprint, marker, seed),
            (prompt, job, fault),
        )

    def refund(self, *, at: float, job: str, amount: Decimal) -> None:
        """Give back part or all of what was charged for a job."""
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
        """Return all rows, refunds among them, in order."""
        return [Charge.from_json(row) for row in self._rows("charges")]

    def request(self, *row: float | str | int | None, headers: dict[str, str]) -> None:
        """Note a request: at, endpoint, method, path, status, delivery, fault, fingerprint."""
        at, endpoint, method, path, status, delivery, fault, fingerprint = row
        kept = {
            name: hashlib.sha256(value.encode()).hexdigest()[:12] if _secret(name) else value
            for name, value in headers.items()
        }
        self._write(
            "INSERT INTO requests (at, endpoint, method, path, status, delivery, fault,"
            " fingerprint, headers) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (at, endpoint, method, path, status, delivery, fault, fingerprint),
            (json.dumps(kept),),
        )

    def requests(self) -> list[dict[str, Any]]:
        """Return every request that came, in order, also the refused ones."""
        rows = self._rows("requests")
        return [{**row, "headers": json.loads(row["headers"])} for row in rows]

    def leak(self, *, at: float, method: str, path: str, place: str) -> None:
        """Note that an API key came to a host that must not see it."""
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
    """Return a hash that is equal for equal parts: text, bytes, or anything that is JSON."""
    whole = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else json.dumps(part, sort_keys=True).encode()
        whole.update(hashlib.sha256(data).digest())
    return whole.hexdigest()
