"""Everything the walker has, on this computer: one SQLite file, mode 0600, in WAL.

The truth is the table ``record``: each record's raw bytes as they came over the wire, unique by clip, journal and
number. All that can be read from them stands in ``session``, one column for each field of ``walktall.records``; it is
made anew from the bytes whenever the installed field table is another one, so that a record of a layout that this
version cannot read yet is kept, and read after an upgrade::

    device ─< journal ─< record ─< former      (bytes of a record that the clip replaced before it was acknowledged)
       │         │         └── session
       │         └< meeting                    (the two clocks beside each other)
       └< ring ─< trace_block                  (the trace, 512 bytes a block, as they came)

Integers are stored as they came; degrees and dates appear in the report alone. ``PRAGMA user_version`` numbers the
schema: an older store is brought up step by step, each in a transaction; a newer one is refused untouched. Commits are
synchronous: a record is acknowledged only after it would survive a power cut here. The schema in full: docs/host.md.
"""

import json
import os
import sqlite3
import sys
import time
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from zlib import crc32

import platformdirs
from walktall import records, rows, wire

from . import blocks
from .client import Hello, Sent, short_name
from .errors import BadInput, StoreUnusable

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
    (
        "ALTER TABLE device ADD COLUMN name TEXT CHECK (name IS NULL OR length(name) BETWEEN 1 AND 40)",
        "CREATE UNIQUE INDEX device_name ON device (name COLLATE NOCASE)",
        "ALTER TABLE journal ADD COLUMN person TEXT CHECK (person IS NULL OR length(person) BETWEEN 1 AND 40)",
        """CREATE TABLE meeting (
            meeting_key INTEGER PRIMARY KEY,
            journal_key INTEGER NOT NULL REFERENCES journal ON DELETE CASCADE,
            met_utc_s INTEGER NOT NULL,
            boot INTEGER NOT NULL,
            uptime_s INTEGER NOT NULL,
            next_seq INTEGER NOT NULL,
            clip_utc_s INTEGER NOT NULL,
            set_at_utc_s INTEGER NOT NULL
        )""",
        "CREATE INDEX meeting_of ON meeting (journal_key, boot)",
        """CREATE TABLE ring (
            ring_key INTEGER PRIMARY KEY,
            device_key INTEGER NOT NULL REFERENCES device ON DELETE CASCADE,
            journal_key INTEGER NOT NULL REFERENCES journal ON DELETE CASCADE,
            trace_id BLOB NOT NULL CHECK (typeof(trace_id) = 'blob' AND length(trace_id) = 4),
            first_met_utc_s INTEGER NOT NULL,
            UNIQUE (device_key, trace_id)
        )""",
        """CREATE TABLE trace_block (
            block_key INTEGER PRIMARY KEY,
            ring_key INTEGER NOT NULL REFERENCES ring ON DELETE CASCADE,
            block INTEGER NOT NULL CHECK (typeof(block) = 'integer' AND block BETWEEN 0 AND 1073741823),
            raw BLOB NOT NULL CHECK (typeof(raw) = 'blob' AND length(raw) BETWEEN 64 AND 4096),
            layout INTEGER NOT NULL CHECK (layout BETWEEN 0 AND 255),
            kind INTEGER,
            session_boot INTEGER,
            session_start_s INTEGER,
            uptime_s INTEGER,
            UNIQUE (ring_key, block)
        )""",
        "CREATE INDEX trace_block_of ON trace_block (session_boot, session_start_s, ring_key, block)",
        """CREATE TABLE trace_lost (
            ring_key INTEGER NOT NULL REFERENCES ring ON DELETE CASCADE,
            block INTEGER NOT NULL,
            torn INTEGER NOT NULL CHECK (torn IN (0, 1)),
            PRIMARY KEY (ring_key, block)
        ) WITHOUT ROWID""",
    ),
    (
        # What a report of many walks needs of each trace: read once, kept until other blocks of it come.
        """CREATE TABLE digest (
            record_key INTEGER PRIMARY KEY REFERENCES record ON DELETE CASCADE,
            layout INTEGER NOT NULL,
            mark TEXT NOT NULL,
            plain TEXT NOT NULL
        )""",
    ),
)
VERSION = len(MIGRATIONS)
_FIELDS_NOTE = "session_fields"
_BLOCKS_NOTE = "trace_layout"
_BLOCKS_OF = (
    "trace_block JOIN ring USING (ring_key) JOIN device USING (device_key) "
    "WHERE session_boot = ? AND session_start_s = ? AND device_id = ?"
)
_NAMES = tuple(str(row[0]) for row in records.SESSION_FIELDS)
_START_UTC_S = _NAMES.index("start_utc_s")
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
    #: What the walker calls the clip and who wore it, '' = not told.
    nickname: str = ""
    person: str = ""
    #: Of a session without a date: every meeting with this clip in this journal, oldest first.
    meetings: tuple["Meeting", ...] = ()

    @property
    def clip(self) -> str:
        """How the clip is called: its nickname, else the first digits of its id."""
        return self.nickname or short_name(self.device_id)

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
class Meeting:
    """One moment at which both clocks were read: this computer's, and the clip's boot and uptime."""

    met_utc_s: int
    boot: int
    uptime_s: int
    #: Number that the clip's next record would have: those below it were there.
    next_seq: int


