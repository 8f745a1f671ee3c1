"""Everything the walker has, on this computer: one SQLite file, mode 0600, in WAL.

The truth is the table ``record``: each record's raw bytes as they came over the wire, unique by clip, journal and
number. All that can be read from them stands in ``session``, one column for each field of ``walktall.records``; it is
made anew from the bytes whenever the installed field table is another one, so that a record of a layout that this
version cannot read yet is kept, and read after an upgrade::

    device ─< journal ─< record ─< former      (bytes of a record that the clip replaced before it was acknowledged)
                           └── session

Integers are stored as they came; degrees and dates appear in the report alone. ``PRAGMA user_version`` numbers the
schema: an older store is brought up step by step, each in a transaction; a newer one is refused untouched. Commits are
synchronous: a record is acknowledged only after it would survive a power cut here. The schema in full: docs/host.md.
"""

import json
import os
import sqlite3
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from zlib import crc32

import platformdirs
from walktall import records, wire

from .client import Hello, Sent
from .errors import StoreUnusable

#: "WTst" in the file's header: what ``file`` and other tools can tell it by.
APPLICATION_ID = 0x57547374
STORE_VARIABLE = "WALKTALL_STORE"
_BUSY_MS = 5000

# One entry a version; never changed once released. Statements, not scripts: sqlite3 commits before a script.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE device (
            device_key INTEGER PRIMARY KEY,
            device_id BLOB NOT NULL UNIQUE CHECK (typeof(device_id) = 'blob' AND length(device_id) = 8),
            first_met_utc_s INTEGER NOT NULL,
            last_met_utc_s INTEGER NOT NULL,
            hello TEXT NOT NULL
        )""",
        """CREATE TABLE journal (
            journal_key INTEGER PRIMARY KEY,
            device_key INTEGER NOT NULL REFERENCES device ON DELETE CASCADE,
            journal_id BLOB NOT NULL CHECK (typeof(journal_id) = 'blob' AND length(journal_id) = 4),
            first_met_utc_s INTEGER NOT NULL,
            UNIQUE (device_key, journal_id)
        )""",
        """CREATE TABLE record (
            record_key INTEGER PRIMARY KEY AUTOINCREMENT,
            journal_key INTEGER NOT NULL REFERENCES journal ON DELETE CASCADE,
            seq INTEGER NOT NULL CHECK (typeof(seq) = 'integer' AND seq BETWEEN 1 AND 65535),
            raw BLOB NOT NULL CHECK (typeof(raw) = 'blob' AND length(raw) BETWEEN 3 AND 248),
            acked INTEGER NOT NULL CHECK (acked IN (0, 1)),
            fetched_utc_s INTEGER NOT NULL,
            fetched_boot INTEGER NOT NULL,
            fetched_uptime_s INTEGER NOT NULL,
            fault TEXT,
            UNIQUE (journal_key, seq)
        )""",
        """CREATE TABLE former (
            former_key INTEGER PRIMARY KEY,
            record_key INTEGER NOT NULL REFERENCES record ON DELETE CASCADE,
            raw BLOB NOT NULL,
            replaced_utc_s INTEGER NOT NULL
        )""",
        "CREATE TABLE note (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    ),
)
VERSION = len(MIGRATIONS)
_FIELDS_NOTE = "session_fields"
_NAMES = tuple(str(row[0]) for row in records.SESSION_FIELDS)
#: ``record.fault`` of a record that a later version of this tool will read.
NEWER = "of a later firmware: upgrade this tool to read it"


@dataclass(frozen=True)
class Session:
    """One readable record: the device's integers by the names of ``records.SESSION_FIELDS``, and where it came from."""

    #: The walker's number for it, stable in this store.
    number: int
    device_id: bytes
    journal_id: bytes
    values: dict[str, int]
    acked: bool
    fetched_utc_s: int
    fetched_boot: int
    fetched_uptime_s: int

    def __getitem__(self, name: str) -> int:
        return self.values[name]

    def has(self, flag: int) -> bool:
        """One of ``records.FLAG_...``."""
        return bool(self.values["flags"] & flag)


@dataclass(frozen=True)
class Unread:
    """A record whose bytes are kept and not (yet) read."""

    number: int
    device_id: bytes
    seq: int
    fault: str


@dataclass(frozen=True)
class Kept:
    """What keeping a batch came to."""

    new: int
    changed: int
    unread: int


