"""The model of the battery: its page is of the loop and the costs as they are, and what the issue asks for is met."""

from __future__ import annotations

import re

import pytest

from bench import battery

PAGE = battery.OUT


@pytest.fixture(scope="module")
def loops() -> tuple[battery.Loop, battery.Loop]:
    return battery.loop_of(True, 20), battery.loop_of(False, 20)


def test_the_page_is_what_the_model_says(request: pytest.FixtureRequest) -> None:
    told = battery.page()
    if request.config.getoption("--rewrite"):
        PAGE.write_text(told, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == told, "run make battery"
    assert battery.PICTURE.is_file()


def test_the_loop_is_counted_as_it_is(loops: tuple[battery.Loop, battery.Loop]) -> None:
    walking, dozing = loops
    assert 4 <= walking.turns <= 5.2
    assert 0.9 <= dozing.turns <= 1.2
    assert dozing.bus_ms < walking.bus_ms / 10
    assert max(walking.looks, dozing.looks) <= 1000 / 25 + 6


def test_a_hundred_milliampere_hours_last_five_days_and_nights_on_the_xiao(
    loops: tuple[battery.Loop, battery.Loop],
) -> None:
    xiao, first = battery.BOARDS[0], battery.USES[0]
    assert (xiao.name, first.worn_h, first.walked_h, first.night_off) == ("XIAO nRF52840 Sense", 12, 1, False)
    opcodes = battery.opcodes_a_sample(battery.COSTS.read_text(encoding="utf-8"))
    draw = battery.draw_of(xiao, *loops, opcodes)
    assert battery.days(100, draw, first) >= battery.TARGET_DAYS


def test_more_of_anything_lasts_shorter(loops: tuple[battery.Loop, battery.Loop]) -> None:
    xiao, first = battery.BOARDS[0], battery.USES[0]
    draw = battery.draw_of(xiao, *loops, 1000)
    lasts = battery.days(100, draw, first)
    for worse in (
        battery.Use("walks", 12, 2, 0.1),
        battery.Use("moves", 12, 1, 0.5),
        battery.Use("worn", 16, 1, 0.1),
    ):
        assert battery.days(100, draw, worse) < lasts
    assert battery.days(100, battery.draw_of(xiao, *loops, 2000), first) < lasts
    assert battery.days(200, draw, first) == pytest.approx(2 * lasts)
    # What is on is in the sum: hour by hour it comes to a day.
    assert battery.day_mah(draw, battery.Use("", 24, 24, 0)) == pytest.approx(
        24 * draw.walking_ma + battery.motor_mah()
    )


def test_the_page_says_that_nothing_was_measured_and_names_every_board() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert "no current was measured on a board" in text
    for board in battery.BOARDS:
        assert f"## {board.name}\n" in text
        assert board.sources in text
    cells = re.findall(r"\| (\d+) h \(", text)
    assert len(cells) >= len(battery.USES) * len(battery.CELLS_MAH)