@dataclass(frozen=True)
class Known:
    """A clip that this store has met."""

    device_id: bytes
    first_met_utc_s: int
    last_met_utc_s: int
    hello: dict[str, Any]
    records: int
    #: What the walker calls it, '' = no name given.
    name: str
    #: Who wears it, by its newest journal, '' = not told.
    person: str


def default_path() -> Path:
    """Where the store is: what WALKTALL_STORE says, else the user's data folder of this system."""
    told = os.environ.get(STORE_VARIABLE)
    if told:
        return Path(told)
    return Path(platformdirs.user_data_path("walktall", appauthor=False)) / "walktall.sqlite3"


def is_there(path: Path) -> bool:
    """Whether there is something to open as a store."""
    return path.exists() and not (path.is_file() and path.stat().st_size == 0)


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
        #: Where it was looked for.
        self.asked = path
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
        """The store, or an empty one where there is none yet: reading makes no file, and no store of an empty one."""
        opened = cls(path if is_there(path) else None)
        opened.asked = path
        return opened

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
        # All three of one moment: another process may be making the store right now.
        db.execute("BEGIN")
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute("COMMIT")
        if application != APPLICATION_ID and (application or version or tables):
            raise StoreUnusable(f"{name} is another program's database, not a Walktall store")
        if version > VERSION:
            raise StoreUnusable(
                f"the store {name} is of a later Walktall (its version {version}, this tool's {VERSION}): upgrade"
            )
        if self.path is not None:  # only now that it is known to be ours
            _keep_private(self.path)
        self._to_wal()
        # In WAL, NORMAL may lose the last commits with the power; FULL does not, and a record is acknowledged on it.
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        if version < VERSION:
            self._migrate()
        told = db.execute("SELECT value FROM note WHERE key = ?", (_FIELDS_NOTE,)).fetchone()
        if told is None or told[0] != _fields_mark():
            self._read_all_anew()
        told = db.execute("SELECT value FROM note WHERE key = ?", (_BLOCKS_NOTE,)).fetchone()
        if told is None or told[0] != str(blocks.LAYOUT):
            self._read_heads_anew()

    def _to_wal(self) -> None:
        """WAL, for which SQLite asks for the file alone and does not wait by itself when another process has it."""
        until = time.monotonic() + _BUSY_MS / 1000
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as fault:
                if "locked" not in str(fault) or time.monotonic() > until:
                    raise
                time.sleep(0.02)

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
            self._note(_FIELDS_NOTE, _fields_mark())

    def _read_heads_anew(self) -> None:
        """Read the heads of blocks that an earlier version could not read."""
        with self._transaction() as db:
            for key, raw in db.execute("SELECT block_key, raw FROM trace_block WHERE kind IS NULL").fetchall():
                head = blocks.head_of(raw)
                db.execute(
                    "UPDATE trace_block SET kind = ?, session_boot = ?, session_start_s = ?, uptime_s = ? "
                    "WHERE block_key = ?",
                    (head.kind, head.session_boot, head.session_start_s, head.uptime_s, key),
                )
            self._note(_BLOCKS_NOTE, str(blocks.LAYOUT))

    def _note(self, key: str, value: str) -> None:
        self._db.execute(
            "INSERT INTO note VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
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
            # A clip that was wiped goes on being its wearer's until somebody says otherwise.
            db.execute(
                "INSERT INTO journal (device_key, journal_id, first_met_utc_s, person) VALUES (?1, ?2, ?3, "
                "(SELECT person FROM journal WHERE device_key = ?1 ORDER BY journal_key DESC LIMIT 1)) "
                "ON CONFLICT (device_key, journal_id) DO NOTHING",
                (device_key, hello.journal_id, utc_s),
            )
            return int(
                db.execute(
                    "SELECT journal_key FROM journal WHERE device_key = ? AND journal_id = ?",
                    (device_key, hello.journal_id),
                ).fetchone()[0]
            )

    def note_meeting(self, journal_key: int, hello: Hello, utc_s: int, clip_utc_s: int, set_at_utc_s: int) -> None:
        """Keep both clocks as they stood at one moment: sessions of that boot can be dated by it, and the drift seen.

        :param clip_utc_s: what the clip believed, 0 = its clock was not set
        :param set_at_utc_s: when it had been set before, 0 = never
        """
        with self._transaction() as db:
            db.execute(
                "INSERT INTO meeting (journal_key, met_utc_s, boot, uptime_s, next_seq, clip_utc_s, set_at_utc_s) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    journal_key,
                    utc_s,
                    hello.number("boot"),
                    hello.number("uptime_s"),
                    hello.number("next_seq"),
                    clip_utc_s,
                    set_at_utc_s,
                ),
            )

    def last_meeting_utc_s(self, journal_key: int) -> int:
        """When this store last set the clock of the clip that this journal is of, 0 = never."""
        query = (
            "SELECT max(met_utc_s) FROM meeting JOIN journal USING (journal_key) "
            "WHERE device_key = (SELECT device_key FROM journal WHERE journal_key = ?)"
        )
        with self._errors():
            return int(self._db.execute(query, (journal_key,)).fetchone()[0] or 0)

    def meetings(self) -> dict[tuple[bytes, bytes], list[Meeting]]:
        """By (device id, journal id), every moment at which both clocks were read, oldest first."""
        query = (
            "SELECT device_id, journal_id, met_utc_s, boot, uptime_s, next_seq FROM meeting "
            "JOIN journal USING (journal_key) JOIN device USING (device_key) ORDER BY meeting_key"
        )
        found: dict[tuple[bytes, bytes], list[Meeting]] = {}
        with self._errors():
            for device_id, journal_id, *met in self._db.execute(query):
                found.setdefault((device_id, journal_id), []).append(Meeting(*met))
        return found

    # The trace.

    def meet_ring(self, journal_key: int, trace_id: bytes, utc_s: int) -> int:
        """Key of the ring that the clip writes now; it is noted when it is new."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO ring (device_key, journal_key, trace_id, first_met_utc_s) "
                "SELECT device_key, journal_key, ?, ? FROM journal WHERE journal_key = ? "
                "ON CONFLICT (device_key, trace_id) DO NOTHING",
                (trace_id, utc_s, journal_key),
            )
            query = (
                "SELECT ring_key FROM ring JOIN journal USING (device_key) "
                "WHERE trace_id = ? AND journal.journal_key = ?"
            )
            return int(db.execute(query, (trace_id, journal_key)).fetchone()[0])

    def lacking_blocks(self, ring_key: int, first: int, following: int) -> list[int]:
        """Numbers of the blocks from ``first`` to ``following`` - 1 that are not here and not known to be torn, in
        order."""
        with self._errors():
            query = (
                "SELECT block FROM trace_block WHERE ring_key = ?1 AND block >= ?2 AND block < ?3 "
                "UNION ALL SELECT block FROM trace_lost WHERE ring_key = ?1 AND torn"
            )
            held = {row[0] for row in self._db.execute(query, (ring_key, first, following))}
        return [block for block in range(first, following) if block not in held]

    def keep_blocks(
        self, ring_key: int, found: Mapping[int, bytes], torn: Iterable[int] = (), unread: Iterable[int] = ()
    ) -> tuple[int, int]:
        """(blocks that are new here, blocks newly known to be lost), stored in one transaction.

        :param found: blocks whose CRC the caller has checked
        :param torn: blocks that came and whose CRC does not hold: they are not asked for again
        :param unread: blocks that the clip could not read this time
        """
        new = lost = 0
        with self._transaction() as db:
            for block, raw in sorted(found.items()):
                head = blocks.head_of(raw)
                cursor = db.execute(
                    "INSERT INTO trace_block (ring_key, block, raw, layout, kind, session_boot, session_start_s, "
                    "uptime_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (ring_key, block) DO NOTHING",
                    (
                        ring_key,
                        block,
                        raw,
                        head.layout,
                        head.kind,
                        head.session_boot,
                        head.session_start_s,
                        head.uptime_s,
                    ),
                )
                new += cursor.rowcount
                db.execute("DELETE FROM trace_lost WHERE ring_key = ? AND block = ?", (ring_key, block))
            for block, is_torn in (*((block, 1) for block in torn), *((block, 0) for block in unread)):
                cursor = db.execute(
                    "INSERT INTO trace_lost (ring_key, block, torn) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                    (ring_key, block, is_torn),
                )
                lost += cursor.rowcount
                if is_torn:
                    db.execute("UPDATE trace_lost SET torn = 1 WHERE ring_key = ? AND block = ?", (ring_key, block))
        return new, lost

    def blocks_of(self, session: Session) -> list[tuple[int, bytes]]:
        """(number, raw bytes) of every block with rows of that session, oldest first."""
        with self._errors():
            query = f"SELECT block, trace_block.raw FROM {_BLOCKS_OF} ORDER BY ring_key, block"
            return self._db.execute(query, self._session_keys(session)).fetchall()

    def blocks_mark(self, session: Session) -> str:
        """Changes whenever the blocks of that session do."""
        with self._errors():
            query = f"SELECT count(*), coalesce(max(block_key), 0) FROM {_BLOCKS_OF}"
            number, last = self._db.execute(query, self._session_keys(session)).fetchone()
        return f"{number}/{last}"

    @staticmethod
    def _session_keys(session: Session) -> tuple[int, int, bytes]:
        return session["boot"], session["start_uptime_s"], session.device_id

    def raw_blocks(self) -> list[tuple[bytes, bytes, int, bytes]]:
        """(device id, ring id, number, raw bytes) of every block of a raw recording, oldest first."""
        query = (
            "SELECT device_id, trace_id, block, raw FROM trace_block JOIN ring USING (ring_key) "
            "JOIN device USING (device_key) WHERE kind = ? ORDER BY ring_key, block"
        )
        with self._errors():
            return self._db.execute(query, (rows.KIND_RAW,)).fetchall()

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
            "SELECT device_id, journal_id, acked, fetched_utc_s, fetched_boot, fetched_uptime_s, "
            "coalesce(device.name, ''), coalesce(journal.person, ''), session.* "
            "FROM session JOIN record USING (record_key) JOIN journal USING (journal_key) "
            "JOIN device USING (device_key) "
            + (f"WHERE {' AND '.join(where)} " if where else "")
            + "ORDER BY journal.first_met_utc_s, journal_key, record.seq"
        )
        with self._errors():
            found = self._db.execute(query, parameters).fetchall()
        met = self.meetings() if any(not row[9 + _START_UTC_S] for row in found) else {}
        sessions = []
        for row in found:
            values = dict(zip(_NAMES, row[9:], strict=True))
            sessions.append(
                Session(
                    number=row[8],
                    device_id=row[0],
                    journal_id=row[1],
                    values=values,
                    acked=bool(row[2]),
                    fetched_utc_s=row[3],
                    fetched_boot=row[4],
                    fetched_uptime_s=row[5],
                    nickname=row[6],
                    person=row[7],
                    meetings=() if values["start_utc_s"] else tuple(met.get((row[0], row[1]), ())),
                )
            )
        return sessions

    def digests(self, layout: int) -> dict[int, tuple[str, str]]:
        """(mark of the blocks it was made from, JSON) of each session's digest of that layout, by its number."""
        with self._errors():
            query = "SELECT record_key, mark, plain FROM digest WHERE layout = ?"
            return {row[0]: (row[1], row[2]) for row in self._db.execute(query, (layout,))}

    def keep_digests(self, layout: int, made: Mapping[int, tuple[str, str]]) -> None:
        """Keep digests, each in place of an older one of its session."""
        with self._transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO digest (record_key, layout, mark, plain) VALUES (?, ?, ?, ?)",
                [(number, layout, mark, plain) for number, (mark, plain) in made.items()],
            )

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
            "SELECT device_id, device.first_met_utc_s, last_met_utc_s, hello, count(record_key), "
            "coalesce(device.name, ''), coalesce((SELECT person FROM journal AS newest "
            "WHERE newest.device_key = device.device_key ORDER BY journal_key DESC LIMIT 1), '') FROM device "
            "LEFT JOIN journal USING (device_key) LEFT JOIN record USING (journal_key) "
            "GROUP BY device_key ORDER BY last_met_utc_s DESC"
        )
        with self._errors():
            rows: Sequence[tuple[bytes, int, int, str, int, str, str]] = self._db.execute(query).fetchall()
        return [Known(row[0], row[1], row[2], json.loads(row[3]), row[4], row[5], row[6]) for row in rows]

    # Names.

    def set_name(self, device_id: bytes, name: str) -> None:
        """Call a clip so; '' takes its name away.

        :raises BadInput: another clip is called so
        """
        try:
            with self._transaction() as db:
                db.execute("UPDATE device SET name = ? WHERE device_id = ?", (name or None, device_id))
        except StoreUnusable as fault:
            if isinstance(fault.__cause__, sqlite3.IntegrityError):
                raise BadInput(f"another clip is called {name!r} already") from fault
            raise

    def set_person(self, device_id: bytes, person: str) -> None:
        """From the clip's newest journal on it is worn by that person; '' = not told."""
        with self._transaction() as db:
            db.execute(
                "UPDATE journal SET person = ? WHERE journal_key = (SELECT max(journal_key) FROM journal "
                "JOIN device USING (device_key) WHERE device_id = ?)",
                (person or None, device_id),
            )

    def persons(self) -> list[str]:
        """Everybody of whom something is here, in alphabetical order."""
        with self._errors():
            query = "SELECT DISTINCT person FROM journal WHERE person IS NOT NULL ORDER BY person COLLATE NOCASE"
            return [row[0] for row in self._db.execute(query)]

    # Forgetting.

    def forget(self, *, device: bytes | None = None, person: str | None = None) -> int:
        """How many sessions went: those of a clip, of a person, or, with neither, everything. It does not come back:
        the file is written anew without them.

        What another process reads meanwhile makes it wait; killed in between, all of it is there or nothing.
        """
        with self._errors():
            self._db.execute("PRAGMA secure_delete = ON")
        with self._transaction() as db:
            before = db.execute("SELECT count(*) FROM record").fetchone()[0]
            if device is not None:
                db.execute("DELETE FROM device WHERE device_id = ?", (device,))
            elif person is not None:
                db.execute("DELETE FROM journal WHERE person = ? COLLATE NOCASE", (person,))
                db.execute("DELETE FROM device WHERE device_key NOT IN (SELECT device_key FROM journal)")
            else:
                db.execute("DELETE FROM device")
            gone = before - db.execute("SELECT count(*) FROM record").fetchone()[0]
        with self._errors():
            # VACUUM writes the file anew without free pages; the log, which still holds old ones, is cut to nothing.
            self._db.execute("VACUUM")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return int(gone)

    def save_as(self, path: Path) -> None:
        """A copy of the store as it is committed now, in a new file."""
        with self._errors():
            self._db.execute("VACUUM INTO ?", (str(path),))

    def take_over(self, other: "Store") -> None:
        """Make this store the other one, in one transaction."""
        with self._errors():
            other._db.backup(self._db)


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
