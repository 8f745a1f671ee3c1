"""Settings: the table is a promise, a refusal changes nothing, what a journal holds never breaks the device."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from walktall import meanings
from walktall import settings as s

from tests.field_tables import hold

# What was released: the numbers on the wire and in journals. Append only, never edit.
# fmt: off
RELEASED = [
    "mode", "hold_s", "on_deg", "off_deg", "back_on_deg", "back_off_deg", "side_on_deg", "side_off_deg",
    "side_buzz", "sensitivity", "desk_hold_s", "rearm_s", "repeat1_s", "repeat2_s", "repeat3_s", "spacing_s",
    "snooze_min", "hill_deg", "hill_min", "walk_offset_max_deg", "recovery_tick", "strength_pct", "forward_axis",
    "coaching", "faded_after_days", "progressive", "stretch_min", "sit_nudge_min", "bow",
    "doze_s",
]
# fmt: on


def packed(settings: s.Settings) -> bytearray:
    buf = bytearray(s.PACKED_MAX)
    return buf[: settings.pack_into(buf, 0)]


def test_settings_keep_their_numbers_for_ever() -> None:
    assert [row[0] for row in s.SETTINGS][: len(RELEASED)] == RELEASED
    assert len(s.SETTINGS) == s.N_SETTINGS <= s.SETTINGS_MAX
    for i, row in enumerate(s.SETTINGS):
        assert getattr(s, f"SET_{row[0].upper()}") == i


def test_every_setting_has_its_words() -> None:
    assert list(meanings.SETTINGS) == [row[0] for row in s.SETTINGS]


def test_defaults_lie_within_limits_and_fit_together() -> None:
    settings = s.Settings()
    assert settings.check()
    for i, (_, _, default, least, greatest) in enumerate(s.SETTINGS):
        assert 0 <= least <= default <= greatest <= 0xFFFF
        assert settings.values[i] == default
        words = s.choices_of(i)
        assert not words or (least, greatest) == (0, len(words) - 1)


def test_every_value_reads_back_as_it_is_written() -> None:
    for i, (name, _, _, least, greatest) in enumerate(s.SETTINGS):
        for value in range(least, greatest + 1):
            assert s.parse_text(name, s.format_text(name, value)) == value
            assert s.parse_text(name, f" {value} ") == value
        assert s.parse_text(name, str(greatest + 1)) is None
        assert s.parse_text(name, s.describe_limits(i) + "?") is None


@given(st.text(max_size=12))
def test_no_text_makes_the_parser_fail(text: str) -> None:
    for name in ("mode", "hold_s", "forward_axis", "none"):
        value = s.parse_text(name, text)
        assert value is None or s.Settings().set(name, value)


def test_a_refusal_changes_nothing_and_says_why() -> None:
    settings = s.Settings()
    before = list(settings.values)
    for name, value, why in (
        ("hold_s", 1, "hold_s must be 2..120"),
        ("mode", 2, "mode must be 0..1"),
        ("on_deg", 8, "off_deg (8) must be below on_deg (8)"),
        ("off_deg", 12, "off_deg (12) must be below on_deg (12)"),
        ("repeat2_s", 120, "repeat2_s (120) must be below repeat3_s (120)"),
        ("colour", 1, "no setting is called colour"),
    ):
        assert not settings.set(name, value)
        assert settings.why == why
        assert list(settings.values) == before
    assert not settings.set_index(s.N_SETTINGS, 0) and not settings.set_index(-1, 0)
    assert settings.set("hold_s", 5) and settings.why == "" and settings.get("hold_s") == 5
    assert settings.get("colour") is None


def test_values_that_change_together_are_checked_together() -> None:
    settings = s.Settings()
    assert settings.set_together(((s.SET_ON_DEG, 8), (s.SET_OFF_DEG, 5)))
    assert settings.set_together(((s.SET_OFF_DEG, 11), (s.SET_ON_DEG, 15)))
    before = list(settings.values)
    assert not settings.set_together(((s.SET_HOLD_S, 20), (s.SET_ON_DEG, 11)))
    assert list(settings.values) == before and settings.why
    assert not settings.set_together(((s.SET_HOLD_S, 20), (s.SET_MODE, 9)))
    assert list(settings.values) == before


def test_presets_stand_in_for_the_forward_limits() -> None:
    settings = s.Settings()
    settings.set("on_deg", 13)
    assert (settings.on_limit_deg(), settings.off_limit_deg()) == (13, 8)
    settings.set("sensitivity", s.parse_text("sensitivity", "sensitive"))
    assert (settings.on_limit_deg(), settings.off_limit_deg()) == (8, 5)
    settings.set("sensitivity", s.parse_text("sensitivity", "lenient"))
    assert (settings.on_limit_deg(), settings.off_limit_deg()) == (15, 11)


@given(st.data())
def test_what_is_packed_comes_back(data: st.DataObject) -> None:
    settings = s.Settings()
    for i in range(s.N_SETTINGS):
        settings.set_index(i, data.draw(st.integers(s.SETTINGS[i][3], s.SETTINGS[i][4])))
    back = s.Settings()
    buf = b"xx" + packed(settings)
    assert back.unpack_from(buf, 2) == len(buf)
    assert list(back.values) == list(settings.values) and not back.defaulted


def test_settings_of_a_later_firmware_are_kept_unread() -> None:
    settings = s.Settings()
    settings.set("hold_s", 20)
    buf = packed(settings) + b"\x34\x12\x78\x56"
    buf[1] += 2
    back = s.Settings()
    assert back.unpack_from(buf, 0) == len(buf) and not back.defaulted
    assert back.get("hold_s") == 20
    assert packed(back) == buf


def test_settings_of_an_older_firmware_leave_the_newer_ones_at_their_defaults() -> None:
    settings = s.Settings()
    settings.set("hold_s", 20)
    settings.set("mode", 1)
    buf = packed(settings)[: 2 + 2 * 2]
    buf[1] = 2
    back = s.Settings()
    assert back.unpack_from(buf, 0) == len(buf) and not back.defaulted
    assert (back.get("mode"), back.get("hold_s"), back.get("on_deg")) == (1, 20, 12)


def test_a_damaged_value_alone_falls_back_and_is_told() -> None:
    settings = s.Settings()
    settings.set("snooze_min", 30)
    buf = packed(settings)
    buf[2 + 2 * s.SET_HOLD_S] = 0
    back = s.Settings()
    assert back.unpack_from(buf, 0) > 0 and back.defaulted
    assert (back.get("hold_s"), back.get("snooze_min")) == (10, 30)


def test_a_pair_that_does_not_fit_together_falls_back_and_is_told() -> None:
    buf = packed(s.Settings())
    buf[2 + 2 * s.SET_OFF_DEG] = 30
    back = s.Settings()
    back.unpack_from(buf, 0)
    assert back.defaulted and (back.get("on_deg"), back.get("off_deg")) == (12, 8)


@given(st.binary(max_size=s.PACKED_MAX + 4), st.booleans())
def test_no_bytes_leave_settings_that_break_the_rules(data: bytes, headed: bool) -> None:
    settings = s.Settings()
    settings.unpack_from((bytes([s.PACKED_VERSION, s.N_SETTINGS]) if headed else b"") + data, 0)
    assert settings.check()
    for i, (_, _, _, least, greatest) in enumerate(s.SETTINGS):
        assert least <= settings.values[i] <= greatest
    assert len(packed(settings)) <= s.PACKED_MAX


def test_any_order_of_changes_leaves_settings_that_fit(chance: random.Random) -> None:
    settings = s.Settings()
    for _ in range(3000):
        settings.set_index(chance.randrange(-1, s.N_SETTINGS + 1), chance.randrange(-5, 200))
        assert settings.check()


@pytest.mark.parametrize("part", ["settings", "ordered", "presets"])
def test_the_document_says_what_the_table_says(part: str, request: pytest.FixtureRequest) -> None:
    if part == "settings":
        rows = ["| number | setting | default | may be | meaning |", "| ---: | --- | --- | --- | --- |"]
        for i, (name, unit, default, _, _) in enumerate(s.SETTINGS):
            text = s.format_text(name, default) + (f" {unit}" if unit else "")
            limits = s.describe_limits(i).replace("..", " … ")
            rows.append(f"| {i} | `{name}` | {text} | {limits} | {meanings.SETTINGS[name]} |")
    elif part == "ordered":
        rows = ["| this | stays below |", "| --- | --- |"]
        rows += [f"| `{s.SETTINGS[a][0]}` | `{s.SETTINGS[b][0]}` |" for a, b in s.ORDERED]
    else:
        rows = ["| `sensitivity` | forward begins beyond | ends below |", "| --- | --- | --- |"]
        rows.append("| normal | `on_deg` | `off_deg` |")
        words = s.choices_of(s.SET_SENSITIVITY)
        rows += [f"| {words[i]} | {s.PRESETS[i][0]}° | {s.PRESETS[i][1]}° |" for i in (1, 2)]
    hold("settings.md", part, "\n".join(rows), request)
