"""Walktall on the board: real parts from the profile, handed to `Device`, and its turns.

Everything that decides lies in `lib/walktall`; here is only what CircuitPython alone can do: pins, buses, watchdog,
restarts.

After an exception the motor is off at once, the fault is kept where a reset does not reach it, and the program starts
anew within seconds. When that has happened five times without ten good minutes in between, something is wrong that a
restart does not mend: it goes on trying once a minute, and writes nothing to flash.
"""

import gc
import os
import sys
import time

import board
import microcontroller
import supervisor
from walktall import boards
from walktall.retained import Retained

# Above the second that a stuck I2C takes to fail, with the sensor's restart behind it; RP2040's limit is 8.388 s.
_WATCHDOG_S = 6
_WELL_S = 600
_RESTART_S = 1
_CRASH_LOOP_S = 60
_REPLY_S = 0.5
_SPARE_KIB = 24

# Outputs that nobody else holds on to: a pin object that is collected might let its pin go.
_held = []  # type: list


class _NoPort:
    """Stands in where `boot.py` has not made the second serial port."""

    connected = False
    in_waiting = 0

    def readinto(self, buf):
        return 0

    def write(self, buf):
        return 0


class _NoBank:
    """A bank that is missing: empty, and refusing. The journal then keeps what it has in memory and says so."""

    size = 4096

    def read_into(self, offset, buf):
        for index in range(len(buf)):
            buf[index] = 0xFF

    def write(self, buf):
        raise OSError(30)  # EROFS


class _SharedBus:
    """One I2C for the sensor and the motor's driver chip: the sensor may not close it."""

    def __init__(self, bus):
        self._bus = bus
        self.try_lock = bus.try_lock
        self.unlock = bus.unlock
        self.scan = bus.scan
        self.writeto = bus.writeto
        self.readfrom_into = bus.readfrom_into
        self.writeto_then_readfrom = bus.writeto_then_readfrom

    def deinit(self):
        pass


class _Button:
    """A button to ground."""

    def __init__(self, pin):
        self._pin = pin

    @property
    def pressed(self):
        return not self._pin.value


def _output(name, value=False):
    """A digital output, or None where the board has no such pin."""
    import digitalio

    pin = boards.pin(board, name)
    if pin is None:
        return None
    output = digitalio.DigitalInOut(pin)
    output.switch_to_output(value=value)
    return output


def _input(name):
    """A digital input with a pull-up, or None where the board has no such pin."""
    import digitalio

    pin = boards.pin(board, name)
    if pin is None:
        return None
    pulled = digitalio.DigitalInOut(pin)
    pulled.switch_to_input(pull=digitalio.Pull.UP)
    return pulled


def _computer_owns_the_drive():
    """True in maintenance: Python may not write."""
    import storage

    return storage.getmount("/").readonly


def _make_imu(profile, shared):
    import busio
    from walktall.hw.imu import Imu

    scl = boards.pin(board, profile.imu_scl)
    sda = boards.pin(board, profile.imu_sda)

    def open_bus():
        return busio.I2C(scl, sda, frequency=400000)

    def open_shared():
        return shared

    power = _output(profile.imu_power_pin)
    return Imu(open_shared if shared is not None else open_bus, profile.imu_address, power, time.sleep)


def _make_motor(profile):
    """The motor, and the bus it shares with the sensor or None."""
    from walktall.hw import motor as hw_motor

    pin = boards.pin(board, profile.motor_pin)
    if profile.motor == "pwm" and pin is not None:
        import pwmio

        return hw_motor.PwmMotor(pwmio.PWMOut(pin, frequency=hw_motor.PWM_FREQUENCY_HZ)), None
    if profile.motor == "drv2605":
        import adafruit_drv2605
        import busio

        # Where the sensor has a bus of its own, the driver chip sits on the board's usual one; else they share.
        own = profile.imu_sda == "IMU_SDA"
        sda = "SDA" if own else profile.imu_sda
        scl = "SCL" if own else profile.imu_scl
        bus = None
        try:
            bus = busio.I2C(boards.pin(board, scl), boards.pin(board, sda), frequency=400000)
            shared = bus if own else _SharedBus(bus)
            return hw_motor.HapticMotor(adafruit_drv2605.DRV2605(shared)), None if own else shared
        except (OSError, RuntimeError, ValueError):
            # No such chip, or no pull-ups: the walk goes on without it, `info` tells, and the sensor opens the bus.
            if bus is not None:
                bus.deinit()
    return hw_motor.NoMotor(), None


def _open_bank(name):
    from walktall.hw import banks as hw_banks

    if name.startswith("nvm:"):
        return hw_banks.NvmBank(microcontroller.nvm, int(name[4:]))
    try:
        return hw_banks.FileBank(name, open)
    except OSError:
        pass
    try:
        # The first start on this board, or the drive was wiped: lay the file out. Read-only, the next lines fail. One
        # that is there and whole is left alone, whatever kept it from being opened.
        if _size_of(name) < hw_banks.FILE_SIZE:
            try:
                os.mkdir(name[: name.rindex("/")])
            except OSError:
                pass
            hw_banks.create_file(name, open)
        return hw_banks.FileBank(name, open)
    except OSError:
        pass
    try:
        return hw_banks.FileBank(name, _open_to_read)
    except OSError:
        return _NoBank()


