"""What a changed setting changes, in a few words: what the walker will notice, not what the field is called.

Numbers and names are those of ``walktall.settings``; what a setting means in general stands in ``walktall.meanings``.
"""

from collections.abc import Callable

from walktall import settings


def _seconds(value: int) -> str:
    return f"{value} s" if value < 120 else f"{value / 60:g} min"


def _later(less: str, more: str, text: str, unit: Callable[[int], str]) -> Callable[[int, int], str]:
    """Words for a number: ``less`` or ``more``, then ``text`` with the new and the old value in it."""

    def told(old: int, new: int) -> str:
        return f"{more if new > old else less}: {text.format(new=unit(new), old=unit(old))}"

    return told


def _switch(on: str, off: str) -> Callable[[int, int], str]:
    return lambda old, new: on if new else off


def _one_of(*texts: str) -> Callable[[int, int], str]:
    return lambda old, new: texts[new] if new < len(texts) else f"value {new}"


def _degrees(value: int) -> str:
    return f"{value}°"


def _minutes(value: int) -> str:
    return f"{value} min" if value else "never"


def _days(value: int) -> str:
    return f"{value} days"


def _percent(value: int) -> str:
    return f"{value} %"


def _begins(kind: str) -> Callable[[int, int], str]:
    text = f"a {kind} fault begins beyond {{new}}, before beyond {{old}}"
    return _later("it is stricter", "it lets more pass", text, _degrees)


def _ends(kind: str) -> Callable[[int, int], str]:
    text = f"a {kind} fault ends below {{new}}, before below {{old}}"
    return _later("you have to come back further", "you need not come back as far", text, _degrees)


_REPEAT = "{new} after the buzz before it, was {old}"
_EFFECTS: dict[str, Callable[[int, int], str]] = {
    "mode": _one_of("it judges while you walk", "it judges while you sit or stand and wear it"),
    "hold_s": _later(
        "it buzzes earlier", "it buzzes later", "after {new} of leaning instead of {old}, while you walk", _seconds
    ),
    "on_deg": _begins("forward"),
    "off_deg": _ends("forward"),
    "back_on_deg": _begins("backward"),
    "back_off_deg": _ends("backward"),
    "side_on_deg": _begins("side"),
    "side_off_deg": _ends("side"),
    "side_buzz": _switch("leaning to a side buzzes", "leaning to a side is counted and does not buzz"),
    "sensitivity": _one_of(
        "the forward limits are on_deg and off_deg",
        "it is stricter: forward begins beyond 8°, ends below 5°, whatever on_deg and off_deg say",
        "it lets more pass: forward begins beyond 15°, ends below 11°, whatever on_deg and off_deg say",
    ),
    "desk_hold_s": _later("it buzzes earlier", "it buzzes later", "at the desk after {new} instead of {old}", _seconds),
    "rearm_s": _later(
        "a new fault counts sooner", "a new fault counts later", "{new} upright first, was {old}", _seconds
    ),
    "repeat1_s": _later("the first repeat comes sooner", "the first repeat comes later", _REPEAT, _seconds),
    "repeat2_s": _later("the second repeat comes sooner", "the second repeat comes later", _REPEAT, _seconds),
    "repeat3_s": _later("the last repeat comes sooner", "the last repeat comes later", _REPEAT, _seconds),
    "spacing_s": _later("it may buzz more often", "it buzzes less often", "one new buzz in {new}, was {old}", _seconds),
    "snooze_min": _later(
        "a press silences it for less", "a press silences it for longer", "{new}, was {old}", _minutes
    ),
    "hill_deg": _later("hill mode is stricter", "hill mode lets more pass", "{new} wider, was {old}", _degrees),
    "hill_min": _later("hill mode is shorter", "hill mode is longer", "{new}, was {old}", _minutes),
    "walk_offset_max_deg": _later(
        "less of your own way of walking is taken off",
        "more of your own way of walking may be taken off",
        "at most {new}, was {old}",
        _degrees,
    ),
    "recovery_tick": _switch("a short tick tells that you are back", "nothing tells that you are back"),
    "strength_pct": _later("it buzzes more weakly", "it buzzes more strongly", "{new}, was {old}", _percent),
    "forward_axis": lambda old, new: (
        f"it takes {settings.format_text('forward_axis', new)} for forward, until a bow finds another; calibrate anew"
    ),
    "coaching": _one_of(
        "every fault that lasts buzzes",
        "after the first days every third fault does not buzz, so that you learn to feel it yourself",
        "blocks of five minutes are silent by chance, so that the report can compare",
    ),
    "faded_after_days": _later("fading begins earlier", "fading begins later", "after {new}, was {old}", _days),
    "progressive": _switch(
        "it begins 3° wider and loses a degree a week", "its limits are those that are set, at once"
    ),
    "stretch_min": lambda old, new: (
        f"it reminds you to stretch after {new} min of walking" if new else "it does not remind you to stretch"
    ),
    "sit_nudge_min": lambda old, new: (
        f"at the desk it nudges after {new} min of sitting still" if new else "it does not nudge for sitting still"
    ),
    "bow": _switch("a calibration asks for a bow, which tells it where forward is", "a calibration asks for no bow"),
    "doze_s": lambda old, new: (
        f"the sensor dozes when nobody has walked for {_seconds(new)}"
        if new
        else "the sensor never dozes: the cell lasts shorter"
    ),
}


def effect(index: int, old: int, new: int) -> str:
    """What the walker will notice when a setting goes from ``old`` to ``new``; '' where nothing is known of it."""
    told = _EFFECTS.get(str(settings.SETTINGS[index][0])) if index < len(settings.SETTINGS) else None
    return told(old, new) if told is not None else ""
