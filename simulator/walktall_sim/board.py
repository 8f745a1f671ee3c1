"""The whole clip on the desk: virtual parts, the firmware's own hardware drivers on them, and the ordinary ``Device``.

Nothing here decides anything: the board wires sensor, bus, motor pin, flash, port, button and supply to the very
modules that run on the clip, turns ``Device.poll()``, and lets time pass until ``Device.wait_ms()`` says that something
is due. It is deterministic: same source, same script, same edges, bytes and events.

A hang is ``Hang``, raised by whatever stands in for the code that does not come back: the motor goes on as it was, time
passes, and the watchdog, armed and fed as ``code.py`` does it, resets the board. Where it is not armed the board hangs
until ``restart``.

Its life is a board's: ``boot`` after power comes, ``restart`` (RAM is lost, flash stays), ``power_cut`` between two
operations of the flash, or a ``flash.Cut`` planned in the middle of one, which leaves ``step`` as ``flash.PowerCut``.

Not modelled: CircuitPython itself (``code.py`` and its modules have a test of their own), the time that code takes (a
turn is taken as 0.1 ms), the motor's shaking of the sensor (hang it on ``on_motor_edge`` and into the source).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import adafruit_lsm6ds
import walktall
from walktall import boards
from walktall.device import Device
from walktall.hw import banks as hw_banks
from walktall.hw.haptic import HapticMotor
from walktall.hw.imu import Imu
from walktall.hw.motor import NoMotor, PwmMotor

from walktall_sim import flash
from walktall_sim.bus import VirtualI2C
from walktall_sim.chips import CHIPS, Lsm6ds, SampleSource
from walktall_sim.clock import US_PER_S, Clock, VirtualClock
from walktall_sim.motor import ButtonScript, DigitalOut, Drv2605l, PwmOut
from walktall_sim.serialport import DevicePort, MemoryPort

TURN_US = 100
"""What one turn of the loop is taken to cost; without it a turn that is due at once would stop time."""
DRIVE_SECTORS = {"Seeed_XIAO_nRF52840_Sense": 512, "arduino_nano_rp2040_connect": 4096, "raspberry_pi_pico": 256}
"""Sectors of 4 KiB of each board's drive."""
FIRMWARE_BLOCKS = 1016
"""Blocks of the drive that FAT, firmware and libraries take."""
WATCHDOG_S = 6.0
"""``code.py``'s ``_WATCHDOG_S``; a test holds them together."""
RESET_S = 4.0
"""From a reset to the device's first turn: a second before CircuitPython runs anything (facts), and three for the
imports, which is a guess: no board was timed."""


RESET_WATCHDOG = 6
"""As ``code.py`` numbers ``microcontroller.ResetReason``."""


class Hang(BaseException):
    """The code does not come back. No handler of the firmware may catch it."""


class Watchdog:
    """``microcontroller.watchdog`` in RESET mode, and when ``code.py`` arms and feeds it.

    :param clock: the board's
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.timeout_s = WATCHDOG_S
        self.armed = False
        self.fed_us = 0
        self.n_resets = 0

    def feed(self, may_arm: bool) -> None:
        """The program is alive; the first time that it may, it arms the watchdog."""
        self.armed = self.armed or may_arm
        self.fed_us = self._clock.now_us

    @property
    def due_us(self) -> int:
        """When it bites unless it is fed."""
        return self.fed_us + int(self.timeout_s * US_PER_S)


@contextmanager
def driver_time(clock: Clock) -> Iterator[None]:
    """Let Adafruit's driver sleep on ``clock`` while this lasts.

    The driver is not touched: it binds ``time.sleep`` to a name of its own module when it is imported, and a replay
    must not spend 0.6 real seconds at each start of the sensor.
    """
    before = adafruit_lsm6ds.sleep
    adafruit_lsm6ds.sleep = clock.sleep
    try:
        yield
    finally:
        adafruit_lsm6ds.sleep = before


class Led:
    """A light that remembers what it showed.

    :param clock: the board's
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.colour = 0
        self.changes: list[tuple[int, int]] = []
        """(time in us, colour) of each change."""

    def set(self, colour: int) -> None:
        """Show ``colour``."""
        if colour != self.colour:
            self.colour = colour
            self.changes.append((self._clock.now_us, colour))


