"""The running summary of a session: an honest denominator, and means that fit small ints."""

import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st
from walktall import events as e
from walktall import records as r
from walktall.session import Session, merge_into

CLASSES = range(e.CLASS_NONE, e.CLASS_OFF_BODY + 1)
FIELD = {row[0]: index for index, row in enumerate(r.SESSION_FIELDS)}


def started() -> Session:
    session = Session()
    session.start(7, 3, 0, 120, 4010)
    return session


def told(session: Session) -> dict[str, int]:
    return {name: session.fields[index] for name, index in FIELD.items()}


def walk(
    session: Session, seconds: int, second_class: int = e.CLASS_GOOD, pitch: int = 100, cadence: int = 110
) -> None:
    for _ in range(seconds):
        session.second(second_class, pitch, 0, cadence, 1, 0)


def parts(session: Session) -> int:
    return sum(session.fields[r.S_CLASS_BASE + c] for c in range(1, r.S_CLASS_COUNT + 1))


SECONDS = st.tuples(st.integers(-3, 20), st.integers(-20000, 20000), st.integers(0, 200), st.booleans())


@given(st.lists(SECONDS, max_size=60))
def test_every_second_told_has_exactly_one_class(seconds: list[tuple[int, int, int, bool]]) -> None:
    session = started()
    for second_class, pitch, cadence, walking in seconds:
        session.second(second_class, pitch, 0, cadence, walking, 0)
        assert session.fields[r.S_WEAR_S] == parts(session)
    assert session.fields[r.S_WEAR_S] == len(seconds)
    session.finish(0, 3900)
    assert r.session_fault(session.fields) == ""


@pytest.mark.parametrize("second_class", CLASSES)
def test_each_class_is_counted_in_its_own_field(second_class: int) -> None:
    session = started()
    session.second(second_class, 0, 0, 0, 0, 0)
    name = e.CLASS_NAMES[second_class] if second_class else "unsure"
    assert told(session)[name + "_s"] == 1


def test_a_second_without_a_class_is_unsure_and_never_good() -> None:
    session = started()
    session.second(e.CLASS_NONE, 0, 0, 110, 1, 0)
    session.second(99, 0, 0, 110, 1, 0)
    assert told(session)["unsure_s"] == 2
    assert told(session)["good_s"] == 0


def test_nothing_is_counted_before_the_start_or_after_the_end() -> None:
    session = Session()
    session.second(e.CLASS_GOOD, 0, 0, 110, 1, 5)
    session.event(e.BUZZ, e.FORWARD, e.LEAN, 0)
    assert not any(session.fields[: r.S_UPRIGHT_FIRST_PCT])
    session = started()
    walk(session, 5)
    session.finish(0, 3900)
    before = array("i", session.fields)
    walk(session, 5)
    session.event(e.BUZZ, e.FORWARD, e.LEAN, 0)
    session.finish(99, 1)
    assert session.fields == before


def test_steps_count_from_the_first_second_and_survive_a_gait_that_begins_again() -> None:
    session = started()
    for total in (500, 502, 504, 3, 5):
        session.second(e.CLASS_GOOD, 0, 0, 110, 1, total)
    assert session.fields[r.S_STEPS] == 2 + 2 + 3 + 2


def test_means_are_rounded_to_nearest_on_both_sides_of_zero() -> None:
    for sign in (1, -1):
        session = started()
        for pitch in (100, 100, 102):
            session.second(e.CLASS_GOOD, sign * pitch, 0, 110, 1, 0)
        session.summarise()
        assert session.fields[r.S_PITCH_MEAN_CDEG] == sign * 101


def test_pitch_is_told_by_pace() -> None:
    session = started()
    walk(session, 60, pitch=200, cadence=90)
    walk(session, 30, pitch=500, cadence=100)
    walk(session, 10, pitch=900, cadence=130)
    session.finish(0, 0)
    fields = told(session)
    assert fields["pitch_slow_cdeg"] == 200
    assert fields["pitch_brisk_cdeg"] == 600
    assert fields["pitch_mean_cdeg"] == (60 * 200 + 30 * 500 + 10 * 900) // 100
    assert (fields["walking_s"], fields["brisk_s"]) == (100, 40)
    assert fields["cadence_mean_spm"] == (60 * 90 + 30 * 100 + 10 * 130 + 50) // 100


def test_seconds_left_out_do_not_enter_the_mean_pitch() -> None:
    session = started()
    walk(session, 10, pitch=300)
    walk(session, 10, e.CLASS_BEND, pitch=7000)
    walk(session, 10, e.CLASS_JOG, pitch=1500)
    session.summarise()
    assert session.fields[r.S_PITCH_MEAN_CDEG] == 300


