"""``boot.py``, ``code.py`` and ``safemode.py`` themselves, run against modules with CircuitPython's own surface: as
sources, and as they lie on the drive with the package as it lies there."""

from __future__ import annotations

import builtins
import calendar
import importlib
import importlib.metadata
import itertools
import re
import sys
import time as real_time
import tomllib
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from walktall import boards, wire
from walktall.hw.light import Light
from walktall.hw.wallclock import WallClock
from walktall.retained import CRASHES_MAX, SAFE_RESETS_MAX, Retained
from walktall_sim.board import driver_time
from walktall_sim.bus import VirtualI2C
from walktall_sim.chips import CHIPS
from walktall_sim.clock import VirtualClock
from walktall_sim.serialport import MemoryPort

from tests import circuitpython_surface as surface
from tests.vm.machine import compact_mounts
from tests.walking_board import Walker

FIRMWARE = Path(__file__).resolve().parent.parent / "firmware"
XIAO, NANO, PICO = boards.names()[0], "arduino_nano_rp2040_connect", "raspberry_pi_pico"


class Reset(BaseException):
    """microcontroller.reset()"""


class Reload(BaseException):
    """supervisor.reload()"""


class Enough(BaseException):
    """The test has seen enough."""


_LOADED: dict[Path, dict[str, Any]] = {}


@contextmanager
def package(firmware: Path) -> Iterator[None]:
    """`walktall` is the package of that folder, for whoever imports it meanwhile."""
    if firmware == FIRMWARE:
        yield
        return

    def ours() -> dict[str, Any]:
        return {name: module for name, module in sys.modules.items() if name.split(".")[0] == "walktall"}

    before = ours()
    for name in before:
        del sys.modules[name]
    sys.modules.update(_LOADED.get(firmware, {}))
    sys.path.insert(0, str(firmware / "lib"))
    try:
        importlib.import_module("walktall.device")
        yield
    finally:
        sys.path.remove(str(firmware / "lib"))
        _LOADED[firmware] = ours()
        for name in _LOADED[firmware]:
            del sys.modules[name]
        sys.modules.update(before)


