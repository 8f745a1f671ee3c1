"""``walktall live``: what the clip feels now: the angle against the limits, the hold timer, cadence, buzzes.

On a terminal a view that stands still and changes four times a second; into a pipe one plain line a second; with
``--json`` one object a line. However it ends, the clip is told to stop sending.
"""

import json
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text
from walktall import events

from .client import Client, Message
from .errors import Ended, NoAnswer, WalktallError
from .options import Device, Port, Quiet
from .ports import one_clip
from .terminal import count, out

_TICKS_A_S = 4
#: A clip sends four times a second; this long without a word, and something is wrong.
_SILENCE_S = 6.0
# The scale of the angle, degrees: back of what anybody leans while walking, to well beyond the widest limit.
_BACK_DEG, _FORWARD_DEG = 20, 40
_SIDE_DEG = 20
_LEAST_CELLS, _MOST_CELLS = 24, 60
_MINUTE = 60
_LEVELS = "▁▂▃▄▅▆▇█"
_LABEL_CELLS = 9
_TAIL_CELLS = 18  # "  119.5 of 123.5 s"
_BATTERY_LOW_MV = 3500

_STATES = {
    events.CLASS_NONE: ("not judged yet", "bright_black"),
    events.CLASS_GOOD: ("upright", "green"),
    events.CLASS_FORWARD: ("leaning forward", "red"),
    events.CLASS_BACK: ("leaning back", "magenta"),
    events.CLASS_SIDE: ("leaning to a side", "yellow"),
    events.CLASS_STILL: ("not walking", "bright_black"),
    events.CLASS_BEND: ("bending or turning", "bright_black"),
    events.CLASS_JOG: ("running", "bright_black"),
    events.CLASS_BUZZING: ("buzzing", "bold"),
    events.CLASS_CHARGING: ("on the charger", "bright_black"),
    events.CLASS_GAP: ("no data from the sensor", "bold red"),
    events.CLASS_UNSURE: ("not calibrated, or slipped", "bold yellow"),
    events.CLASS_SNOOZED: ("snoozed", "bright_black"),
    events.CLASS_OFF_BODY: ("not worn", "bright_black"),
}


def _name_of(names: tuple[str, ...], number: int) -> str:
    return names[number] if number < len(names) else "?"


class Moment:
    """One of the clip's live data, in the words and units that are shown."""

    def __init__(self, message: Message, buzzes: int) -> None:
        number = message.number
        self.values = message.plain()
        self.t_s = number("sample") / events.SAMPLE_HZ
        self.pitch_deg = number("pitch_cdeg") / 100
        self.roll_deg = number("roll_cdeg") / 100
        self.cadence_spm = number("cadence_spm")
        self.walking = bool(number("walking"))
        self.second_class = number("second_class")
        self.fault = number("fault")
        # The timer that is nearest to a buzz; both faults have one hold.
        self.hold_s = max(number("hold_ticks"), number("back_ticks")) / _TICKS_A_S
        self.hold_needed_s = number("hold_needed_ticks") / _TICKS_A_S
        self.on_deg = number("limit_on_cdeg") / 100
        self.off_deg = number("limit_off_cdeg") / 100
        self.back_deg = number("limit_back_cdeg") / 100
        self.side_deg = number("limit_side_cdeg") / 100
        self.steps = number("steps")
        self.buzzing = bool(number("buzzing"))
        self.battery_mv = number("battery_mv")
        self.lost = number("lost")
        #: Since this view began.
        self.buzzes = buzzes

    @property
    def fault_names(self) -> list[str]:
        bits = (events.FORWARD, events.BACK, events.SIDE)
        return [_name_of(events.FAULT_NAMES, bit) for bit in bits if self.fault & bit]

    @property
    def state(self) -> tuple[str, str]:
        """What the clip makes of it, in words, and the style of them."""
        return _STATES.get(self.second_class, ("?", ""))

    def document(self) -> dict[str, Any]:
        """For ``--json``: the wire's own fields, and what they mean."""
        return {
            "t_s": round(self.t_s, 2),
            **self.values,
            "class_name": _name_of(events.CLASS_NAMES, self.second_class),
            "fault_names": self.fault_names,
            "label_name": _name_of(events.LABEL_NAMES, int(self.values["label"])),
            "buzzes_total": self.buzzes,
        }

    def line(self) -> str:
        """One plain line."""
        state, _ = self.state
        hold = (
            f"hold {self.hold_s:.1f}/{self.hold_needed_s:.1f} s" if self.hold_needed_s else f"hold {self.hold_s:.1f} s"
        )
        return (
            f"{self.t_s:8.1f} s  tilt {self.pitch_deg:+6.1f}°  side {self.roll_deg:+6.1f}°  {hold}  "
            f"{self.cadence_spm:3} steps/min  {count(self.buzzes, 'buzz', 'buzzes')}  {state}"
        )


