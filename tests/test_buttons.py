"""Press patterns of one button."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from walktall import buttons as b
from walktall.ticks import PERIOD, ticks_add


def play(spans: list[tuple[bool, int]], step_ms: int = 10, start_ms: int = PERIOD - 700) -> list[tuple[int, int]]:
    """(ms since start, code) of every pattern told while the pin follows ``spans`` of (down, ms)."""
    buttons = b.Buttons()
    told = []
    edges = []
    end = 0
    for down, ms in spans:
        edges.append((end, down))
        end += ms
    now = 0
    while now <= end + 4000:
        down = next((d for at, d in reversed(edges) if at <= now), False) if now < end else False
        code = buttons.step(ticks_add(start_ms, now), down)
        if code:
            told.append((now, code))
        now += step_ms
    return told


def codes(spans: list[tuple[bool, int]], step_ms: int = 10) -> list[int]:
    return [code for _, code in play(spans, step_ms)]


@pytest.mark.parametrize("step_ms", [1, 10, 30])
@pytest.mark.parametrize("presses", [1, 2, 3, 4])
def test_presses_within_400_ms_count_together(presses: int, step_ms: int) -> None:
    assert codes([(True, 120), (False, 180)] * presses, step_ms) == [presses]


def test_presses_further_apart_are_told_one_by_one() -> None:
    assert codes([(True, 120), (False, 600), (True, 120)]) == [b.SINGLE, b.SINGLE]


@pytest.mark.parametrize("presses", [5, 6, 9])
def test_a_fidgeting_thumb_is_no_command(presses: int) -> None:
    assert codes([(True, 90), (False, 90)] * presses) == []


def test_a_hold_of_one_second_is_told_on_release() -> None:
    told = play([(True, 1500)])
    assert [code for _, code in told] == [b.HOLD_1S]
    assert 1500 <= told[0][0] <= 1560


def test_a_hold_of_three_seconds_is_told_while_it_is_held_and_once() -> None:
    told = play([(True, 6000)])
    assert [code for _, code in told] == [b.HOLD_3S]
    assert 3000 <= told[0][0] <= 3060


def test_a_press_before_a_hold_is_forgotten() -> None:
    assert codes([(True, 100), (False, 100), (True, 1200)]) == [b.HOLD_1S]


def test_a_release_that_nobody_watched_still_tells_its_hold() -> None:
    buttons = b.Buttons()
    for now in (0, 40):
        buttons.step(now, True)
    assert buttons.step(5000, False) in (b.NONE, b.HOLD_3S)
    assert buttons.step(5040, False) in (b.NONE, b.HOLD_3S)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.lists(st.integers(1, 12), min_size=1, max_size=8))
def test_bouncing_contacts_are_one_press(closing: list[int], opening: list[int]) -> None:
    def bounce(spans: list[int], to: bool) -> list[tuple[bool, int]]:
        return [((i % 2 == 0) == to, ms) for i, ms in enumerate(spans)]

    spans = [*bounce(closing, True), (True, 150), *bounce(opening, False), (False, 100)]
    assert codes(spans, 1) == [b.SINGLE]


@given(st.integers(1, 29))
def test_a_spike_shorter_than_30_ms_is_nothing(ms: int) -> None:
    assert codes([(True, ms), (False, 100)], 1) == []


def test_it_is_active_while_time_alone_can_change_the_answer() -> None:
    buttons = b.Buttons()
    assert not buttons.active
    buttons.step(0, True)
    assert buttons.active
    buttons.step(40, True)
    assert buttons.down
    buttons.step(140, False)
    buttons.step(180, False)
    assert buttons.active and not buttons.down
    assert buttons.step(600, False) == b.SINGLE
    assert not buttons.active
