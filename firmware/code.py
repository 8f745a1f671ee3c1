"""Walktall on the board: real parts from the profile, handed to `Device`, and its turns.

Everything that decides lies in `lib/walktall`; here is only what CircuitPython alone can do: pins, buses, watchdog,
restarts.

After an exception the motor is off at once, the fault is kept where a reset does not reach it, and the program starts
anew within seconds. When that has happened five times without ten good minutes in between, something is wrong that a
restart does not mend: it goes on trying once a minute, and writes nothing to flash.
"""

import gc
import sys
import time

import microcontroller
import supervisor

# Above the second that a stuck I2C takes to fail, with the sensor's restart behind it; RP2040's limit is 8.388 s.
_WATCHDOG_S = 6
_WELL_S = 600
_RESTART_S = 1
_CRASH_LOOP_S = 60
_REPLY_S = 0.5

# The modules in the order in which they are compiled: the largest while the heap is emptiest, for compiling one takes
# for a moment twice its source beside what is held.
_MODULES = ("detector", "trace", "sensing", "device")
# What only making the device takes.
_DONE = ("walktall.resume",)
# What a computer's visit takes.
_VISIT = ["walktall." + name for name in "visit telling link sending frames answers selftest".split()]


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


def _watchdog_mode():
    try:
        return microcontroller.watchdog.mode
    except _ODD:
        return None


class _Watchdog:
    """Armed when worn, never in maintenance or while a computer is there: on nRF it cannot be switched off again.

    One that still runs from before a software reset is taken over at once, and fed whatever else holds: else it would
    reset the board in the middle of an install.
    """

    def __init__(self, retained):
        self._retained = retained
        self.armed = False
        self.allowed = False
        # A reload by Ctrl-D is no reset, and the reason stays that of the one before: the timer itself tells.
        if _reset_reason() in _STOPS_WATCHDOG and not _watchdog_mode():
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


def _make_parts(retained, watchdog):
    """What `Device` takes, or None; what only making it takes is let go."""
    from walktall.hw.start import make

    parts = make(retained, watchdog.keep, _reset_reason())
    make = None
    _let_go("walktall.hw.start", "walktall.boards")
    return parts


def _make_device(parts, retained, watchdog):
    for name in _MODULES:
        __import__("walktall." + name)
        gc.collect()
        watchdog.keep()
    from walktall.device import Device

    device = Device(**parts)
    _let_go(*_DONE)
    if retained.crash_loop:
        device.write_nothing()
    return device


def _let_go(*names):
    """Make room: these modules have done their work."""
    from walktall.hw import let_go

    let_go(sys.modules, *names)
    gc.collect()


def _run(device, retained, watchdog):
    """Turn by turn, until a restart into maintenance, or out of it, is asked for."""
    well_s = device.uptime_s() + _WELL_S
    restart_at = None
    settled = False
    visited = False
    while True:
        device.poll()
        if device.sensor_ok and not settled:
            settled = True
            _let_go("adafruit_lsm6ds", "adafruit_register")  # a sensor that was met late
        if device.visit is not None or device.arriving:
            visited = True
        elif visited:
            visited = False
            _let_go(*_VISIT)
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
    from walktall.retained import Retained

    retained = Retained(_sleep_memory())
    watchdog = _Watchdog(retained)
    motor = None
    try:
        parts = _make_parts(retained, watchdog)
        if parts is None:
            return
        motor = parts["motor"]
        maintenance = parts["maintenance"]
        device = _make_device(parts, retained, watchdog)
        parts = None
        watchdog.allowed = not maintenance
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


try:
    main()
except Exception as fault:
    # Before anything could be kept, or in keeping it: a module that cannot be read. It is tried again once a minute.
    print("Walktall did not start:", type(fault).__name__, fault)
    time.sleep(_CRASH_LOOP_S)
    supervisor.reload()