class Buzzes:
    """Counts buzzes from what each moment tells of the fault under way."""

    def __init__(self) -> None:
        self.total = 0
        self._told: int | None = None
        self._motor = False

    def after(self, message: Message) -> int:
        """The total after this message."""
        if message.number("hold_needed_ticks"):
            told = message.number("buzzes")
            if self._told is not None and told > self._told:
                self.total += told - self._told
            self._told = told
        else:  # a clip of the first firmware: the motor's own beginning, while a fault is on
            motor = bool(message.number("buzzing") and message.number("fault"))
            self.total += motor and not self._motor
            self._motor = motor
        return self.total


def moments(client: Client, seconds: float | None, monotonic: Callable[[], float] = time.monotonic) -> Iterator[Moment]:
    """What the clip tells, as it comes, for so long.

    :raises NoAnswer: it tells nothing
    """
    buzzes = Buzzes()
    end_s = None if seconds is None else monotonic() + seconds
    while True:
        left_s = _SILENCE_S if end_s is None else end_s - monotonic()
        if left_s <= 0:
            return
        message = client.next_live(min(left_s, _SILENCE_S))
        if message is not None:
            yield Moment(message, buzzes.after(message))
        elif left_s >= _SILENCE_S:
            raise NoAnswer("the clip sends nothing: is its sensor all right? 'walktall info' says")


@contextmanager
def switched_on(client: Client) -> Iterator[None]:
    """Live data while inside; off at the end, however it comes."""
    client.live(True)
    try:
        yield
    finally:
        with suppress(WalktallError):  # the port may be gone: then the clip stops by itself
            client.live(False)