class Desk:
    """A board's parts, whose behaviour is the virtual board's, behind CircuitPython's modules."""

    def __init__(self, board_id: str, folder: Path, firmware: Path = FIRMWARE) -> None:
        self.board_id = board_id
        self.folder = folder
        self.firmware = firmware
        self.clock = VirtualClock()
        profile = boards.select(board_id)
        assert profile is not None
        self.profile = profile
        self.bus = VirtualI2C(self.clock)
        self.chip = CHIPS[profile.chips[0]](Walker(), self.clock)
        self.chip.set_power(not profile.imu_power_pin)
        self.clock.sleep(0.1)  # CircuitPython's own start takes longer
        self.bus.attach(profile.imu_address, self.chip)
        self.port = MemoryPort(self.clock)
        self.levels: dict[str, bool] = {}  # of inputs, by pin
        self.outputs: dict[str, list[bool]] = {}
        self.duties: list[int] = []
        self.usb = False
        self.readonly = False
        self.memory = bytearray(b"\x5a" * 256)  # noise, as after power-on
        self.nvm = bytearray(b"\xff" * (8192 if profile.banks[1].startswith("nvm") else 4096))
        self.nvm_writes = 0
        self.calls: list[tuple[str, Any]] = []
        self.printed: list[str] = []
        self.env: dict[str, Any] = {}
        self.rtc_moment = real_time.gmtime(946684800)  # 2000, as after power-on
        self.end_s = 10.0
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.well_s = 600
        self.safe_mode = "NONE"
        self.reset_reason = "POWER_ON"
        self.watchdog_fault: Exception | None = None  # what setting its mode raises
        self.fed_s: list[float] = []
        self.watchdog_mode: Any = None
        self.files_written: list[str] = []
        self.taken: set[str] = set()  # pins in use
        self.modules: dict[str, Any] = {}

    # What the parts do.

    def _take(self, *pins: Any) -> None:
        """As CircuitPython does with the pins that a part is made on.

        :raises TypeError: it is no pin
        :raises ValueError: it is in use
        """
        for pin in pins:
            if not isinstance(pin, surface.Mark):
                raise TypeError(f"argument must be of type 'Pin', not '{type(pin).__name__}'")
            if pin.name in self.taken:
                raise ValueError(f"{pin.name} in use")
            self.taken.add(pin.name)

    def _makes(self) -> dict[str, dict[str, Any]]:
        desk = self

        class DigitalInOut:
            def __init__(self, pin: Any) -> None:
                desk._take(pin)
                self._pin = pin.name
                self._output = False

            def deinit(self) -> None:
                desk.taken.discard(self._pin)
                desk.calls.append(("deinit", self._pin))

            def switch_to_output(self, value: bool = False, drive_mode: Any = None) -> None:
                self._output = True
                self.value = value

            def switch_to_input(self, pull: Any = None) -> None:
                desk.calls.append(("input", (self._pin, pull.name if pull else None)))

            @property
            def value(self) -> bool:
                return desk.outputs[self._pin][-1] if self._output else desk.levels.get(self._pin, True)

            @value.setter
            def value(self, value: bool) -> None:
                assert self._output
                desk.outputs.setdefault(self._pin, []).append(bool(value))
                if self._pin == desk.profile.imu_power_pin:
                    desk.chip.set_power(bool(value))

        class PWMOut:
            def __init__(
                self, pin: Any, *, duty_cycle: int = 0, frequency: int = 500, variable_frequency: bool = False
            ) -> None:
                desk._take(pin)
                desk.calls.append(("pwm", (pin.name, frequency)))
                self._duty = duty_cycle

            @property
            def duty_cycle(self) -> int:
                return self._duty

            @duty_cycle.setter
            def duty_cycle(self, duty_cycle: int) -> None:
                assert 0 <= duty_cycle <= 65535
                self._duty = duty_cycle
                desk.duties.append(duty_cycle)

        class I2C:
            def __init__(self, scl: Any, sda: Any, *, frequency: int = 100000, timeout: int = 255) -> None:
                desk._take(scl, sda)
                self._pins = {scl.name, sda.name}
                desk.calls.append(("i2c", (scl.name, sda.name)))
                # The sensor's bus, or another one with pull-ups of its own.
                try:
                    bus = desk.bus.reopen() if sda.name == desk.profile.imu_sda else VirtualI2C(desk.clock)
                except RuntimeError:
                    desk.taken -= self._pins
                    raise
                for name in ("try_lock", "unlock", "scan", "writeto", "readfrom_into", "writeto_then_readfrom"):
                    setattr(self, "_" + name, getattr(bus, name))
                self._deinit = bus.deinit

            def deinit(self) -> None:
                desk.taken -= self._pins
                self._deinit()

            def try_lock(self) -> bool:
                return bool(self._try_lock())  # type: ignore[attr-defined]

            def unlock(self) -> None:
                self._unlock()  # type: ignore[attr-defined]

            def scan(self) -> Any:
                return self._scan()  # type: ignore[attr-defined]

            def writeto(self, address: int, buffer: Any, *, start: int = 0, end: int | None = None) -> None:
                self._writeto(address, buffer, start=start, end=end)  # type: ignore[attr-defined]

            def readfrom_into(self, address: int, buffer: Any, *, start: int = 0, end: int | None = None) -> None:
                self._readfrom_into(address, buffer, start=start, end=end)  # type: ignore[attr-defined]

            def writeto_then_readfrom(self, address: int, out_buffer: Any, in_buffer: Any, **how: Any) -> None:
                self._writeto_then_readfrom(address, out_buffer, in_buffer, **how)  # type: ignore[attr-defined]

        class AnalogIn:
            def __init__(self, pin: Any) -> None:
                desk._take(pin)
                if not re.match(r"A\d|VBATT|VOLTAGE_MONITOR", pin.name):
                    raise ValueError("Invalid pin")  # no converter behind it
                desk.calls.append(("analog", pin.name))
                self.value = 26000
                self.reference_voltage = 3.3

        class ByteArray:
            def __len__(self) -> int:
                return len(desk.nvm)

            def __getitem__(self, index: Any) -> Any:
                return desk.nvm[index]

            def __setitem__(self, index: Any, value: Any) -> None:
                desk.nvm[index] = value
                desk.nvm_writes += 1

        class SleepMemory:
            def __len__(self) -> int:
                return len(desk.memory)

            def __getitem__(self, index: Any) -> Any:
                return desk.memory[index]

            def __setitem__(self, index: Any, value: Any) -> None:
                desk.memory[index] = value

        class WatchDogTimer:
            def __init__(self) -> None:
                self.timeout = 0.0

            def feed(self) -> None:
                desk.fed_s.append(desk.clock.now_us / 1e6)

            @property
            def mode(self) -> Any:
                return desk.watchdog_mode

            @mode.setter
            def mode(self, mode: Any) -> None:
                if desk.watchdog_fault is not None:
                    raise desk.watchdog_fault
                desk.watchdog_mode = mode
                desk.fed_s.append(desk.clock.now_us / 1e6)

        class Runtime:
            def __init__(self) -> None:
                self.autoreload = True

            @property
            def usb_connected(self) -> bool:
                return desk.usb

        class Serial:
            def __init__(self) -> None:
                self.timeout: float | None = None
                self.write_timeout: float | None = None

            @property
            def connected(self) -> bool:
                return desk.port.connected

            @property
            def in_waiting(self) -> int:
                return desk.port.in_waiting

            def readinto(self, buf: Any) -> int:
                assert self.timeout == 0, "it would wait for ever"
                return desk.port.readinto(buf)

            def write(self, buf: Any) -> int:
                assert self.write_timeout == 0, "it would wait for ever"
                return desk.port.write(buf)

        class VfsFat:
            def __init__(self, block_device: Any = None) -> None:
                self.readonly = desk.readonly

        class RTC:
            datetime = desk.rtc_moment

        def remount(mount_path: str, readonly: bool = False, **how: Any) -> None:
            desk.calls.append(("remount", (mount_path, readonly)))
            desk.readonly = readonly

        def reset() -> None:
            raise Reset

        def reload() -> None:
            raise Reload

        return {
            "digitalio": {"DigitalInOut": DigitalInOut},
            "pwmio": {"PWMOut": PWMOut},
            "busio": {"I2C": I2C},
            "analogio": {"AnalogIn": AnalogIn},
            "alarm": {"SleepMemory": SleepMemory},
            "watchdog": {"WatchDogTimer": WatchDogTimer},
            "nvm": {"ByteArray": ByteArray},
            "supervisor": {"Runtime": Runtime, "reload": reload, "ticks_ms": desk.clock.ticks_ms},
            "usb_cdc": {"Serial": Serial, "enable": lambda **how: desk.calls.append(("usb_cdc.enable", how))},
            "usb_hid": {"disable": lambda: desk.calls.append(("usb_hid.disable", ()))},
            "usb_midi": {"disable": lambda: desk.calls.append(("usb_midi.disable", ()))},
            "storage": {"remount": remount, "getmount": lambda path: VfsFat()},
            "rtc": {"RTC": RTC},
            "microcontroller": {"reset": reset},
        }

    def _make_modules(self) -> None:
        self.taken.clear()
        made: dict[str, Any] = {}
        does = self._makes()
        for name, what in does.items():
            made[name] = surface.make_module(name, surface.stub(name), what)
        # Instances that the stubs name by a class of another module.
        chip = made["microcontroller"]
        chip.nvm = made["nvm"].ByteArray()
        chip.watchdog = made["watchdog"].WatchDogTimer()
        chip.cpu.reset_reason = getattr(chip.ResetReason, self.reset_reason)
        made["usb_cdc"].data = made["usb_cdc"].Serial()
        runtime = made["supervisor"].runtime
        runtime.safe_mode_reason = getattr(made["supervisor"].SafeModeReason, self.safe_mode)
        # The names of the profile and of settings.toml, where a pin has several.
        shown = [str(name) for name in (*vars(self.profile).values(), "LED_RED", *self.env.values())]
        made["board"] = surface.make_module(
            "board", surface.board_stub(self.board_id), {"board_id": self.board_id}, shown
        )
        made["time"] = types.SimpleNamespace(
            sleep=self._sleep,
            monotonic=lambda: self.clock.now_us / 1e6,
            localtime=lambda seconds: real_time.gmtime(seconds),
            mktime=calendar.timegm,
        )
        made["os"] = types.SimpleNamespace(
            getenv=self.env.get,
            mkdir=self._mkdir,
            stat=lambda path: self._inside(path).stat(),
            statvfs=lambda path: (512, 512, 4000, 2000, 2000, 0, 0, 0, 0, 255),
            urandom=lambda n: bytes(range(n)),
        )
        # A copy: what the program lets go of, these tests still need.
        made["sys"] = types.SimpleNamespace(modules=dict(sys.modules))
        self.modules = made

    def _sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        while self.later and self.clock.now_us > self.later[0][0] * 1e6:
            self.later.pop(0)[1]()
        if self.clock.now_us > self.end_s * 1e6:
            raise Enough

    def _inside(self, path: str) -> Path:
        return self.folder / path.lstrip("/")

    def _mkdir(self, path: str) -> None:
        if self.readonly:
            raise OSError(30)
        self._inside(path).mkdir()

    def _open(self, path: str, mode: str = "r") -> Any:
        if self.readonly and mode != "rb":
            raise OSError(30)
        if mode != "rb":
            self.files_written.append(path)
        return open(self._inside(path), mode, buffering=0 if "b" in mode else -1)  # what is written is there

    # Running.

    def run(self, name: str) -> BaseException | None:
        """Execute one of the board's files anew; what it ended by."""
        self._make_modules()

        def import_(wanted: str, *rest: Any) -> Any:
            if wanted == "walktall.hw.start" and wanted not in self.modules:
                # It runs anew each time, as the files of the drive's root do, for it imports what only boards have.
                start = types.ModuleType(wanted)
                vars(start).update(__builtins__=mine, __package__="walktall.hw")
                exec(compile((self.firmware / "lib/walktall/hw/start.py").read_text(), "start.py", "exec"), vars(start))
                self.modules[wanted] = self.modules["sys"].modules[wanted] = start
            if wanted in self.modules:
                return self.modules[wanted]
            return builtins.__import__(wanted, *rest)

        mine = dict(vars(builtins))
        mine["__import__"] = import_
        mine["open"] = self._open
        mine["print"] = lambda *what: self.printed.append(" ".join(str(w) for w in what))
        # Of the ten minutes that a device has to run well.
        source = re.sub(r"\b600\b", str(self.well_s), (self.firmware / name).read_text())
        try:
            with driver_time(self.clock), package(self.firmware):
                self.modules["sys"].modules = dict(sys.modules)
                exec(compile(source, name, "exec"), {"__builtins__": mine, "__name__": "__main__"})
        except (Reset, Reload, Enough) as end:
            return end
        return None

    def work(self, seconds: float) -> BaseException | None:
        """Let ``code.py`` run for some virtual seconds."""
        self.end_s = self.clock.now_us / 1e6 + seconds
        return self.run("code.py")

    def count(self, call: str) -> int:
        return sum(1 for name, _ in self.calls if name == call)


