"""A computer's visit: what `link` asks of the device while a computer is there.

`device` makes one when the port is opened and drops it a while after it was closed; until then neither this module nor
`link` is in memory.
"""

import gc

try:
    from micropython import const
except ImportError:

    def const(value):
        """The value itself: CPython folds nothing."""
        return value


from . import buzz as z
from .link import Link

# Of `settings`; private, so that they fold: tests/test_house_rules.py holds them to it.
_SET_HILL_DEG = const(17)
_SET_FORWARD_AXIS = const(22)

# Of `wire`; private, so that they fold: tests/test_house_rules.py holds them to it.
_H_BOARD = const(6)
_H_CHIP = const(7)
_H_SOURCE_DIGEST = const(8)
_H_UPTIME_S = const(10)
_H_SESSIONS = const(17)
_H_DRIVE_KIB = const(40)
_H_DRIVE_FREE_KIB = const(41)
_HF_CHARGING = const(2)
_HF_USB = const(4)
_HF_CLOCK_SET = const(8)
_HF_SESSION_OPEN = const(16)
_HF_WALKING = const(32)
_HF_SENSOR_FAULT = const(1024)
_HF_MAINTENANCE = const(4096)
_HF_SNOOZED = const(8192)
_SELFTEST_PASSED = const(0)
_SELFTEST_FAILED = const(1)
_SELFTEST_RUNNING = const(2)

# Of `records`; private, so that they fold: tests/test_house_rules.py holds them to it.
_FLAG_SETTINGS = const(32)

# Of `events`; private, so that they fold: tests/test_house_rules.py holds them to it.
_SAMPLE_HZ = const(52)
_FORWARD = const(1)
_BACK = const(2)
_SIDE = const(4)

# Of `journal`; private, so that they fold: tests/test_house_rules.py holds them to it.
_CAL_UP = const(0)
_WHY_SETTINGS = const(4)

_LIVE_FIELDS = const(20)
_ID_TRC = const(0x6A)  # WHO_AM_I
_ID_SOX = const(0x6C)


class Visit:
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

    def hello_into(self, values):
        """Fill HELLO's values; a host has come, so the walk is over."""
        device = self._device
        device.end_session(0, True)
        flags = 0
        if device._power is not None:
            if device._power.charging:
                flags |= _HF_CHARGING
            if device._power.usb:
                flags |= _HF_USB
        if device._utc_base_s:
            flags |= _HF_CLOCK_SET
        if device.session.open:
            flags |= _HF_SESSION_OPEN
        if device.chain.gait.walking:
            flags |= _HF_WALKING
        if device.chain.detector.snoozed:
            flags |= _HF_SNOOZED
        if not device.sensor_ok and not device.off:
            flags |= _HF_SENSOR_FAULT
        if device._maintenance:
            flags |= _HF_MAINTENANCE
        values[_H_BOARD] = device._board_name
        chips = {_ID_TRC: "LSM6DS3TR-C", _ID_SOX: "LSM6DSOX"}
        values[_H_CHIP] = device._chip_name or chips.get(device._imu.who_am_i, "")
        values[_H_SOURCE_DIGEST] = device._source_digest
        # In the order of `wire.HELLO_FIELDS`.
        values[_H_UPTIME_S:_H_SESSIONS] = [
            device._uptime_s,
            device.utc_s(),
            flags,
            device._reset_reason,
            device.errors + self.link.faults,
            device.last_error,
            device._battery_mv,
        ]
        values[_H_DRIVE_KIB], values[_H_DRIVE_FREE_KIB] = device._drive_kib

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

    def calibration_status(self):
        """Index into `wire.CALIBRATION_NAMES`."""
        return self._device._calibration_state

    def selftest_into(self, buf):
        """SELFTEST_RUNNING, having begun when nothing ran; once it is over PASSED or FAILED, with 8 bytes of vector
        digest and 8 of source digest in `buf`. What is told is forgotten: asked again, it runs again."""
        device = self._device
        if self.sources is None and self._selftest_status == _SELFTEST_RUNNING:
            # Not imported before: it and what it runs on take some KiB of heap, which it gives back.
            gc.collect()
            from .selftest import SelfTest, SourceDigest

            self._selftest = SelfTest()
            self.sources = SourceDigest(device._source_folder)
        status = self._selftest_status
        if status == _SELFTEST_RUNNING:
            return status
        self._selftest_status = _SELFTEST_RUNNING
        for index in range(8):
            buf[index] = device._vector_digest[index] if device._vector_digest else 0
            buf[8 + index] = device._source_digest[index] if device._source_digest else 0
        return status

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

    def push_live(self):
        """Send what LIVE_DATA tells of this moment."""
        device = self._device
        detector = device.chain.detector
        gait = device.chain.gait
        values = self._live
        values[0] = device.chain.n_samples
        values[1] = detector.pitch_cdeg
        values[2] = detector.roll_cdeg
        values[3] = gait.cadence_spm
        values[4] = 1 if gait.walking else 0
        values[5] = detector.second_class
        forward = detector.forward
        fault = _FORWARD if forward.active else 0
        if detector.back.active:
            fault |= _BACK
        if detector.side.active:
            fault |= _SIDE
        values[6] = fault
        values[7] = detector.label
        values[8] = forward.timer
        values[9] = gait.steps
        # As the detector has them: a beginner's limit and hill mode's are wider.
        extra = device.chain.coach.ease_cdeg
        if detector.hill:
            extra += device.chain.settings.values[_SET_HILL_DEG] * 100
        values[10] = forward.on_cdeg + extra
        values[11] = forward.off_cdeg + extra
        values[12] = 1 if device._buzz.busy else 0
        values[14] = forward.hold + forward.margin
        values[15] = detector.back.timer
        values[16] = detector.back.on_cdeg
        values[17] = detector.side.on_cdeg
        buzzes = 0
        if forward.active and not forward.withheld:
            buzzes = forward.buzzed
        if detector.back.active and not detector.back.withheld:
            buzzes += detector.back.buzzed
        if detector.side.active and not detector.side.withheld:
            buzzes += detector.side.buzzed
        values[18] = buzzes
        values[19] = device._battery_mv
        self.link.push_live(values)

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

    def raw_left_s(self):
        """Seconds of a raw recording left, 0: none runs."""
        return (self.trace.raw_left + _SAMPLE_HZ - 1) // _SAMPLE_HZ

    def maintenance(self):
        """True when `code.py` will restart: the drive goes to the computer, or comes back in a maintenance boot."""
        device = self._device
        if device._may_restart:
            device.restart_wanted = True
        return device._may_restart