class View:
    """The picture on the terminal."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._moment: Moment | None = None
        # (pitch, beyond its limits) of each second
        self._minute: deque[tuple[float, bool]] = deque(maxlen=_MINUTE)
        self._second = -1

    def show(self, moment: Moment) -> None:
        """Take the next moment."""
        self._moment = moment
        second = int(moment.t_s)
        beyond = moment.pitch_deg > moment.on_deg or 0 < moment.back_deg < -moment.pitch_deg
        if second != self._second:
            self._second = second
            self._minute.append((moment.pitch_deg, beyond))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        moment = self._moment
        if moment is None:
            yield Text(f"clip {self._name}: waiting for its first word")
            return
        cells = max(_LEAST_CELLS, min(_MOST_CELLS, options.max_width - _LABEL_CELLS - _TAIL_CELLS))
        state, style = moment.state
        head = Text.assemble((f"clip {self._name}", "bold"), "   ", (state, style))
        if moment.buzzing:
            head.append("   motor on", "bold")
        yield head
        yield Text()
        yield self._angle("tilt", moment.pitch_deg, -_BACK_DEG, _FORWARD_DEG, cells, self._marks(moment))
        yield self._scale(-_BACK_DEG, _FORWARD_DEG, cells)
        side = {-moment.side_deg: "┊", moment.side_deg: "┊"} if moment.side_deg else {}
        yield self._angle("side", moment.roll_deg, -_SIDE_DEG, _SIDE_DEG, cells, side)
        yield self._hold(moment, cells)
        yield self._last_minute(moment)
        yield Text()
        battery = f"{moment.battery_mv / 1000:.2f} V" if moment.battery_mv else "not measured"
        yield Text.assemble(
            f"{moment.cadence_spm} steps/min   {count(moment.steps, 'step')}   "
            f"{count(moment.buzzes, 'buzz', 'buzzes')}   battery ",
            (battery, "bold yellow" if 0 < moment.battery_mv < _BATTERY_LOW_MV else ""),
        )
        limits = f"forward beyond {moment.on_deg:.0f}°, until below {moment.off_deg:.0f}°"
        if moment.back_deg:
            limits += f"; back beyond {moment.back_deg:.0f}°; side beyond {moment.side_deg:.0f}°"
        yield Text(limits, "bright_black")
        yield Text("Ctrl-C ends it.", "bright_black")

    @staticmethod
    def _marks(moment: Moment) -> dict[float, str]:
        marks = {moment.off_deg: "┊", moment.on_deg: "│"}
        if moment.back_deg:
            marks[-moment.back_deg] = "│"
        return marks

    @staticmethod
    def _cell(deg: float, low: float, high: float, cells: int) -> int:
        return max(0, min(cells - 1, int((deg - low) * cells / (high - low))))

    def _angle(self, label: str, deg: float, low: float, high: float, cells: int, marks: dict[float, str]) -> Text:
        """A bar from upright to the angle, with the limits in it."""
        zero, tip = (self._cell(value, low, high, cells) for value in (0.0, deg))
        begin, end = min(zero, tip), max(zero, tip)
        moment = self._moment
        assert moment is not None
        style = "green"
        if label == "tilt":
            style = "red" if deg > moment.on_deg else "yellow" if deg > moment.off_deg else style
            style = "magenta" if moment.back_deg and -deg > moment.back_deg else style
        elif moment.side_deg and abs(deg) > moment.side_deg:
            style = "yellow"
        placed = {self._cell(value, low, high, cells): mark for value, mark in marks.items()}
        text = Text(f"{label:<{_LABEL_CELLS}}")
        for cell in range(cells):
            if cell in placed:
                text.append(placed[cell], "bold")
            elif begin <= cell <= end:
                text.append("█", style)
            else:
                text.append("·", "bright_black")
        text.append(f"  {deg:+6.1f}°", style)
        return text

    def _scale(self, low: int, high: int, cells: int) -> Text:
        """Degrees under the bar, every ten."""
        row = [" "] * (cells + 3)
        for deg in range(low, high, 10):
            cell = self._cell(deg, low, high, cells)
            for k, letter in enumerate(f"{deg:+d}" if deg else "0"):
                row[cell + k] = letter
        return Text(" " * _LABEL_CELLS + "".join(row).rstrip(), "bright_black")

    @staticmethod
    def _hold(moment: Moment, cells: int) -> Text:
        text = Text(f"{'hold':<{_LABEL_CELLS}}")
        needed_s = moment.hold_needed_s
        full = round(cells * min(1.0, moment.hold_s / needed_s)) if needed_s else 0
        text.append("█" * full, "red" if needed_s and moment.hold_s >= needed_s else "yellow")
        text.append("·" * (cells - full), "bright_black")
        text.append(f"  {moment.hold_s:.1f}" + (f" of {needed_s:.1f} s" if needed_s else " s"))
        return text

    def _last_minute(self, moment: Moment) -> Text:
        text = Text(f"{'minute':<{_LABEL_CELLS}}")
        top = max(moment.on_deg * 1.5, 1.0)
        for pitch_deg, beyond in self._minute:
            level = max(0, min(len(_LEVELS) - 1, int(max(0.0, pitch_deg) / top * len(_LEVELS))))
            text.append(_LEVELS[level], "red" if beyond else "green")
        return text


def command(
    port: Port = None,
    device: Device = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", metavar="N", min=1, help="Stop by itself after so long.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object a line, four a second.")] = False,
    quiet: Quiet = False,
) -> None:
    """Watch what the clip feels: the angle against the limits, the hold timer, cadence, buzzes.

    Into a pipe it prints a line a second. While it runs the clip buzzes for faults though it is plugged in; nothing
    is recorded.

    Example: walktall live --seconds 60
    """
    try:
        _show(port, device, seconds, json_)
    except KeyboardInterrupt:
        raise Ended("stopped; you can unplug the clip") from None
    if not quiet and not json_:
        print("You can unplug the clip.")


def _show(port: str | None, device: str | None, seconds: float | None, json_: bool) -> None:
    with one_clip(port, device) as clip, switched_on(clip.client):
        told = moments(clip.client, seconds)
        if json_:
            for moment in told:
                sys.stdout.write(json.dumps(moment.document()) + "\n")
                sys.stdout.flush()
        elif sys.stdout.isatty():
            view = View(clip.hello.name)
            with Live(view, console=out(), auto_refresh=False) as live:
                for moment in told:
                    view.show(moment)
                    live.refresh()
        else:
            second = -1
            for moment in told:
                if int(moment.t_s) != second:
                    second = int(moment.t_s)
                    print(moment.line(), flush=True)