def test_the_longest_good_run_ends_with_a_fault_and_pauses_where_nothing_is_judged() -> None:
    session = started()
    walk(session, 20)
    session.second(e.CLASS_STILL, 0, 0, 0, 0, 0)
    walk(session, 15)
    session.second(e.CLASS_FORWARD, 0, 0, 0, 1, 0)
    walk(session, 10)
    assert session.fields[r.S_LONGEST_GOOD_S] == 35


def test_a_buzz_is_answered_within_20_s_and_ignored_after() -> None:
    session = started()
    session.event(e.BUZZ, e.FORWARD, e.LEAN, 0)
    walk(session, 3, e.CLASS_FORWARD)
    session.event(e.RECOVERED, e.FORWARD, e.LEAN, 10)
    session.event(e.BUZZ, e.FORWARD, e.LEAN, 0)
    walk(session, 21, e.CLASS_FORWARD)
    session.event(e.RECOVERED, e.FORWARD, e.LEAN, 84)
    session.event(e.BUZZ, e.FORWARD, e.LEAN, 0)
    walk(session, 15, e.CLASS_FORWARD)
    session.event(e.BUZZ, e.FORWARD, e.LEAN, 0)  # a repeat: the one before was not answered
    session.event(e.RECOVERED, e.FORWARD, e.LEAN, 4)
    session.finish(0, 0)
    fields = told(session)
    assert (fields["buzzes"], fields["answered"], fields["ignored"]) == (4, 2, 2)
    assert fields["answer_mean_ds"] == (25 + 10 + 1) // 2


def test_a_buzz_at_the_end_or_when_walking_stops_is_neither_answered_nor_ignored() -> None:
    session = started()
    session.event(e.BUZZ, e.FORWARD, e.LEAN, 0)
    walk(session, 3)
    session.event(e.STOPPED, 0, 0, 0)
    walk(session, 30, e.CLASS_STILL)
    session.event(e.BUZZ, e.FORWARD, e.LEAN, 0)
    session.finish(0, 0)
    assert (session.fields[r.S_ANSWERED], session.fields[r.S_IGNORED]) == (0, 0)


def test_faults_are_counted_by_kind_and_label_when_they_end() -> None:
    session = started()
    kinds = (
        (e.FORWARD, e.LEAN, e.CLASS_FORWARD),
        (e.FORWARD, e.SLOUCH, e.CLASS_FORWARD),
        (e.FORWARD, 0, e.CLASS_FORWARD),
        (e.BACK, 0, e.CLASS_BACK),
        (e.SIDE, 0, e.CLASS_SIDE),
    )
    for fault, label, second_class in kinds:
        session.event(e.FAULT_BEGIN, fault, 0, 0)
        walk(session, 10, second_class)
        session.event(e.FAULT_END, fault, label, 0)
    fields = told(session)
    names = ("lean_events", "slouch_events", "unsure_events", "back_events", "side_events")
    assert [fields[name] for name in names] == [1] * 5


def test_crossings_shorter_than_the_hold_are_no_events_unless_they_were_buzzed() -> None:
    session = started()
    session.note_rules(12, 8, 6, 0, 0)
    for seconds in (5, 6):
        session.event(e.FAULT_BEGIN, e.FORWARD, 0, 0)
        walk(session, seconds, e.CLASS_FORWARD)
        session.event(e.FAULT_END, e.FORWARD, e.LEAN, 0)
    assert session.fields[r.S_LEAN_EVENTS] == 1
    session.event(e.FAULT_BEGIN, e.BACK, 0, 0)
    session.event(e.BUZZ, e.BACK, 0, 0)
    session.event(e.FAULT_END, e.BACK, 0, 0)
    assert session.fields[r.S_BACK_EVENTS] == 1


def test_two_faults_at_once_are_two_events() -> None:
    session = started()
    for fault in (e.FORWARD, e.SIDE):
        session.event(e.FAULT_BEGIN, fault, 0, 0)
        session.event(e.BUZZ, fault, e.LEAN if fault == e.FORWARD else 0, 0)
    session.event(e.FAULT_END, e.SIDE, 0, 0)
    session.event(e.FAULT_END, e.FORWARD, 0, 0)
    assert (session.fields[r.S_LEAN_EVENTS], session.fields[r.S_SIDE_EVENTS]) == (1, 1)


def test_a_fault_open_at_the_end_is_counted_with_the_label_of_its_buzz() -> None:
    session = started()
    session.event(e.FAULT_BEGIN, e.FORWARD, 0, 0)
    session.event(e.BUZZ, e.FORWARD, e.SLOUCH, 0)
    session.finish(0, 0)
    assert session.fields[r.S_SLOUCH_EVENTS] == 1