def _size_of(name):
    """Bytes of a file, 0 where it is missing."""
    try:
        return os.stat(name)[6]
    except OSError:
        return 0


def _in_use(name):
    """Whether a ring lies in the trace's file: its first block is at 8, and fewer than 64 in a row are blank."""
    with open(name, "rb") as file:
        for block in (8, 72):
            file.seek(block * 512)
            head = file.read(4)
            if head and head != b"\xff\xff\xff\xff":
                return True
    return False


def _space():
    """(KiB of the drive, KiB free), 0 where the board does not tell."""
    try:
        told = os.statvfs("/")
        return told[1] * told[2] // 1024, told[1] * told[3] // 1024
    except OSError:
        return 0, 0


def _open_trace(profile, each):
    """The trace's file, laid out at the first start as large as the profile wants and the drive has room; or None.

    A layout that was cut goes on where it ended; a ring that is in use keeps its size, for blocks lie by it.
    """
    from walktall.hw import banks as hw_banks

    name = profile.trace_file
    size = _size_of(name) // 4096 * 4096
    # What a rewriting of our own files needs stays free.
    room = size + (_space()[1] - _SPARE_KIB) * 1024
    wanted = min(profile.trace_blocks * 512, room) // 8192 * 8192
    try:
        if size < wanted and not (size and _in_use(name)):
            try:
                os.mkdir(name[: name.rindex("/")])
            except OSError:
                pass
            hw_banks.create_file(name, open, wanted, size, each)
    except OSError:
        pass
    try:
        return open(name, "r+b")
    except OSError:
        pass
    try:
        return open(name, "rb")
    except OSError:
        return None


def _open_to_read(path, mode):
    """In maintenance the drive is the computer's: what is there can be read, writing fails and is told."""
    return open(path, "rb")


def _make_power(profile):
    from walktall.hw.power import Power

    enable = _output(profile.battery_enable_pin, False)
    if enable is not None:
        _held.append(enable)
    adc = None
    pin = boards.pin(board, profile.battery_pin)
    if pin is not None:
        import analogio

        adc = analogio.AnalogIn(pin)
    reference_mv = 3300 if adc is None else int(adc.reference_voltage * 1000)
    return Power(
        adc,
        profile.battery_num,
        profile.battery_den,
        reference_mv,
        _input(profile.charge_pin),
        lambda: supervisor.runtime.usb_connected,
    )


def _make_light(profile):
    from walktall.hw.light import Light

    dark = bool(profile.led_active_low)
    names = ("LED_RED", "LED_GREEN", "LED_BLUE")
    if profile.led_pin in names:
        # One of three, as on the XIAO: take all, for the colours.
        leds = tuple(_output(name, dark) for name in names)
        if None not in leds:
            return Light(leds, dark)
        return None
    led = _output(profile.led_pin, dark)
    return None if led is None else Light((led,), dark)


def _make_port():
    import usb_cdc

    port = usb_cdc.data
    if port is None:
        return _NoPort()
    # The default is to wait for ever: a host that stops reading would stop the walk.
    port.timeout = 0
    port.write_timeout = 0
    return port


def _make_clock():
    import rtc
    from walktall.hw.wallclock import WallClock

    return WallClock(rtc.RTC(), time)


def _reset_reason():
    """As `info` tells it: 0 unknown, 1 power, 2 brown-out, 3 software, 4 deep sleep, 5 pin, 6 watchdog."""
    names = ("UNKNOWN", "POWER_ON", "BROWNOUT", "SOFTWARE", "DEEP_SLEEP_ALARM", "RESET_PIN", "WATCHDOG")
    for index in range(len(names)):
        if microcontroller.cpu.reset_reason == getattr(microcontroller.ResetReason, names[index], None):
            return index
    return 0


def _sleep_memory():
    try:
        import alarm

        return alarm.sleep_memory
    except (ImportError, AttributeError, NotImplementedError):
        return None


# What the watchdog's calls may raise on one port or the other: none of it may stop a walk.
_ODD = (OSError, RuntimeError, ValueError, TypeError, NotImplementedError)
# Resets that stop a watchdog: power, brown-out, pin, its own. A software reset does not on nRF (Nordic, nRF52840 PS).
_STOPS_WATCHDOG = (1, 2, 5, 6)


class _Watchdog:
    """Armed when worn, never in maintenance or while a computer is there: on nRF it cannot be switched off again.

    One that still runs from before a software reset is taken over at once, and fed whatever else holds: else it would
    reset the board in the middle of an install.
    """

    def __init__(self, retained):
        self._retained = retained
        self.armed = False
        self.allowed = False
        if _reset_reason() in _STOPS_WATCHDOG:
            retained.note_watchdog(False)
        elif retained.watchdog:
            self._arm()

    def _arm(self):
        from watchdog import WatchDogMode

        self.armed = True
        try:
            microcontroller.watchdog.timeout = _WATCHDOG_S
            microcontroller.watchdog.mode = WatchDogMode.RESET
        except _ODD:
            pass  # it runs already, and can only be fed
        self._retained.note_watchdog(True)

    def keep(self):
        """Feed it, if it runs."""
        if self.armed:
            try:
                microcontroller.watchdog.feed()
            except _ODD:
                pass

    def feed(self):
        """Feed it; arm it first where that may be."""
        if not self.armed and self.allowed and not supervisor.runtime.usb_connected:
            self._arm()
        self.keep()


