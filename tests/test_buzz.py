"""Motor patterns and their player."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from walktall import buzz
from walktall.ticks import PERIOD, ticks_add

PATTERNS = range(1, len(buzz.PATTERNS))
FAULTS = (buzz.P_FORWARD, buzz.P_BACK, buzz.P_SIDE)


def test_every_pattern_has_a_name_and_ends_in_rest() -> None:
    assert len(buzz.NAMES) == len(buzz.PATTERNS)
    for pattern in PATTERNS:
        assert len(buzz.PATTERNS[pattern]) % 2 == 0, buzz.NAMES[pattern]
        assert buzz.PATTERNS[pattern][-1] == 0, buzz.NAMES[pattern]


@pytest.mark.parametrize("pattern", FAULTS)
def test_a_fault_drives_the_motor_600_ms_or_more(pattern: int) -> None:
    assert sum(buzz.PATTERNS[pattern][0::2]) >= 600


def test_no_two_patterns_feel_the_same() -> None:
    assert len(set(buzz.PATTERNS)) == len(buzz.PATTERNS)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_pulse_is_shorter_than_the_motor_needs_to_spin_up(pattern: int) -> None:
    assert min(buzz.PATTERNS[pattern][0::2]) >= 120


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_ends_before_the_smaller_fifo_is_full(pattern: int) -> None:
    # LSM6DSOX: 512 words of 7 bytes, two words a sample, 52 Hz: 4.9 s without a read.
    assert buzz.duration_ms(pattern) < 4900 - 500


def test_samples_round_up() -> None:
    assert buzz.duration_ms(buzz.P_RECOVERED) == 120
    assert buzz.samples(buzz.P_RECOVERED) == 7  # 6.24
    assert buzz.duration_ms(99) == 0 == buzz.samples(-1)


@given(st.sampled_from(list(PATTERNS)), st.integers(0, PERIOD - 1))
def test_followed_edge_by_edge_it_plays_its_table_across_the_wrap(pattern: int, start_ms: int) -> None:
    player = buzz.Buzz()
    now = start_ms
    duty = player.start(pattern, now, 40000)
    played = []
    while player.busy:
        played.append((duty, (player.next_edge_ms - now) % PERIOD))
        now = player.next_edge_ms
        duty = player.step(now)
    assert duty == 0
    wanted = [(0 if i % 2 else 40000, ms) for i, ms in enumerate(buzz.PATTERNS[pattern][:-1])]
    assert [step for step in played if step[1]] == wanted


@given(st.sampled_from(list(PATTERNS)), st.integers(0, PERIOD - 1), st.lists(st.integers(1, 700), min_size=20))
def test_stepped_late_it_still_ends_on_time(pattern: int, start_ms: int, waits: list[int]) -> None:
    player = buzz.Buzz()
    player.start(pattern, start_ms, 1000)
    passed = 0
    for wait in waits:
        passed += wait
        duty = player.step(ticks_add(start_ms, passed))
        if passed >= buzz.duration_ms(pattern):
            assert duty == 0 and not player.busy
            return
        assert player.busy


def test_an_unknown_pattern_stops_the_motor() -> None:
    player = buzz.Buzz()
    player.start(buzz.P_FORWARD, 0, 1000)
    assert player.start(77, 10, 1000) == 0
    assert not player.busy
    assert player.step(20) == 0