@pytest.mark.parametrize("minutes", [3, 10, 61, 200, 1000])
def test_the_first_third_is_compared_with_the_last_in_bounded_memory(minutes: int) -> None:
    session = started()
    seconds = minutes * 60
    for second in range(seconds):
        good = second * 3 < seconds * 2 or second % 4  # all good, but one in four lost in the last third
        session.second(e.CLASS_GOOD if good else e.CLASS_FORWARD, 0, 0, 110, 1, 0)
    session.finish(0, 0)
    assert session.fields[r.S_UPRIGHT_FIRST_PCT] == 100
    assert abs(session.fields[r.S_UPRIGHT_LAST_PCT] - 75) <= 2
    assert len(session.state) < 64


def test_too_little_walking_is_not_compared() -> None:
    session = started()
    walk(session, 179)
    session.finish(0, 0)
    assert session.fields[r.S_UPRIGHT_FIRST_PCT] == r.NOT_TOLD == session.fields[r.S_UPRIGHT_LAST_PCT]


def test_a_long_session_asks_to_be_split_and_stops_counting_before_16_bits_run_out() -> None:
    session = started()
    for _ in range(r.SESSION_SPLIT_S - 1):
        session.second(e.CLASS_GOOD, -20000, 0, 255, 1, 0)
    assert not session.must_split
    session.second(e.CLASS_GOOD, -20000, 0, 255, 1, 0)
    assert session.must_split
    for _ in range(2000):
        session.second(e.CLASS_GOOD, -20000, 0, 255, 1, 0)
    assert session.fields[r.S_WEAR_S] == 65535 == parts(session)
    assert max(abs(value) for value in session.state) < 1 << 30
    session.finish(0, 0)
    assert session.fields[r.S_PITCH_MEAN_CDEG] == -16000


def test_a_session_ended_by_idleness_leaves_the_idle_time_out_but_tells_its_gaps() -> None:
    session = started()
    walk(session, 100)
    for _ in range(500):
        session.second(e.CLASS_STILL, 0, 0, 0, 0, 0)
    for _ in range(50):
        session.second(e.CLASS_GAP, 0, 0, 0, 0, 0)
    for _ in range(50):
        session.second(e.CLASS_OFF_BODY, 0, 0, 0, 0, 0)
    assert session.idle_s == 600
    session.cut_idle()
    session.finish(0, 0)
    fields = told(session)
    assert (fields["wear_s"], fields["good_s"], fields["gap_s"], fields["still_s"]) == (150, 100, 50, 0)
    assert r.session_fault(session.fields) == ""


def test_idle_time_between_two_walks_stays() -> None:
    session = started()
    walk(session, 10)
    for _ in range(30):
        session.second(e.CLASS_STILL, 0, 0, 0, 0, 0)
    walk(session, 10)
    for _ in range(5):
        session.second(e.CLASS_STILL, 0, 0, 0, 0, 0)
    session.cut_idle()
    assert session.fields[r.S_STILL_S] == 30
    assert session.fields[r.S_WEAR_S] == 50 == parts(session)


def test_sitting_that_is_judged_at_the_desk_is_not_idle() -> None:
    session = started()
    for _ in range(700):
        session.second(e.CLASS_GOOD, 0, 0, 0, 0, 0)
    assert session.idle_s == 0
    assert session.fields[r.S_WALKING_S] == 0


def test_an_undated_session_is_dated_by_a_clock_that_comes_later() -> None:
    session = started()
    walk(session, 100)
    session.finish(200_000_000, 0)
    assert session.fields[r.S_START_UTC_S] == 200_000_000 - 100
    assert session.fields[r.S_FLAGS] & r.FLAG_CLOCK_SET


def test_a_session_taken_up_from_its_checkpoint_goes_on_as_if_nothing_had_happened() -> None:
    whole = started()
    cut = started()
    for session in (whole, cut):
        for second in range(300):
            session.second(e.CLASS_GOOD if second % 3 else e.CLASS_FORWARD, second, 0, 90 + second % 30, 1, 2 * second)
    again = Session()
    again.fields[:] = cut.fields
    again.state[:] = cut.state
    again.take_up()
    for session, steps in ((whole, 600), (again, 0)):
        for second in range(300):
            session.second(e.CLASS_GOOD, -second, 0, 100, 1, steps + 2 * second)
        session.finish(0, 0)
    again.fields[r.S_FLAGS] &= ~r.FLAG_RESUMED
    again.fields[r.S_STEPS] += 2  # between its last second before and its first after, nobody counted
    assert again.fields == whole.fields


