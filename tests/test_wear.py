"""A year of daily use on the whole device: how often each page of flash is erased, and what five years make of it."""

import pytest
from walktall import journal as j
from walktall import records as r
from walktall import settings as s
from walktall_host.client import Client
from walktall_host.download import download
from walktall_host.store import Store

from tests.desk_device import DAY_S, UTC_S
from tests.soaking import SCALE, Tally, Tell, silence
from tests.test_sequences import LifePort, Rtc
from tests.ticking_device import Life

#: Endurance of a page: nRF52840 Product Specification, NVMC. An RP2040's flash bears ten times that.
CYCLES = 10_000
YEARS = 5


class Year:
    """One clip, worn every day, downloaded every evening.

    :param walk_s: of each of the day's three walks
    """

    def __init__(self, walk_s: int, blocks: int, parts: int) -> None:
        self.life = Life(4096, blocks, parts)
        self.rtc = Rtc(self.life)
        self.life.device._rtc = self.rtc
        self.walk_s = walk_s
        self.days = 0
        self.store = Store(None)

    def day(self) -> None:
        """Three walks with standing in between, each ended at the button; a download; now and then a setting and a
        calibration; and a night without power each week."""
        self.days += 1
        life = self.life
        for _ in range(3):
            if life.device.off:
                life.device._switch_on()
                life.device.sensor_ok = True
            life.walks = True
            life.run(self.walk_s)
            life.walks = False
            life.run(5)
            if not life.device.end_session(0, False, True):
                life.device.journal.commit(life.device.utc_s(), life.device.uptime_s(), True)
        self.meet()
        if self.days % 7 == 0:
            life.boot()
            life.device._rtc = self.rtc
            life.device._read_clock()
        # The night passes by the clock alone.
        self.rtc.utc_s = UTC_S + self.days * DAY_S
        life.device._read_clock()
        life.told.clear()  # nobody asks which second a row was: five years of them are gigabytes

    def meet(self) -> None:
        life = self.life
        life.port.connected = True
        port = LifePort(life)
        client = Client(port, port.monotonic, first_id=2000)
        now_s = UTC_S + self.days * DAY_S - DAY_S // 2
        result = download(client, client.hello(), self.store, lambda: float(now_s + r.EPOCH_UNIX_S))
        assert not result.not_acknowledged
        if self.days % 10 == 0:
            client.set_settings({s.SET_HOLD_S: 8 + self.days % 5})
        life.port.connected = False
        if self.days % 14 == 0:
            life.device.journal.touch(j.WHY_CALIBRATION, life.device.uptime_s())
        life.run(5)  # what was acknowledged and changed settles, and is written

    def told(self) -> tuple[int, int, int]:
        """(writes of the fuller bank, erases of the fullest sector of the ring, both in five years; blocks a day)."""
        a_day = YEARS * 365 / self.days
        banks = max(bank.writes for bank in self.life.banks)
        return (
            round(banks * a_day),
            round(max(self.life.drive.erases) * a_day),
            self.life.device.trace.next_block // self.days,
        )


def lived(days: int, walk_s: int, blocks: int, parts: int, tell: Tell = silence) -> Year:
    year = Year(walk_s, blocks, parts)
    for day in range(days):
        year.day()
        tell(day + 1, days, "days")
    banks, sectors, a_day = year.told()
    head = year.life.device.journal.head
    print(
        f"{days} days, three walks of {walk_s} s a day, parts={parts}: {head[j.J_COMMITS]} commits; in {YEARS} years "
        f"{banks} erases of the fuller bank, {sectors} of the fullest sector of a ring of {blocks} blocks "
        f"({a_day} blocks a day); {len(year.store.sessions())} sessions here"
    )
    assert banks < CYCLES and 0 < sectors < CYCLES
    assert not year.life.device.trace.fault
    assert head[j.J_DROPPED_UNACKED] == 0 and year.life.device.errors == 0
    walked_s = sum(session["walking_s"] for session in year.store.sessions())
    assert walked_s >= days * 3 * (walk_s - 3), "a walk is missing"
    return year


#: As measured by the test below: (parts, days, erases of the fuller bank in five years, of the ring's fullest sector).
MEASURED = ((1, 365, 3655, 680), (2, 60, 3680, 730))
_BOARDS = {1: "external flash (XIAO, Nano)", 2: "RP2040's own flash (Pico)"}


def table() -> str:
    """What docs/reliability.md tells."""
    rows = [
        "| drive | days lived | erases of the fuller bank in 5 years | of the trace's fullest sector | borne |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for parts, days, banks, sectors in MEASURED:
        rows.append(f"| {_BOARDS[parts]} | {days} | {banks:,} | {sectors:,} | {CYCLES:,} |")
    return "\n".join(rows)


@pytest.mark.parametrize("parts", [1, 2])
def test_a_year_of_daily_use_leaves_every_page_far_from_its_end(parts: int) -> None:
    """Walks of a minute and a ring of an eighth: `make soak` lives with whole ones."""
    days = {each[0]: each[1] for each in MEASURED}[parts]
    year = lived(days, 62, 144, parts)
    banks, sectors, _ = year.told()
    told = {each[0]: each[2:] for each in MEASURED}[parts]
    assert (banks, sectors) == pytest.approx(told, rel=0.1), "measure anew: the page tells other figures"


@pytest.mark.soak
@pytest.mark.parametrize("parts", [1, 2])
def test_five_years_of_daily_use(parts: int, tally: Tally) -> None:
    lived(max(60, int(YEARS * 365 * SCALE)), 15 * 60, 2048 if parts == 1 else 1024, parts, tally)
