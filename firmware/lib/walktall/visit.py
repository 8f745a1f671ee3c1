"""A computer's visit: what `link` asks of the device while a computer is there.

`device` makes one when the port is opened and drops it a while after it was closed; until then neither this module nor
what it needs (`link`, `telling`) is in memory.
"""

# mypy: disable-error-code="assignment"
# What is None between self-tests is made by `telling`.

import gc

try:
    from micropython import const
except ImportError:

    def const(value):
        """The value itself: CPython folds nothing."""
        return value


from . import buzz as z
from .link import Link
from .telling import Telling

# Of `settings`; private, so that they fold: tests/test_house_rules.py holds them to it.
_SET_FORWARD_AXIS = const(22)

# Of `wire`; private, so that they fold: tests/test_house_rules.py holds them to it.
_SELFTEST_PASSED = const(0)
_SELFTEST_FAILED = const(1)
_SELFTEST_RUNNING = const(2)

# Of `records`; private, so that they fold: tests/test_house_rules.py holds them to it.
_FLAG_SETTINGS = const(32)

# Of `events`; private, so that they fold: tests/test_house_rules.py holds them to it.
_SAMPLE_HZ = const(52)

# Of `journal`; private, so that they fold: tests/test_house_rules.py holds them to it.
_CAL_UP = const(0)
_WHY_SETTINGS = const(4)

_LIVE_FIELDS = const(20)


class Visit(Telling):
    """The handler of a `Link`.

    :param device: the `Device`
    :param port: as `Link` takes it
    :param int bad_frames: dropped in earlier visits
    """

    def __init__(self, device, port, bad_frames=0):
        self._device = device
        self.journal = device.journal
        self.trace = device.trace
        # Of what the link asks, the device answers this itself.
        self.uptime_s = device.uptime_s
        self.utc_s = device.utc_s
        self.begin_calibration = device.begin_calibration
        self.mark = device.chain.mark
        self.link = Link(port, self, bad_frames)
        self._live = [0] * _LIVE_FIELDS
        self._selftest = None
        #: Not None while a self-test runs.
        self.sources = None
        self._selftest_status = _SELFTEST_RUNNING

    def set_clock(self, utc_s):
        """Set the clock; a session that began undated is dated."""
        device = self._device
        if utc_s <= device._uptime_s:  # before this boot: no clock says that
            return
        device._utc_base_s = utc_s - device._uptime_s
        if device.session.open:
            device.session.note_utc(utc_s)
        if device._rtc is not None:
            try:
                device._rtc.utc_s = utc_s
            except (OSError, ValueError, RuntimeError, OverflowError) as fault:
                device._note("rtc", fault)

    def settings_changed(self):
        """Take over the journal's settings, and let them be written."""
        device = self._device
        device.chain.configure(device.settings)
        device.trace.cut(device._uptime_s, device.utc_s())
        device._rouse()
        axis = device.settings.values[_SET_FORWARD_AXIS]
        if axis != device._forward_axis:
            # Somebody has said which way is forward: that counts for more than an earlier bow.
            device._forward_axis = axis
            device._forget_forward()
            c = self.journal.calibration
            if self.journal.calibrated and not device.chain.set_axis(c[_CAL_UP], c[_CAL_UP + 1], c[_CAL_UP + 2], axis):
                device._note("forward_axis is up", None)
        device.journal.touch(_WHY_SETTINGS, device._uptime_s)
        if device.session.open:
            device.session.note_flag(_FLAG_SETTINGS)

    def identify(self):
        """Buzz to be found."""
        self._device._play(z.P_IDENTIFY)

    def cancel_calibration(self):
        """Give up a calibration that has begun."""
        device = self._device
        if device._calibrating:
            device._calibrating = False
            device._calibration_state = 0
            device.chain.cancel_calibration()

    def step_selftest(self):
        """A quarter second of the vector, or a KiB of the files; the walk goes on meanwhile."""
        device = self._device
        test = self._selftest
        sources = self.sources
        try:
            if not test.step() or not sources.step():
                return
            device._vector_digest = test.vector_digest
            device._source_digest = sources.digest
            passed = test.passed and device.sensor_ok
        except Exception as fault:
            sources.close()
            device._note("selftest", fault)
            passed = False
        self._selftest_status = _SELFTEST_PASSED if passed else _SELFTEST_FAILED
        self._selftest = None
        self.sources = None
        gc.collect()

    def wipe(self):
        """The walker has given up all records: with them goes the session that runs, and the trace."""
        device = self._device
        if device.session.open:
            device.session.forget()
            device._wearing = True
        device.trace.wipe()

    def raw(self, minutes):
        """Record counts as they are for so many minutes, 0: no longer; seconds it will be, -1 where it cannot be."""
        device = self._device
        if not minutes:
            device.trace.stop_raw()
            return 0
        if device.off or not device.sensor_ok:
            return -1
        n = device.trace.record_raw(minutes * 60 * _SAMPLE_HZ, device.journal.boot)
        return n // _SAMPLE_HZ if n else -1

    def maintenance(self):
        """True when `code.py` will restart: the drive goes to the computer, or comes back in a maintenance boot."""
        device = self._device
        if device._may_restart:
            device.restart_wanted = True
        return device._may_restart
