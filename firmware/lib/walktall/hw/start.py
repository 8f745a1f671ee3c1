"""From the profile of a board to its parts: pins, buses, files, clock, each handed to the module that drives it.

`code.py` imports it at the start and lets it go when the parts are made: nothing that it makes may be a function or a
class of this module (see `pins`). Of the package it alone imports CircuitPython's own modules, inside its functions
where not every board has them.
"""

import gc
import os
import sys
import time

import board
import microcontroller
import supervisor

from .. import boards
from . import let_go

_SPARE_KIB = 16


def _made(profile, field, make, name=None):
    """What is made on the pin of a field, or None: the board has none, or it does not do for this, which is told.

    :param name: another pin of the same part
    """
    pin = boards.pin(board, name or getattr(profile, field))
    if pin is not None:
        try:
            return make(pin)
        except (OSError, RuntimeError, ValueError):
            # In use, or without what it takes: no converter behind it, no timer left.
            profile.refused += ("WALKTALL_" + field.upper(),)
    return None


def _output(profile, field, value=False, name=None):
    """A digital output, or None where the board has no such pin."""
    import digitalio

    output = _made(profile, field, digitalio.DigitalInOut, name)
    if output is not None:
        output.switch_to_output(value=value)
    return output


def _input(profile, field):
    """A digital input with a pull-up, or None where the board has no such pin."""
    import digitalio

    pulled = _made(profile, field, digitalio.DigitalInOut)
    if pulled is not None:
        pulled.switch_to_input(pull=digitalio.Pull.UP)
    return pulled


def _refused(profile):
    """Keys of settings.toml that do not hold, and those that nobody reads: `os.getenv` cannot tell a misspelt one."""
    found = list(profile.refused)
    try:
        with open("/settings.toml", "rb") as file:
            for _ in range(99):
                key = file.readline(99).split(b"=")[0].strip()
                if key.startswith(b"WALKTALL_") and key[9:].decode() not in boards.SETTABLE.upper().split():
                    found.append(key.decode())
    except (OSError, ValueError):
        pass
    return found


def _make_imu(profile, shared):
    """The sensor, not yet started.

    :param shared: a bus that is open already, or None
    """
    import busio

    from .imu import Imu
    from .pins import Opener

    scl = boards.pin(board, profile.imu_scl)
    sda = boards.pin(board, profile.imu_sda)
    power = _output(profile, "imu_power_pin")
    return Imu(Opener(busio.I2C, scl, sda, shared).open, profile.imu_address, power, time.sleep)


def _make_motor(profile):
    """The motor, and the bus it shares with the sensor or None."""
    from . import motor as hw_motor

    if profile.motor == "pwm":
        import pwmio

        pwm = _made(profile, "motor_pin", lambda pin: pwmio.PWMOut(pin, frequency=hw_motor.PWM_FREQUENCY_HZ))
        if pwm is not None:
            return hw_motor.PwmMotor(pwm), None
    if profile.motor == "drv2605":
        import busio

        from .haptic import HapticMotor, SharedBus

        # Where the sensor has a bus of its own, the driver chip sits on the board's usual one; else they share.
        own = profile.imu_sda == "IMU_SDA"
        sda = "SDA" if own else profile.imu_sda
        scl = "SCL" if own else profile.imu_scl
        bus = None
        try:
            import adafruit_drv2605

            bus = busio.I2C(boards.pin(board, scl), boards.pin(board, sda), frequency=400000)
            shared = bus if own else SharedBus(bus)
            return HapticMotor(adafruit_drv2605.DRV2605(shared)), None if own else shared
        except (ImportError, OSError, RuntimeError, ValueError):
            # No such chip, no pull-ups, no library for it: the walk goes on without it, `info` tells, and the sensor
            # opens the bus.
            if bus is not None:
                bus.deinit()
    return hw_motor.NoMotor(), None


def _open_bank(name):
    from . import banks as hw_banks

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
        from .pins import NoBank

        return NoBank()


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
    from . import banks as hw_banks

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
    import analogio

    from .power import Power

    # It holds on to the output: a pin object that is collected might let its pin go.
    enable = _output(profile, "battery_enable_pin")
    adc = _made(profile, "battery_pin", analogio.AnalogIn)
    reference_mv = 3300 if adc is None else int(adc.reference_voltage * 1000)
    return Power(
        adc,
        profile.battery_num,
        profile.battery_den,
        reference_mv,
        _input(profile, "charge_pin"),
        supervisor.runtime,
        enable,
    )


def _make_light(profile):
    from .light import Light

    dark = bool(profile.led_active_low)
    names = ("LED_RED", "LED_GREEN", "LED_BLUE")  # type: tuple[str, ...]
    if profile.led_pin not in names:
        names = (profile.led_pin,)
    # One of three, as on the XIAO: take all, for the colours.
    leds = []
    for name in names:
        leds.append(_output(profile, "led_pin", dark, name))
    return None if None in leds else Light(leds, dark)


def _make_port():
    import usb_cdc

    port = usb_cdc.data
    if port is None:
        from .pins import NoPort

        return NoPort()
    # The default is to wait for ever: a host that stops reading would stop the walk.
    port.timeout = 0
    port.write_timeout = 0
    return port


def make(retained, keep, reset_reason):
    """What `Device` takes, by name; None where the board is not known.

    :param walktall.retained.Retained retained: what is known of the last run
    :param keep: called between the steps that take long
    :param int reset_reason: as HELLO tells it
    """
    import rtc
    import storage

    from .wallclock import WallClock

    profile = boards.select(board.board_id, os.getenv, board)
    if profile is None:
        print("Walktall does not know the board", board.board_id)
        return None
    motor, shared = _make_motor(profile)
    imu = _make_imu(profile, shared)
    keep()
    # The sensor starts while the heap is empty: Adafruit's driver and its compiling take 28 KiB, and give them back.
    try:
        imu.start()
    except (OSError, RuntimeError, ValueError):
        pass  # the device tries again, and tells
    let_go(sys.modules, "adafruit_lsm6ds", "adafruit_register")
    gc.collect()
    keep()
    # Before the button: the light may take more pins than settings.toml knows of.
    led = _make_light(profile)
    power = _make_power(profile)
    button = _input(profile, "button_pin")
    if button is not None:
        from .pins import Button

        button = Button(button)
    told = ""
    if profile.motor == "drv2605" and motor.missing:
        told = "motor missing"
    refused = _refused(profile)
    if retained.error:
        told = "last run: " + retained.error
    elif refused:
        # Of 24 characters: the key has room.
        told = "toml: " + refused[0].replace("WALKTALL_", "")
    return {
        "imu": imu,
        "motor": motor,
        "banks": (_open_bank(profile.banks[0]), _open_bank(profile.banks[1])),
        "port": _make_port(),
        "ticks_ms": supervisor.ticks_ms,
        "button": button,
        "power": power,
        "led": led,
        "rtc": WallClock(rtc.RTC(), time),
        "board_name": profile.board_id,
        "reset_reason": reset_reason,
        "random_bytes": os.urandom,
        "source_folder": "/lib/walktall",
        "may_restart": True,
        # There the computer owns the drive, and Python may not write.
        "maintenance": storage.getmount("/").readonly,
        "last_error": told,
        "trace_file": None if retained.crash_loop else _open_trace(profile, keep),
        "trace_parts": profile.trace_parts,
        "drive_kib": _space(),
    }