class Supply:
    """What the power manager reads; set by the test."""

    def __init__(self, battery_mv: int = 3900) -> None:
        self.battery_mv = battery_mv
        self.charging = False
        self.usb = False


class Rtc:
    """A clock that is lost with the battery and, on RP2040, by each reset.

    :param clock: the board's
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._set_us: int | None = None
        self._set_s = 0

    @property
    def utc_s(self) -> int:
        """Seconds since 2020-01-01 UTC, 0 if it has not been set."""
        if self._set_us is None:
            return 0
        return self._set_s + (self._clock.now_us - self._set_us) // US_PER_S

    @utc_s.setter
    def utc_s(self, utc_s: int) -> None:
        self._set_us = self._clock.now_us
        self._set_s = utc_s

    def lose(self) -> None:
        """The battery is gone, or an RP2040 was reset."""
        self._set_us = None


class VirtualBoard:
    """A clip.

    :param source: what the sensor feels; a clip lying still if None
    :param chip: ``lsm6ds3trc`` or ``lsm6dsox``; the profile's if empty
    :param clock: a new ``VirtualClock`` if None
    :param profile: board id, as in ``walktall.boards``
    :param settings: ``walktall.settings.Settings`` to be in force instead of the journal's
    :param port: the device's end of a port; a ``MemoryPort`` if None
    :param on_motor_edge: called with (time in us, duty) when the motor's duty changes
    :param rate_ppm: how much too fast the sensor's oscillator runs
    :param seed: of the ids that are drawn: the clip's, its journals', its traces'
    :param getenv: ``settings.toml``
    :param button: whether a button is fitted; without it the loop has less to look at
    :param trace: whether the drive has a file for the trace
    :param trace_blocks: its blocks of 512 bytes; the profile's if None
    :param trace_skew: how many blocks behind a sector's boundary it begins: not for Python to choose
    :param boot: switch on at once
    """

    def __init__(
        self,
        source: SampleSource | None = None,
        chip: str = "",
        clock: Clock | None = None,
        profile: str = boards.REFERENCE,
        *,
        settings: Any = None,
        port: DevicePort | None = None,
        on_motor_edge: Callable[[int, int], None] | None = None,
        rate_ppm: int = 0,
        seed: int | str = 1,
        getenv: Callable[[str], Any] | None = None,
        button: bool = True,
        trace: bool = True,
        trace_blocks: int | None = None,
        trace_skew: int = 3,
        boot: bool = True,
    ) -> None:
        self.profile = boards.select(profile, getenv)
        if self.profile is None:
            raise ValueError(f"no such board: {profile}")
        chip_name = chip or self.profile.chips[0]
        if chip_name not in CHIPS:
            raise ValueError(f"no such sensor: {chip_name}")
        self.clock: Clock = VirtualClock() if clock is None else clock
        self._settings = settings
        self._random = random.Random(seed)
        # Sensor, its bus and its supply.
        self.bus = VirtualI2C(self.clock)
        self.chip: Lsm6ds = CHIPS[chip_name](source, self.clock, rate_ppm)
        self.bus.attach(self.profile.imu_address, self.chip)
        self._has_imu_power = bool(self.profile.imu_power_pin)
        self.imu_power = DigitalOut(False, self.chip.set_power)
        # Motor, button, light, supply.
        self.pwm = PwmOut(self.clock, on_motor_edge)
        self.button = ButtonScript(self.clock)
        self._button_fitted = button
        self.led = Led(self.clock)
        self.supply = Supply()
        self.rtc = Rtc(self.clock)
        # Flash.
        self.flash_power = flash.PowerSupply()
        self._two_pages = self.profile.banks == (boards.BANK_NVM0, boards.BANK_NVM1)
        drive_class = flash.QspiDrive if self._two_pages else flash.Rp2040Drive
        nvm_class = flash.NordicNvm if self._two_pages else flash.Rp2040Nvm
        self.nvm: flash.Nvm = nvm_class(self.flash_power)
        self.drive: flash.Drive = drive_class(DRIVE_SECTORS[profile], self.flash_power, self.clock)
        self.files = flash.VirtualDrive(self.drive, FIRMWARE_BLOCKS)
        for bank in self.profile.banks:
            if not bank.startswith("nvm:"):
                # One block behind a sector boundary: where a file lies on a real drive is not for Python to choose.
                self.files.create(bank, hw_banks.FILE_SIZE, skew_blocks=1)
        self._trace = trace
        if trace:
            blocks = self.profile.trace_blocks if trace_blocks is None else trace_blocks
            self.files.create(self.profile.trace_file, blocks * flash.BLOCK_BYTES, skew_blocks=trace_skew)
        # Port.
        self.port: DevicePort = MemoryPort(self.clock, self.step) if port is None else port
        self.watchdog = Watchdog(self.clock)
        self.hung = False
        self.imu: Any = None
        self.device: Any = None
        self.powered = False
        if boot:
            self.boot()
        else:
            self._sensor_off()

    # Life.

    def boot(self, reset_reason: int = 0) -> None:
        """Power comes, or comes back: what ``code.py`` does.

        :raises flash.PowerCut: planned while the journal is made
        """
        self._sensor_off()
        self.hung = False
        self.watchdog.armed = False
        self.flash_power.is_on = True
        self.powered = True
        self.clock.sleep(0.01)
        if self._has_imu_power:
            imu_power: DigitalOut | None = self.imu_power
        else:
            self.chip.set_power(True)
            self.clock.sleep(0.02)
            imu_power = None
        imu: Any = Imu(self.bus.reopen, self.profile.imu_address, power=imu_power, sleep=self.clock.sleep)
        start = imu.start

        def start_on_the_boards_time() -> None:
            with driver_time(self.clock):
                start()

        imu.start = start_on_the_boards_time
        self.imu = imu
        try:
            self.device = Device(
                self.imu,
                self._motor(),
                self._banks(),
                self.port,
                self.clock.ticks_ms,
                self._settings,
                button=self.button if self._button_fitted else None,
                power=self.supply,
                led=self.led,
                rtc=self.rtc,
                board_name=self.profile.board_id,
                chip_name=self.chip.NAME,
                reset_reason=reset_reason,
                random_bytes=self._random.randbytes,
                source_folder=str(Path(walktall.__file__).parent),
                trace_file=self.files.open(self.profile.trace_file, "r+b") if self._trace else None,
                trace_parts=self.profile.trace_parts,
                drive_kib=(self.drive.n_blocks // 2, self.files.free_blocks // 2),
            )
        except flash.PowerCut:
            self._lose_power()
            raise

    def _motor(self) -> Any:
        if self.profile.motor == "pwm" and self.profile.motor_pin:
            return PwmMotor(self.pwm)
        if self.profile.motor == "drv2605":
            import adafruit_drv2605

            # On a bus of its own, as on boards whose sensor does not share one.
            bus = VirtualI2C(self.clock)
            bus.attach(Drv2605l.ADDRESS, Drv2605l(self.pwm))
            return HapticMotor(adafruit_drv2605.DRV2605(bus))
        return NoMotor()

    def _banks(self) -> tuple[Any, ...]:
        made: list[Any] = []
        for bank in self.profile.banks:
            if bank.startswith("nvm:"):
                made.append(hw_banks.NvmBank(self.nvm, int(bank[4:])))
            else:
                made.append(hw_banks.FileBank(bank, self.files.open))
        return tuple(made)

    def restart(self, reset_reason: int = 0, flush: bool = True) -> None:
        """A reset: RAM is lost, flash and supply stay, and on nRF the clock.

        :param flush: write the drive's cache back first, as ``microcontroller.reset()`` does and a watchdog does not
        """
        if self.powered:
            if flush:
                self.drive.flush()
            self._drop_ram()
            if "rp2040" in self.profile.board_id or "pico" in self.profile.board_id:
                self.rtc.lose()  # ports/raspberrypi/common-hal/rtc/RTC.c begins at 0 at each start
        self.boot(reset_reason)

    def power_cut(self) -> None:
        """The battery goes away between two operations."""
        self._lose_power()

    def _lose_power(self) -> None:
        self.flash_power.switch_off()
        self._drop_ram()
        self._sensor_off()
        self.rtc.lose()
        self.powered = False

    def _drop_ram(self) -> None:
        self.device = None
        self.imu = None
        self.pwm.duty_cycle = 0
        self.drive.lose_cache()
        self.bus.deinit()

    def _sensor_off(self) -> None:
        """Pins float at a reset: the sensor's supply pin is low until the firmware raises it."""
        self.imu_power.value = False
        if self._has_imu_power or not self.powered:
            self.chip.set_power(False)

    # Time.

    def step(self) -> None:
        """One turn of the device, and then time passes until the next thing is due.

        :raises flash.PowerCut: a planned one; the board is off then
        """
        clock = self.clock
        if self.device is None or self.hung:
            clock.sleep(0.001)
            return
        try:
            try:
                self.device.poll()
            except Hang:
                self._hang()
                return
            self.watchdog.feed(not self.supply.usb)
            if self.drive.flush_due_us is not None:
                self.drive.tick()
        except flash.PowerCut:
            self._lose_power()
            raise
        clock.advance_us(TURN_US)
        self.device.rest(self._sleep)

    def _sleep(self, seconds: float) -> None:
        """Up to the edge of the millisecond, as the device's own clock counts them."""
        us = int(seconds * US_PER_S + 0.5) - self.clock.now_us % 1000
        if us > 0:
            self.clock.sleep(us / US_PER_S)

    def _hang(self) -> None:
        """The program stands still: every output stays as it is, until the watchdog bites."""
        self.hung = True
        if not self.watchdog.armed:
            return
        wait_us = self.watchdog.due_us - self.clock.now_us
        if wait_us > 0:
            self.clock.sleep(wait_us / US_PER_S)
        self.watchdog.n_resets += 1
        self._drop_ram()  # pins float: the motor's gate is pulled down
        self.clock.sleep(RESET_S)
        self.boot(RESET_WATCHDOG)

    def run_until(self, t_s: float) -> None:
        """Run until the board's clock shows ``t_s`` seconds.

        :raises flash.PowerCut: a planned one
        """
        end_us = int(t_s * US_PER_S)
        while self.clock.now_us < end_us:
            self.step()

    def run_for(self, seconds: float) -> None:
        """Run for ``seconds`` from now."""
        self.run_until(self.clock.now_us / US_PER_S + seconds)

    def run_to_sample(self, n: int, patience_s: float = 10.0) -> None:
        """Run until the first ``n`` samples of the source have fallen due and the device has looked at them.

        :param patience_s: how long the sensor may take to start
        :raises RuntimeError: it does not start
        """
        give_up_us = self.clock.now_us + int(patience_s * US_PER_S)
        while self.chip.epoch_us is None:
            if self.clock.now_us > give_up_us:
                raise RuntimeError("the sensor has not started: " + (self.device.last_error if self.device else "off"))
            self.step()
        # The device wakes 3 ms behind the sample that it waits for.
        end_us = self.chip.time_of_sample_us(n - 1) + 8_000
        while self.clock.now_us < end_us:
            self.step()

    def source_time_s(self, at_us: int) -> float:
        """Time in the source, where sample ``i`` lies at ``i / 52``, of a time on the board's clock; negative before.

        :raises RuntimeError: the sensor has not been started
        """
        return (at_us - self.chip.time_of_sample_us(0)) / US_PER_S

    # What went in and came out.

    @property
    def edges(self) -> list[tuple[int, int]]:
        """(time in us, duty 0..65535) of each change of the motor's drive."""
        return self.pwm.edges

    def press(self, at_s: float, duration: float = 0.15) -> None:
        """Plan a press of the button at ``at_s`` on the board's clock, for ``duration`` seconds."""
        self.button.press(int(at_s * US_PER_S), int(duration * US_PER_S))