@dataclass(frozen=True)
class Known:
    """A clip that this store has met."""

    device_id: bytes
    first_met_utc_s: int
    last_met_utc_s: int
    hello: dict[str, Any]
    records: int


def default_path() -> Path:
    """Where the store is: what WALKTALL_STORE says, else the user's data folder of this system."""
    told = os.environ.get(STORE_VARIABLE)
    if told:
        return Path(told)
    return Path(platformdirs.user_data_path("walktall", appauthor=False)) / "walktall.sqlite3"


def read_record(raw: bytes) -> tuple[dict[str, int] | None, str]:
    """(fields by name, '') of a record's raw bytes, or (None, why it is not read)."""
    fields = array("i", bytes(4 * len(_NAMES)))
    outcome = records.unpack_session_into(raw, 0, fields)
    if outcome == records.RECORD_NEWER:
        return None, NEWER
    if outcome != records.RECORD_OK:
        return None, "damaged: too short, or of no layout that ever was"
    fault = str(records.session_fault(fields))
    if fault:
        return None, f"impossible: {fault}"
    return dict(zip(_NAMES, fields, strict=True)), ""


class Store:
    """The store in ``path``; a context manager. ``None`` is an empty store in memory."""

    def __init__(self, path: Path | None) -> None:
        """Open it, bring it up to date, create it where there is none.

        :raises StoreUnusable: it cannot be opened, is no store, or is of a later version
        """
        self.path = path
        name = ":memory:" if path is None else str(path)
        if path is not None:
            _create_private(path)
        try:
            self._db = sqlite3.connect(name, timeout=_BUSY_MS / 1000, isolation_level=None)
        except sqlite3.Error as fault:
            raise StoreUnusable(f"the store {name} cannot be opened: {fault}") from fault
        try:
            with self._errors():
                self._prepare(name)
        except BaseException:
            self._db.close()
            raise

    @classmethod
    def to_read(cls, path: Path) -> "Store":
        """The store, or an empty one where there is none yet: reading makes no file."""
        return cls(path if path.exists() else None)

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it; what is committed is safe with or without."""
        self._db.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """SQLite's errors as one line for the walker."""
        try:
            yield
        except sqlite3.Error as fault:
            name = self.path or "in memory"
            text = str(fault)
            if "locked" in text:
                raise StoreUnusable(f"the store {name} is in use by another program: try again") from fault
            if "not a database" in text or "malformed" in text:
                raise StoreUnusable(f"{name} is not a Walktall store, or it is damaged: {text}") from fault
            raise StoreUnusable(f"the store {name} cannot be used: {text}") from fault

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing, also when the process is killed in between."""
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk has rolled it back already
                    self._db.execute("ROLLBACK")
                raise

    # Opening.

    def _prepare(self, name: str) -> None:
        db = self._db
        db.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application != APPLICATION_ID and (application or version or tables):
            raise StoreUnusable(f"{name} is another program's database, not a Walktall store")
        if version > VERSION:
            raise StoreUnusable(
                f"the store {name} is of a later Walktall (its version {version}, this tool's {VERSION}): upgrade"
            )
        if self.path is not None:  # only now that it is known to be ours
            _keep_private(self.path)
        db.execute("PRAGMA journal_mode = WAL")
        # In WAL, NORMAL may lose the last commits with the power; FULL does not, and a record is acknowledged on it.
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        if version < VERSION:
            self._migrate()
        told = db.execute("SELECT value FROM note WHERE key = ?", (_FIELDS_NOTE,)).fetchone()
        if told is None or told[0] != _fields_mark():
            self._read_all_anew()

    def _migrate(self) -> None:
        with self._transaction() as db:
            # Another process may have been faster: ask again, now that nobody else can write.
            version = db.execute("PRAGMA user_version").fetchone()[0]
            for step in MIGRATIONS[version:]:
                for statement in step:
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    def _read_all_anew(self) -> None:
        """Make ``session`` from the raw bytes by the installed field table."""
        columns = ", ".join(f'"{name}" INTEGER NOT NULL' for name in _NAMES)
        with self._transaction() as db:
            db.execute("DROP TABLE IF EXISTS session")
            key = "record_key INTEGER PRIMARY KEY REFERENCES record ON DELETE CASCADE"
            db.execute(f"CREATE TABLE session ({key}, {columns})")
            for key, raw in db.execute("SELECT record_key, raw FROM record").fetchall():
                self._read_one(key, raw)
            db.execute(
                "INSERT INTO note VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (_FIELDS_NOTE, _fields_mark()),
            )

    def _read_one(self, key: int, raw: bytes) -> bool:
        """Write what can be read of a record; True when it can be read."""
        values, fault = read_record(raw)
        self._db.execute("UPDATE record SET fault = ? WHERE record_key = ?", (fault or None, key))
        self._db.execute("DELETE FROM session WHERE record_key = ?", (key,))
        if values is None:
            return False
        marks = ", ".join("?" for _ in range(len(_NAMES) + 1))
        self._db.execute(f"INSERT INTO session VALUES ({marks})", (key, *values.values()))
        return True

    # A meeting with a clip.

    def meet(self, hello: Hello, utc_s: int) -> int:
        """Key of the journal that the clip has now; clip and journal are noted when they are new."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO device (device_id, first_met_utc_s, last_met_utc_s, hello) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (device_id) DO UPDATE "
                "SET last_met_utc_s = excluded.last_met_utc_s, hello = excluded.hello",
                (hello.device_id, utc_s, utc_s, json.dumps(hello.plain())),
            )
            query = "SELECT device_key FROM device WHERE device_id = ?"
            device_key = db.execute(query, (hello.device_id,)).fetchone()[0]
            db.execute(
                "INSERT INTO journal (device_key, journal_id, first_met_utc_s) VALUES (?, ?, ?) "
                "ON CONFLICT (device_key, journal_id) DO NOTHING",
                (device_key, hello.journal_id, utc_s),
            )
            return int(
                db.execute(
                    "SELECT journal_key FROM journal WHERE device_key = ? AND journal_id = ?",
                    (device_key, hello.journal_id),
                ).fetchone()[0]
            )

    def journals_of(self, device_id: bytes) -> int:
        """How many journals of this clip the store knows: more than one when it was wiped."""
        with self._errors():
            query = "SELECT count(*) FROM journal JOIN device USING (device_key) WHERE device_id = ?"
            return int(self._db.execute(query, (device_id,)).fetchone()[0])

    def lacking(self, journal_key: int, first_seq: int, next_seq: int, acked_seq: int) -> list[int]:
        """Numbers that have to be fetched, of those that the clip may hold, in order.

        A record held here need not come again once it is acknowledged on both sides: until then the clip may still
        merge a later short walk into it.
        """
        if first_seq < 1:
            return []
        with self._errors():
            query = "SELECT seq FROM record WHERE journal_key = ? AND acked = 1"
            held = {row[0] for row in self._db.execute(query, (journal_key,))}
        return [seq for seq in range(first_seq, next_seq) if seq not in held or seq > acked_seq]

    def keep(self, journal_key: int, batch: Iterable[Sent], hello: Hello, utc_s: int) -> Kept:
        """Store a batch in one transaction; bytes that are here already change nothing.

        Bytes that the clip replaced (it merged a walk into the record) go to ``former``.
        """
        new = changed = unread = 0
        with self._transaction() as db:
            for sent in batch:
                row = db.execute(
                    "SELECT record_key, raw, acked FROM record WHERE journal_key = ? AND seq = ?",
                    (journal_key, sent.seq),
                ).fetchone()
                fetched = (utc_s, hello.number("boot"), hello.number("uptime_s"))
                if row is None:
                    cursor = db.execute(
                        "INSERT INTO record (journal_key, seq, raw, acked, fetched_utc_s, fetched_boot, "
                        "fetched_uptime_s) VALUES (?, ?, ?, ?, ?, ?, ?)",
                        (journal_key, sent.seq, sent.raw, int(sent.acked), *fetched),
                    )
                    assert cursor.lastrowid is not None
                    key = cursor.lastrowid
                    new += 1
                elif row[1] == sent.raw:
                    if sent.acked and not row[2]:
                        db.execute("UPDATE record SET acked = 1 WHERE record_key = ?", (row[0],))
                    continue
                else:
                    key = row[0]
                    db.execute(
                        "INSERT INTO former (record_key, raw, replaced_utc_s) VALUES (?, ?, ?)", (key, row[1], utc_s)
                    )
                    db.execute(
                        "UPDATE record SET raw = ?, acked = ?, fetched_utc_s = ?, fetched_boot = ?, "
                        "fetched_uptime_s = ? WHERE record_key = ?",
                        (sent.raw, int(sent.acked), *fetched, key),
                    )
                    changed += 1
                if not self._read_one(key, sent.raw):
                    unread += 1
        return Kept(new, changed, unread)

    def to_acknowledge(self, journal_key: int, first_seq: int, next_seq: int, acked_seq: int) -> tuple[int, bytes]:
        """(last number, CRC as ACK carries it) of what is stored here and the clip holds unacknowledged; (0, b'') for
        nothing."""
        with self._errors():
            rows = self._db.execute(
                "SELECT seq, raw FROM record WHERE journal_key = ? AND seq >= ? AND seq < ? ORDER BY seq",
                (journal_key, max(first_seq, acked_seq + 1), next_seq),
            ).fetchall()
        if not rows:
            return 0, b""
        return rows[-1][0], bytes(wire.crc_bytes([row[1] for row in rows]))

    def held(self, journal_key: int, first_seq: int, next_seq: int) -> int:
        """How many records are here of those that the clip holds."""
        with self._errors():
            query = "SELECT count(*) FROM record WHERE journal_key = ? AND seq >= ? AND seq < ?"
            return int(self._db.execute(query, (journal_key, first_seq, next_seq)).fetchone()[0])

    def note_acknowledged(self, journal_key: int, seq: int) -> None:
        """The clip has taken the acknowledgement up to ``seq``: these bytes are final."""
        with self._transaction() as db:
            db.execute(
                "UPDATE record SET acked = 1 WHERE journal_key = ? AND seq <= ? AND acked = 0", (journal_key, seq)
            )

    # Reading.

    def sessions(self, *, number: int | None = None, device: bytes | None = None) -> list[Session]:
        """Readable records, in the order in which the clips numbered them within each journal."""
        where = []
        parameters: list[int | bytes] = []
        if number is not None:
            where.append("record_key = ?")
            parameters.append(number)
        if device is not None:
            where.append("device_id = ?")
            parameters.append(device)
        query = (
            "SELECT device_id, journal_id, acked, fetched_utc_s, fetched_boot, fetched_uptime_s, session.* "
            "FROM session JOIN record USING (record_key) JOIN journal USING (journal_key) "
            "JOIN device USING (device_key) "
            + (f"WHERE {' AND '.join(where)} " if where else "")
            + "ORDER BY journal.first_met_utc_s, journal_key, record.seq"
        )
        with self._errors():
            rows = self._db.execute(query, parameters).fetchall()
        return [
            Session(
                number=row[6],
                device_id=row[0],
                journal_id=row[1],
                values=dict(zip(_NAMES, row[7:], strict=True)),
                acked=bool(row[2]),
                fetched_utc_s=row[3],
                fetched_boot=row[4],
                fetched_uptime_s=row[5],
            )
            for row in rows
        ]

    def unread(self) -> list[Unread]:
        """Records that are kept and cannot be read, and why."""
        query = (
            "SELECT record_key, device_id, seq, fault FROM record JOIN journal USING (journal_key) "
            "JOIN device USING (device_key) WHERE fault IS NOT NULL ORDER BY record_key"
        )
        with self._errors():
            return [Unread(*row) for row in self._db.execute(query).fetchall()]

    def devices(self) -> list[Known]:
        """Every clip that was met, the last one first."""
        query = (
            "SELECT device_id, device.first_met_utc_s, last_met_utc_s, hello, count(record_key) FROM device "
            "LEFT JOIN journal USING (device_key) LEFT JOIN record USING (journal_key) "
            "GROUP BY device_key ORDER BY last_met_utc_s DESC"
        )
        with self._errors():
            rows: Sequence[tuple[bytes, int, int, str, int]] = self._db.execute(query).fetchall()
        return [Known(row[0], row[1], row[2], json.loads(row[3]), row[4]) for row in rows]


def _fields_mark() -> str:
    """Changes whenever the field table does."""
    return f"{crc32(repr((records.SESSION_FIELDS, records.SESSION_COUNTS)).encode()):08x}"


def _create_private(path: Path) -> None:
    """Make the file where there is none, readable for its owner alone from its first moment; SQLite's other files take
    over its mode."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            if path.is_dir():
                raise StoreUnusable(f"the store {path} is a folder: name a file") from None
    except OSError as fault:
        raise StoreUnusable(f"the store {path} cannot be opened: {fault.strerror or fault}") from fault


def _keep_private(path: Path) -> None:
    """Take away what others may do with a store of ours: a copy may have come with any mode."""
    if sys.platform != "win32" and path.stat().st_uid == os.getuid() and path.stat().st_mode & 0o077:
        path.chmod(0o600)