def _pause(seconds, watchdog):
    """Sleep for long without being taken for dead."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        watchdog.feed()
        time.sleep(0.5)


def _make_device(profile, motor, imu, retained, maintenance, watchdog):
    if watchdog.armed:
        # One by one: reading and compiling all of them takes longer than a watchdog that still runs would wait. Else
        # `device`, the largest, is compiled first, while the heap is empty.
        for name in ("slots", "frames", "limits", "session", "gait", "detector", "chain", "journal", "trace", "link"):
            __import__("walktall." + name)
            watchdog.keep()
    from walktall.device import Device

    watchdog.keep()
    button = _input(profile.button_pin)
    told = ""
    if profile.motor == "drv2605" and motor.missing:
        told = "motor missing"
    if retained.error:
        told = "last run: " + retained.error
    elif profile.refused:
        told = "settings.toml: " + profile.refused[0].replace("WALKTALL_", "")
    device = Device(
        imu,
        motor,
        (_open_bank(profile.banks[0]), _open_bank(profile.banks[1])),
        _make_port(),
        supervisor.ticks_ms,
        button=None if button is None else _Button(button),
        power=_make_power(profile),
        led=_make_light(profile),
        rtc=_make_clock(),
        board_name=profile.board_id,
        reset_reason=_reset_reason(),
        random_bytes=os.urandom,
        source_folder="/lib/walktall",
        may_restart=True,
        maintenance=maintenance,
        last_error=told,
        trace_file=None if retained.crash_loop else _open_trace(profile, watchdog.keep),
        trace_parts=profile.trace_parts,
        drive_kib=_space(),
    )
    if retained.crash_loop:
        device.write_nothing()
    return device


def _let_go(*names):
    """Make room: these modules have done their work."""
    from walktall.hw import let_go

    let_go(sys.modules, *names)
    gc.collect()


def _forget_boards():
    """No pin is looked up any more."""
    global boards
    boards = None  # type: ignore[assignment]


def _meet_sensor(imu):
    """Start the sensor while the heap is empty: Adafruit's driver and its compiling take 28 KiB, and give them back."""
    try:
        imu.start()
        _let_go("adafruit_lsm6ds", "adafruit_register")
    except (OSError, RuntimeError, ValueError):
        pass  # the device tries again, and tells


def _run(device, retained, watchdog):
    """Turn by turn, until a restart into maintenance, or out of it, is asked for."""
    well_s = device.uptime_s() + _WELL_S
    restart_at = None
    settled = False
    while True:
        device.poll()
        if device.sensor_ok and not settled:
            settled = True
            _let_go("adafruit_lsm6ds", "adafruit_register", "walktall.boards")
        watchdog.feed()
        device.rest(time.sleep)
        if device.uptime_s() >= well_s:
            retained.note_well()
            well_s = device.uptime_s() + _WELL_S
        if device.restart_wanted:
            # The reply is still on its way to the host.
            if restart_at is None:
                restart_at = time.monotonic() + _REPLY_S
            elif time.monotonic() >= restart_at:
                return


def _stop(motor):
    """Motor off; one behind a driver chip that is gone cannot be told so."""
    if motor is None:
        return
    try:
        motor.stop()
    except (OSError, RuntimeError, ValueError):
        pass


def main():
    supervisor.runtime.autoreload = False
    retained = Retained(_sleep_memory())
    watchdog = _Watchdog(retained)
    motor = None
    try:
        profile = boards.select(board.board_id, os.getenv)
        if profile is None:
            print("Walktall does not know the board", board.board_id)
            return
        maintenance = _computer_owns_the_drive()
        motor, shared = _make_motor(profile)
        imu = _make_imu(profile, shared)
        watchdog.keep()
        _meet_sensor(imu)
        watchdog.keep()
        device = _make_device(profile, motor, imu, retained, maintenance, watchdog)
        watchdog.allowed = not maintenance
        _forget_boards()
        _run(device, retained, watchdog)
        device.end_session(0, False, True)
        _stop(motor)
        if not maintenance:  # else the host has done with the drive, and it is Python's again
            retained.ask_maintenance()
        microcontroller.reset()
    except Exception as fault:
        _stop(motor)
        retained.note_crash(fault)
        print("Walktall stopped:", type(fault).__name__, fault)
        _pause(_CRASH_LOOP_S if retained.crash_loop else _RESTART_S, watchdog)
        if watchdog.armed:
            microcontroller.reset()  # a reload would have to stop the watchdog, which cannot be done on nRF
        supervisor.reload()
    finally:
        _stop(motor)  # Ctrl-C of a developer, too


main()