def test_silent_blocks_of_a_trial_are_told_apart() -> None:
    session = started()
    walk(session, 10, e.CLASS_FORWARD)
    session.silent = 1
    walk(session, 20)
    walk(session, 5, e.CLASS_FORWARD)
    assert (session.fields[r.S_SILENT_S], session.fields[r.S_SILENT_FORWARD_S]) == (25, 5)


def short_walk(seconds: int, pitch: int, cadence: int, buzzes: int = 0) -> array:
    session = started()
    walk(session, seconds, pitch=pitch, cadence=cadence)
    for _ in range(buzzes):
        session.event(e.BUZZ, e.FORWARD, e.LEAN, 0)
        session.event(e.RECOVERED, e.FORWARD, e.LEAN, 8)
    session.finish(0, 3900)
    session.note_flag(r.FLAG_SHORT)
    return session.fields


def test_short_walks_merge_into_one_record_with_weighted_means() -> None:
    day = short_walk(60, 100, 90, buzzes=1)
    assert merge_into(day, short_walk(120, 400, 120, buzzes=3))
    assert day[r.S_WEAR_S] == 180 == day[r.S_GOOD_S]
    assert day[r.S_PITCH_MEAN_CDEG] == 300
    assert day[r.S_CADENCE_MEAN_SPM] == 110
    assert (day[r.S_PITCH_SLOW_CDEG], day[r.S_PITCH_BRISK_CDEG]) == (100, 400)
    assert (day[r.S_BUZZES], day[r.S_ANSWERED], day[r.S_ANSWER_MEAN_DS]) == (4, 4, 20)
    assert day[r.S_MERGED_WALKS] == 2
    assert merge_into(day, short_walk(10, 0, 90))
    assert day[r.S_MERGED_WALKS] == 3
    assert day[r.S_FLAGS] & r.FLAG_MERGED and day[r.S_FLAGS] & r.FLAG_SHORT
    assert r.session_fault(day) == ""


def test_a_merge_that_would_not_fit_changes_nothing() -> None:
    day = short_walk(60, 100, 90)
    day[r.S_WEAR_S] = r.SESSION_SPLIT_S - 10
    before = array("i", day)
    assert not merge_into(day, short_walk(11, 0, 90))
    assert day == before


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(-9000, 9000), st.integers(60, 200)), min_size=2, max_size=6))
def test_merging_keeps_the_honest_denominator(walks: list[tuple[int, int, int]]) -> None:
    day = short_walk(*walks[0])
    for later in walks[1:]:
        assert merge_into(day, short_walk(*later))
    assert r.session_fault(day) == ""
    assert day[r.S_WEAR_S] == sum(seconds for seconds, _, _ in walks)
    mean = sum(seconds * pitch for seconds, pitch, _ in walks) / day[r.S_WEAR_S]
    assert abs(day[r.S_PITCH_MEAN_CDEG] - mean) <= len(walks)


#: What a clip on a table may have been taken for.
LAIN = (e.CLASS_GOOD, e.CLASS_FORWARD, e.CLASS_STILL, e.CLASS_BEND, e.CLASS_GAP)


def test_the_minutes_before_a_table_was_known_for_one_are_nobodys_posture(chance: random.Random) -> None:
    for _ in range(50):
        session = Session()
        session.start(1, 1, 0, 0, 0)
        walked_s = chance.randrange(0, 300)
        for _ in range(walked_s):
            session.second(e.CLASS_GOOD, 0, 0, 110, 1, 0)
        lain = [chance.choice(LAIN) for _ in range(chance.randrange(0, 400))]
        for kind in lain:
            session.second(kind, 0, 0, 0, 0, 0)
        table_s = chance.randrange(1, 900)
        for _ in range(table_s):
            session.second(e.CLASS_OFF_BODY, 0, 0, 0, 0, 0)
        fields = session.fields
        kept = lain[:-180] if len(lain) > 180 else []
        gaps = lain[len(kept) :].count(e.CLASS_GAP)
        assert fields[r.S_GOOD_S] == walked_s + kept.count(e.CLASS_GOOD)
        assert fields[r.S_FORWARD_S] == kept.count(e.CLASS_FORWARD)
        assert fields[r.S_OFF_BODY_S] == table_s + len(lain) - len(kept) - gaps
        assert fields[r.S_LONGEST_GOOD_S] <= fields[r.S_GOOD_S]
        assert r.session_fault(fields) == ""
        judged = [i for i, kind in enumerate(kept) if kind <= e.CLASS_SIDE]
        since = judged[-1] + 1 if judged else 0
        assert table_s + len(lain) - len(kept) <= session.idle_s <= table_s + len(lain) - since
        session.cut_idle()
        session.finish(0, 0)
        assert r.session_fault(fields) == ""
        assert walked_s + since <= fields[r.S_WEAR_S] <= walked_s + len(kept) + gaps