# It meddles with the sources' own names.
sources_only = pytest.mark.parametrize("desk", ["sources"], indirect=True)


@pytest.fixture(params=["sources", "drive"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Desk]:
    firmware = FIRMWARE if request.param == "sources" else compact_mounts()[0][0].parent

    def make(board_id: str = XIAO) -> Desk:
        return Desk(board_id, tmp_path, firmware)

    return make


# ---- the surface itself ---------------------------------------------------------------------------------------------


def test_what_circuitpython_does_not_have_does_not_exist_here(desk: Callable[..., Desk]) -> None:
    one = desk()
    one._make_modules()
    digitalio, storage = one.modules["digitalio"], one.modules["storage"]
    pin = digitalio.DigitalInOut(one.modules["board"].D1)
    with pytest.raises(AttributeError):
        pin.toggle()
    with pytest.raises(AttributeError):
        pin.valve = True
    with pytest.raises(TypeError):
        pin.switch_to_output(True, False, 1)
    with pytest.raises(TypeError):
        storage.remount("/", read_only=True)
    with pytest.raises(AttributeError):
        _ = one.modules["microcontroller"].restart
    with pytest.raises(AttributeError):
        _ = one.modules["board"].GP4  # a Pico's
    with pytest.raises(surface.Undeclared):
        surface.make_module("rtc", surface.stub("rtc"), {"now": 1})


@pytest.mark.parametrize("board_id", boards.names())
def test_every_pin_of_a_profile_exists_on_its_board(board_id: str) -> None:
    board = surface.make_module("board", surface.board_stub(board_id), {})
    profile = boards.select(board_id)
    for field, name in vars(profile).items():
        if (field.endswith("_pin") or field in ("imu_sda", "imu_scl")) and name:
            assert hasattr(board, name), f"{board_id} has no {name} for {field}"


# ---- code.py --------------------------------------------------------------------------------------------------------


@sources_only
def test_what_was_loaded_for_a_computer_that_went_at_once_is_let_go(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    from walktall import hw
    from walktall.device import Device

    one = desk()
    let_go: list[tuple[float, str]] = []
    arriving: list[int] = []
    turn = Device.poll

    def poll(self: Any) -> None:
        turn(self)
        arriving.append(self.arriving)
        if self.arriving == 2:
            one.port.host.close()

    monkeypatch.setattr(Device, "poll", poll)
    monkeypatch.setattr(hw, "let_go", lambda modules, *names: let_go.extend((one.clock.now_us / 1e6, n) for n in names))
    began_s = one.clock.now_us / 1e6
    one.later.append((began_s + 5, one.port.host.open))
    assert isinstance(one.work(10), Enough)
    assert max(arriving) == 2 and arriving[-1] == 0
    at_s = {name: at_s for at_s, name in let_go}
    for name in ("visit", "telling", "link", "sending", "frames", "answers", "selftest"):
        assert began_s + 5 <= at_s[f"walktall.{name}"] <= began_s + 6


@pytest.mark.parametrize("board_id", boards.names())
def test_the_program_starts_walks_and_stays_quiet(desk: Callable[..., Desk], board_id: str) -> None:
    one = desk(board_id)
    assert isinstance(one.work(30), Enough)
    assert one.modules["supervisor"].runtime.autoreload is False
    assert one.nvm[:3] == b"WTJ" or (one.folder / "data" / "journal.bin").read_bytes()[4096:4099] == b"WTJ"
    assert one.bus.n_transfers > 30 * 4
    assert one.printed == []
    assert one.duties[-1] == 0
    leds = [levels for pin, levels in one.outputs.items() if pin.startswith("LED")]
    assert len(leds) == (3 if board_id == XIAO else 1)
    assert any(len(set(levels)) == 2 for levels in leds)  # it blinks: no upright is known
    assert not Retained(one.memory).crashes
    # What was needed to get there has made room.
    gone = {"walktall.boards", "adafruit_lsm6ds", "adafruit_lsm6ds.lsm6ds3trc", "adafruit_register.i2c_bits"}
    assert gone <= set(sys.modules) and not gone & set(one.modules["sys"].modules)
    assert "walktall.device" in one.modules["sys"].modules


def test_the_sensor_is_started_again_after_its_driver_was_let_go(desk: Callable[..., Desk]) -> None:
    one = desk(XIAO)
    seen: list[int] = []
    one.later = [
        (10.0, lambda: setattr(one.bus, "stuck", True)),
        (14.0, lambda: setattr(one.bus, "stuck", False)),
        (20.0, lambda: seen.append(one.bus.n_transfers)),
        (30.0, lambda: seen.append(one.bus.n_transfers)),
    ]
    assert isinstance(one.work(32), Enough)
    assert one.printed == [] and "adafruit_lsm6ds" not in one.modules["sys"].modules
    assert seen[1] - seen[0] > 10 * 8  # status and burst, four times a second


def test_the_file_bank_lies_in_a_folder_and_only_it_is_written(desk: Callable[..., Desk]) -> None:
    one = desk(PICO)
    one.work(10)
    assert set(one.files_written) == {boards.BANK_FILE, boards.TRACE_FILE}
    assert [path.name for path in one.folder.iterdir()] == ["data"]


def test_a_layout_of_the_trace_that_was_cut_goes_on_and_a_ring_in_use_is_left_alone(desk: Callable[..., Desk]) -> None:
    one = desk(PICO)
    one.work(5)
    path = one.folder / "data" / "trace.bin"
    whole = path.stat().st_size
    assert whole == boards.select(PICO).trace_blocks * 512
    ring = path.read_bytes()
    assert ring[8 * 512] != 0xFF  # its first block
    # The power went while it was being laid out: no block lies in it yet.
    path.write_bytes(b"\xff" * 65536)
    one.work(5)
    assert path.stat().st_size == whole
    # A ring of another size, in use: laid out anew, all that it holds would go.
    path.write_bytes(ring[: 256 * 512])
    one.work(5)
    assert path.stat().st_size == 256 * 512
    # The journal's bank, too, is made when it is missing, and never over one that is there.
    bank = one.folder / "data" / "journal.bin"
    kept = bank.read_bytes()
    one.work(5)
    assert bank.read_bytes()[4096:8192] == kept[4096:8192]


def test_the_watchdog_is_armed_when_worn_and_fed_well_within_its_time(desk: Callable[..., Desk]) -> None:
    one = desk()
    one.work(20)
    assert repr(one.watchdog_mode) == "WatchDogMode.RESET"
    timeout = one.modules["microcontroller"].watchdog.timeout
    assert 1 < timeout <= 8.388  # I2C takes a second to give up; RP2040's limit
    pauses = [b - a for a, b in itertools.pairwise(one.fed_s)]
    assert max(pauses) < timeout / 2


def test_with_a_stuck_bus_the_watchdog_is_still_fed_in_time(desk: Callable[..., Desk]) -> None:
    one = desk()
    one.chip.nack_next(10**9)
    one.work(3)
    one.bus.stuck = True
    one.work(20)
    pauses = [b - a for a, b in itertools.pairwise(one.fed_s)]
    assert max(pauses) < one.modules["microcontroller"].watchdog.timeout


@pytest.mark.parametrize("why", ["usb", "readonly"])
def test_the_watchdog_sleeps_with_a_computer_and_in_maintenance(desk: Callable[..., Desk], why: str) -> None:
    one = desk()
    setattr(one, why, True)
    one.work(10)
    assert one.watchdog_mode is None


@pytest.mark.parametrize("reason", ["SOFTWARE", "UNKNOWN"])
def test_a_watchdog_that_a_software_reset_did_not_stop_is_fed_from_the_first_moment_on(
    desk: Callable[..., Desk], reason: str
) -> None:
    """Worn, then plugged in, then asked for maintenance: on nRF the watchdog runs on through the install."""
    one = desk()
    one.work(5)
    assert Retained(one.memory).watchdog
    one.fed_s.clear()
    one.usb = one.readonly = True
    one.reset_reason = reason
    began_s = one.clock.now_us / 1e6
    one.work(30)
    pauses = [b - a for a, b in itertools.pairwise([began_s, *one.fed_s])]
    assert len(one.fed_s) > 20
    assert max(pauses) < one.modules["microcontroller"].watchdog.timeout / 2


@pytest.mark.parametrize("reason", ["POWER_ON", "BROWNOUT", "RESET_PIN", "WATCHDOG"])
def test_a_reset_that_stops_the_watchdog_is_known_for_one(desk: Callable[..., Desk], reason: str) -> None:
    one = desk()
    one.work(5)
    one.fed_s.clear()
    one.watchdog_mode = None
    one.usb = one.readonly = True
    one.reset_reason = reason
    one.work(10)
    assert one.watchdog_mode is None
    assert one.fed_s == []
    assert not Retained(one.memory).watchdog


@pytest.mark.parametrize("fault", [OSError(1), TypeError("cannot be changed"), RuntimeError()])
def test_a_watchdog_that_cannot_be_set_again_is_still_fed(desk: Callable[..., Desk], fault: Exception) -> None:
    one = desk()
    one.watchdog_fault = fault
    assert isinstance(one.work(10), Enough)
    assert len(one.fed_s) > 10
    assert not Retained(one.memory).crashes


@pytest.mark.parametrize("board_id", [XIAO, PICO])
def test_a_driver_chip_of_the_motor_that_is_missing_costs_the_buzzes_alone(
    desk: Callable[..., Desk], board_id: str
) -> None:
    one = desk(board_id)
    one.env["WALKTALL_MOTOR"] = "drv2605"
    one.port.host.open()
    one.port.host.write(wire.encode(wire.HELLO, 1))
    assert isinstance(one.work(10), Enough)
    assert b"motor missing" in bytes(one.port._to_host)
    assert one.bus.n_transfers > 4 * 5
    assert not Retained(one.memory).crashes


def test_a_line_of_settings_toml_that_cannot_be_read_is_refused_and_told(desk: Callable[..., Desk]) -> None:
    one = desk()

    class Unreadable(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            if key == "WALKTALL_LED_ACTIVE_LOW":
                raise ValueError("Invalid TOML")
            return default

    one.env = Unreadable()
    one.run("boot.py")
    assert one.count("remount") == 1
    one.port.host.open()
    one.port.host.write(wire.encode(wire.HELLO, 1))
    assert isinstance(one.work(5), Enough)
    assert b"toml: LED_ACTIVE_LOW" in bytes(one.port._to_host)


def test_the_clip_is_no_keyboard(desk: Callable[..., Desk]) -> None:
    one = desk()
    one.run("boot.py")
    names = [name for name, _ in one.calls]
    assert names.index("usb_hid.disable") < names.index("usb_cdc.enable")
    assert "usb_midi.disable" in names


def test_the_clip_offers_no_files_over_bluetooth(desk: Callable[..., Desk]) -> None:
    one = desk()
    one.run("boot.py")
    assert one.modules["supervisor"].runtime.ble_workflow is False


def test_a_board_without_bluetooth_boots_all_the_same(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = desk(PICO)
    made = one._makes

    def makes() -> dict[str, Any]:
        does = made()

        class Runtime(does["supervisor"]["Runtime"]):  # type: ignore[misc]
            @property
            def ble_workflow(self) -> bool:
                return False

            @ble_workflow.setter
            def ble_workflow(self, value: bool) -> None:
                raise NotImplementedError

        does["supervisor"]["Runtime"] = Runtime
        return does

    monkeypatch.setattr(one, "_makes", makes)
    one.run("boot.py")
    names = [name for name, _ in one.calls]
    assert names.index("usb_hid.disable") < names.index("usb_cdc.enable")
    assert one.count("remount") == 1


def test_a_driver_chip_without_its_library_costs_the_buzzes_alone(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "adafruit_drv2605", None)  # an import of it is an ImportError
    one = desk(XIAO)
    one.env["WALKTALL_MOTOR"] = "drv2605"
    one.port.host.open()
    one.port.host.write(wire.encode(wire.HELLO, 1))
    assert isinstance(one.work(10), Enough)
    assert b"motor missing" in bytes(one.port._to_host)
    assert not Retained(one.memory).crashes


def test_of_the_batterys_conversions_the_greatest_counts() -> None:
    from walktall.hw.power import Power

    values = iter([20000, 24000, 25000, 25000])

    class Slow:
        value = property(lambda self: next(values))

    assert Power(Slow(), 151, 51, 3300).battery_mv == ((25000 * 3300) >> 16) * 151 // 51


@sources_only
def test_in_maintenance_nothing_is_written_to_the_drive(desk: Callable[..., Desk]) -> None:
    one = desk(PICO)
    one.readonly = True
    assert isinstance(one.work(10), Enough)
    assert one.files_written == []
    assert list(one.folder.iterdir()) == []


def _break_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    from walktall import device

    def broken(self: Any, now_ms: int) -> None:
        raise MemoryError

    monkeypatch.setattr(device.Device, "_turn", broken)


@sources_only
def test_an_exception_stops_the_motor_is_kept_and_the_program_starts_anew_in_seconds(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = desk()
    _break_turns(monkeypatch)
    began_us = one.clock.now_us
    assert isinstance(one.work(60), Reset)  # armed: a reload could not stop the watchdog
    assert (one.clock.now_us - began_us) / 1e6 < 10
    assert one.duties[-1] == 0
    assert Retained(one.memory).crashes == 1
    monkeypatch.undo()
    one.port.host.open()
    one.work(3)
    assert Retained(one.memory).error == "MemoryError"


@sources_only
def test_a_crash_loop_slows_down_and_stops_writing(desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    one = desk()
    one.work(5)
    _break_turns(monkeypatch)
    for _ in range(CRASHES_MAX):
        assert isinstance(one.work(100), Reset)
    writes = one.nvm_writes
    began_us = one.clock.now_us
    assert isinstance(one.work(100), Reset)
    assert (one.clock.now_us - began_us) / 1e6 >= 60
    pauses = [b - a for a, b in itertools.pairwise(one.fed_s)]
    assert max(pauses) < one.modules["microcontroller"].watchdog.timeout  # the long pause is fed
    monkeypatch.undo()

    def hello() -> None:
        one.port.host.open()
        one.port.host.write(wire.encode(wire.HELLO, 1))

    one.later = [(one.clock.now_us / 1e6 + 60, hello)]
    one.work(65)  # a walk that would leave a record
    assert one.nvm_writes == writes


def test_ten_good_minutes_forget_the_crashes(desk: Callable[..., Desk]) -> None:
    assert "_WELL_S = 600" in (FIRMWARE / "code.py").read_text()
    one = desk()
    one.well_s = 30  # the minutes are not waited for here
    Retained(one.memory).note_crash(OSError())
    one.work(28)
    assert Retained(one.memory).crashes == 1
    one.work(35)
    assert Retained(one.memory).crashes == 0
    assert Retained(one.memory).error == "OSError"


@sources_only
def test_ctrl_c_of_a_developer_stops_the_motor(desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    from walktall import device

    def interrupted(self: Any) -> None:
        self._motor.duty_u16 = 50000
        raise KeyboardInterrupt

    monkeypatch.setattr(device.Device, "poll", interrupted)
    one = desk()
    with pytest.raises(KeyboardInterrupt):
        one.work(5)
    assert one.duties[-1] == 0


def test_a_maintenance_boot_is_asked_for_over_serial_and_happens_once(desk: Callable[..., Desk]) -> None:
    one = desk()
    one.run("boot.py")
    assert one.count("remount") == 1
    one.port.host.open()
    one.port.host.write(wire.encode(wire.MAINTENANCE, 1))
    assert isinstance(one.work(20), Reset)
    assert bytes([wire.MAINTENANCE | wire.REPLY]) in bytes(one.port._to_host)  # it was told before
    one.readonly = True  # as a reset leaves it
    one.run("boot.py")
    assert one.count("remount") == 1
    assert one.readonly
    one.run("boot.py")
    assert one.count("remount") == 2


def test_in_a_maintenance_boot_the_same_request_gives_the_drive_back(desk: Callable[..., Desk]) -> None:
    one = desk()
    one.readonly = True
    one.port.host.open()
    one.port.host.write(wire.encode(wire.MAINTENANCE, 1))
    assert isinstance(one.work(20), Reset)
    one.run("boot.py")
    assert one.count("remount") == 1


@pytest.mark.parametrize("board_id", [XIAO, PICO])
def test_a_haptic_driver_chip_shares_the_sensors_bus_where_it_has_to(
    desk: Callable[..., Desk], board_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[int] = []

    class Drv2605(surface.Drv2605):
        realtime_value = property(None, lambda self, value: played.append(value))

    surface.fit_driver_chip(monkeypatch, Drv2605)
    one = desk(board_id)
    one.env["WALKTALL_MOTOR"] = "drv2605"
    assert isinstance(one.work(10), Enough)
    buses = [pins for name, pins in one.calls if name == "i2c"]
    assert len(set(buses)) == (2 if board_id == XIAO else 1)
    assert played[-1] == 0
    assert one.printed == []


def test_a_board_without_the_second_port_works_all_the_same(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = desk()
    make = one._make_modules

    def without() -> None:
        make()
        one.modules["usb_cdc"].data = None

    monkeypatch.setattr(one, "_make_modules", without)
    assert isinstance(one.work(5), Enough)


@sources_only
def test_an_unknown_board_is_told_so_and_left_alone(desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    one = desk()
    monkeypatch.setattr(boards, "select", lambda *what: None)
    assert one.work(5) is None
    assert "does not know" in one.printed[0]


# ---- boot.py --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("board_id", boards.names())
def test_worn_python_writes_the_drive_and_the_host_has_its_port(desk: Callable[..., Desk], board_id: str) -> None:
    one = desk(board_id)
    assert one.run("boot.py") is None
    assert ("usb_cdc.enable", {"console": True, "data": True}) in one.calls
    assert ("remount", ("/", False)) in one.calls
    assert one.printed == []
    assert one.count("deinit") == 1  # code.py needs the button's pin


def test_the_button_held_at_boot_gives_the_drive_to_the_computer(desk: Callable[..., Desk]) -> None:
    one = desk()
    one.levels[one.profile.button_pin] = False
    one.run("boot.py")
    assert one.count("remount") == 0
    assert one.count("usb_cdc.enable") == 1


@sources_only
def test_whatever_fails_at_boot_the_drive_stays_with_the_computer_and_nothing_is_printed(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = desk()

    def broken(*what: Any) -> None:
        raise ValueError("settings.toml")

    monkeypatch.setattr(boards, "select", broken)
    assert one.run("boot.py") is None
    assert one.count("remount") == 0
    assert one.printed == []


# ---- safemode.py ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["WATCHDOG", "BROWNOUT", "HARD_FAULT"])
def test_safe_mode_is_left_by_a_reset_and_not_for_ever(desk: Callable[..., Desk], reason: str) -> None:
    one = desk()
    one.safe_mode = reason
    one.end_s = 1e9
    ends = [one.run("safemode.py") for _ in range(SAFE_RESETS_MAX + 3)]
    assert [isinstance(end, Reset) for end in ends] == [True] * SAFE_RESETS_MAX + [False] * 3
    assert Retained(one.memory).reason


@pytest.mark.parametrize("reason", ["USER", "NO_CIRCUITPY", "USB_TOO_MANY_ENDPOINTS", "PROGRAMMATIC", "NONE"])
def test_a_safe_mode_that_a_person_has_to_see_stays(desk: Callable[..., Desk], reason: str) -> None:
    one = desk()
    one.safe_mode = reason
    assert one.run("safemode.py") is None


def test_ten_good_minutes_give_safe_mode_its_resets_back(desk: Callable[..., Desk]) -> None:
    one = desk()
    one.safe_mode = "WATCHDOG"
    one.end_s = 1e9
    for _ in range(SAFE_RESETS_MAX + 1):
        one.run("safemode.py")
    one.well_s = 20
    one.work(25)
    one.end_s = 1e9
    assert isinstance(one.run("safemode.py"), Reset)


# ---- light and clock ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("active_low", [0, 1])
def test_one_led_shows_any_colour_and_three_show_each(active_low: int) -> None:
    pins = [types.SimpleNamespace(value=None) for _ in range(3)]
    light = Light(pins, active_low)
    assert [pin.value != bool(active_low) for pin in pins] == [False, False, False]
    light.set(5)
    assert [pin.value != bool(active_low) for pin in pins] == [True, False, True]
    light.set(0)
    assert [pin.value != bool(active_low) for pin in pins] == [False, False, False]
    one = Light(pins[:1], active_low)
    one.set(4)
    assert pins[0].value != bool(active_low)


def test_the_wall_clock_is_not_set_until_it_is() -> None:
    rtc = types.SimpleNamespace(datetime=real_time.gmtime(1609459200))  # 2021, as RP2040 begins
    clock = WallClock(rtc, types.SimpleNamespace(localtime=real_time.gmtime, mktime=calendar.timegm))
    assert clock.utc_s == 0
    clock.utc_s = 200_000_000
    assert clock.utc_s == 200_000_000
    assert real_time.strftime("%Y-%m-%d", rtc.datetime) == "2026-05-03"


def test_the_walk_is_dated_by_the_real_time_clock_after_a_reset(desk: Callable[..., Desk]) -> None:
    one = desk()
    one.rtc_moment = real_time.gmtime(1577836800 + 200_000_000)

    def download() -> None:
        one.port.host.open()
        one.port.host.write(wire.encode(wire.HELLO, 1) + wire.encode(wire.FETCH, 2, bytes(4)))

    one.later = [(100.0, download)]
    one.work(103)
    began = [200_000_000 + second for second in range(3)]
    assert any(second.to_bytes(4, "little") in bytes(one.nvm) for second in began)


def test_wiring_that_is_refused_is_told(desk: Callable[..., Desk]) -> None:
    one = desk()
    one.env["WALKTALL_MOTOR_PIN"] = 7
    one.port.host.open()
    one.port.host.write(wire.encode(wire.HELLO, 1))
    one.work(5)
    assert b"toml: MOTOR_PIN" in bytes(one.port._to_host)


# ---- settings.toml, requirements.txt --------------------------------------------------------------------------------


def test_every_line_of_settings_toml_is_wiring_that_the_profiles_know() -> None:
    text = (FIRMWARE / "settings.toml").read_text()
    assert tomllib.loads(text) == {}  # all commented: the profile holds
    offered = tomllib.loads(re.sub(r"(?m)^# (WALKTALL_)", r"\1", text))
    assert len(offered) >= 10
    asked: set[str] = set()

    def getenv(key: str) -> Any:
        asked.add(key)
        return offered.get(key)

    profile = boards.select(XIAO, getenv)
    assert profile is not None
    assert profile.refused == ()
    assert asked == set(offered)
    plain = boards.select(XIAO)
    assert vars(profile) == vars(plain), "what is offered is the reference board's own wiring"


def test_the_drives_libraries_are_pinned_to_what_the_virtual_board_runs() -> None:
    pins = dict(
        line.split("==")
        for line in (FIRMWARE / "requirements.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert pins["adafruit-circuitpython-lsm6ds"] == "4.6.3"
    for name, version in pins.items():
        try:
            assert importlib.metadata.version(name) == version, name
        except importlib.metadata.PackageNotFoundError:
            assert name == "adafruit-circuitpython-drv2605"  # optional, and not on the virtual board
