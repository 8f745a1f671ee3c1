"""Pages of every kind that the report has, from made-up walks: for the tests, the browser and `make pictures`."""

import random
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from walktall import events as e
from walktall_host import page, trace, weeks
from walktall_host.client import Sent
from walktall_host.digests import digests_of
from walktall_host.store import Session, Store
from walktall_host.track import Track, track_of

from tests import made_trace
from tests.desk_device import DAY_S, UTC_S
from tests.made_trace import Second, hello_of, plain_walk, record_of, slot_of

BERLIN = ZoneInfo("Europe/Berlin")
#: What a name may try to be: markup, script, a closed style sheet, terminal control, reversed and endless text.
HOSTILE = "</style><script>alert(1)</script>\x1b]0;x\x07\u202e<img src=x onerror=alert(2)>&amp;'\"{{7*7}}"


def full_walk() -> list[Second]:
    """A walk of 32 minutes with all that a chart can show."""
    leans = ((310, 336), (700, 726), (1240, 1290), (1500, 1522))
    walk = plain_walk(1920, seed=3, leans=leans)
    for second in walk[960:1000]:
        second.second_class, second.cadence_spm = e.CLASS_STILL, 0
    for second in walk[1100:1106]:
        second.second_class = e.CLASS_BEND
        second.pitch_cdeg = (4000, 5200, 4800, 3000)
    for second in walk[1400:1430]:
        second.second_class = e.CLASS_GAP
    walk[3].marks.append((0, e.CALIBRATED, 0, 0, 90))
    walk[1290].marks.clear()
    walk[1267].marks.append((1, e.BUZZ, e.FORWARD, e.LEAN, 1500))
    walk[1700].marks.append((2, e.MARK, 0, 0, 0))
    walk[1905].marks.append((1, e.BUZZ, e.BACK, 0, -1000))
    return walk


def walk_of(walk: list[Second], folder: Path, traced: bool = True, **values: int) -> tuple[Session, Track | None]:
    """A walk out of a store, with what its trace shows."""
    hello = hello_of()
    with Store(folder / "one.sqlite3") as store:
        journal = store.meet(hello, UTC_S + 9000)
        fields = record_of(walk, seq=1, start_uptime_s=40, start_utc_s=UTC_S, **values)
        store.keep(journal, [Sent(1, True, slot_of(fields))], hello, UTC_S + 9000)
        if traced:
            ring = store.meet_ring(journal, made_trace.RING_ID, UTC_S + 9000)
            store.keep_blocks(ring, made_trace.blocks(walk, start_uptime_s=40))
        (session,) = store.sessions()
        return session, track_of(session, trace.session_rows(store, session))


def hostile(session: Session) -> Session:
    """The same session under names that try everything."""
    return replace(session, nickname=HOSTILE, person=HOSTILE[::-1] + "\0" + "W" * 4000)


def many_walks(folder: Path, days: int, seed: int = 4, most_weeks: int = 53) -> page.weeks.Weeks:
    """Walks over so many days, in trial mode, of somebody who gets better and answers less; their store is in the
    folder."""
    draw = random.Random(seed)
    kinds = [plain_walk(n, seed=n, leans=((200, 226), (500, 530))) for n in (700, 1500, 2100, 2600)]
    packed = [(made_trace.blocks(walk), walk) for walk in kinds]
    hello = hello_of()
    with Store(folder / "many.sqlite3") as store:
        journal = store.meet(hello, UTC_S + days * DAY_S)
        ring = store.meet_ring(journal, made_trace.RING_ID, UTC_S + days * DAY_S)
        number, seq = 1, 0
        sent, found = [], {}
        for day in range(days):
            if draw.random() < 0.32:
                continue
            seq += 1
            raws, walk = packed[draw.randrange(len(packed))]
            n = len(walk)
            upright = min(0.97, 0.72 + 0.22 * day / days + draw.gauss(0, 0.05))
            forward = round((n - 10) * (1 - upright))
            buzzes = draw.randint(2, 9)
            answered = min(buzzes, round(buzzes * (0.92 - 0.3 * day / days) + draw.random() - 0.3))
            silent = n // 2 - 50
            fields = record_of(
                walk,
                seq=seq,
                boot=seq,
                start_uptime_s=40,
                start_utc_s=UTC_S + day * DAY_S + draw.randrange(0, 30000),
                forward_s=forward,
                good_s=n - 8 - forward - 2,
                buzzing_s=2,
                buzzes=buzzes,
                answered=answered,
                ignored=buzzes - answered,
                answer_mean_ds=draw.randint(30, 80),
                coaching=2,
                silent_s=silent,
                silent_forward_s=min(silent, round(0.6 * forward)),
                pitch_slow_cdeg=draw.randint(0, 200),
                pitch_brisk_cdeg=draw.randint(150, 500),
            )
            sent.append(Sent(seq, True, slot_of(fields)))
            uptime_s = 40
            for raw in raws.values():
                found[number] = made_trace.placed(raw, number, seq, 40, uptime_s)
                uptime_s += made_trace.seconds_in(raw)
                number += 1
        store.keep(journal, sent, hello, UTC_S + days * DAY_S)
        store.keep_blocks(ring, found)
        sessions = store.sessions()
        digested = digests_of(store, sessions)
        made = weeks.last_weeks(sessions, most_weeks, digested, BERLIN)
    assert made is not None
    return made


def weeks_html(folder: Path, days: int, most_weeks: int = 53) -> str:
    """The page of many walks."""
    found = many_walks(folder, days, most_weeks=most_weeks)
    with Store(folder / "many.sqlite3") as store:
        return page.weeks_page(found, digests_of(store, found.sessions), BERLIN)


def pages(folder: Path) -> dict[str, Path]:
    """Every kind of page, written into the folder, by name."""
    full = full_walk()
    rich = {"discomfort_marks": 1, "ignored": 3, "upright_first_pct": 95, "upright_last_pct": 72}
    traced = walk_of(full, _sub(folder, "traced"), **rich)
    bare = walk_of(full, _sub(folder, "bare"), traced=False, **rich)
    night = [Second((0, 0, 0, 0), e.CLASS_CHARGING) for _ in range(3600)]
    charging = walk_of(night, _sub(folder, "night"), calibration_quality=0, upright_first_pct=255)
    made = {
        "walk": page.walks_page([traced], BERLIN),
        "walk-without-trace": page.walks_page([bare], BERLIN),
        "night": page.walks_page([charging], BERLIN),
        "hostile": page.walks_page([(hostile(traced[0]), traced[1])], BERLIN),
        "several": page.walks_page([traced, bare], BERLIN),
        "weeks": weeks_html(_sub(folder, "weeks"), 70),
        "first-week": weeks_html(_sub(folder, "first"), 3),
    }
    found = {}
    for name, text in made.items():
        found[name] = folder / f"{name}.html"
        page.write(found[name], text)
    return found


def _sub(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir()
    return path
