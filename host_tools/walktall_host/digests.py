"""Digests of traces: what a report of many walks needs of each, read once and kept in the store.

A digest carries the mark of the blocks that it was made from; when others come, or rows can be read that could not, the
mark is another one and the digest is made anew. Losing them costs time, never data.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import trace
from .errors import StoreUnusable
from .store import Session, Store
from .track import DIGEST_LAYOUT, digest, track_of

# So many are kept in one transaction: who stops in between loses little.
_BATCH = 100
_NO_BLOCKS = "0/0"


def refresh(store: Store, device_id: bytes) -> None:
    """Make the digests that this clip's sessions lack, so that no report has to."""
    digests_of(store, store.sessions(device=device_id))


def digests_of(
    store: Store, sessions: Sequence[Session], tell: Callable[[int, int], None] = lambda done, total: None
) -> dict[int, Mapping[str, Any]]:
    """Digests of these sessions' traces by the sessions' numbers, of those that have one; new ones are kept.

    :param tell: called with (done, total) of those that have to be made
    """
    held = store.digests(DIGEST_LAYOUT)
    found: dict[int, Mapping[str, Any]] = {}
    lacking = []
    for session in sessions:
        mark = trace.mark(store, session)
        if mark == _NO_BLOCKS:
            continue
        old = held.get(session.number)
        if old is not None and old[0] == mark:
            if old[1]:
                found[session.number] = json.loads(old[1])
        else:
            lacking.append((session, mark))
    made: dict[int, tuple[str, str]] = {}
    for done, (session, mark) in enumerate(lacking):
        tell(done, len(lacking))
        track = track_of(session, trace.session_rows(store, session))
        if track is not None:
            found[session.number] = digest(track)
        made[session.number] = (mark, json.dumps(found[session.number], separators=(",", ":")) if track else "")
        if len(made) == _BATCH or done + 1 == len(lacking):
            try:
                store.keep_digests(DIGEST_LAYOUT, made)
            except StoreUnusable:  # a store that cannot be written now: the report needs none of it kept
                pass
            made = {}
    if lacking:
        tell(len(lacking), len(lacking))
    return found
