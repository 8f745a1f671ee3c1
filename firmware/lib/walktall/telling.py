"""What the device tells a computer of itself: HELLO, LIVE_DATA of each moment, and how far what was asked for is.

Apart from `visit`, so that neither takes much to compile.
"""

# mypy: disable-error-code="attr-defined, has-type"
# `visit.Visit` has the attributes.

import gc

try:
    from micropython import const
except ImportError:

    def const(value):
        """The value itself: CPython folds nothing."""
        return value


# Of `settings`; private, so that they fold: tests/test_house_rules.py holds them to it.
_SET_HILL_DEG = const(17)

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
_SELFTEST_RUNNING = const(2)

# Of `events`; private, so that they fold: tests/test_house_rules.py holds them to it.
_FORWARD = const(1)
_BACK = const(2)
_SIDE = const(4)
_SAMPLE_HZ = const(52)

_ID_TRC = const(0x6A)  # WHO_AM_I
_ID_SOX = const(0x6C)


class Telling:
    """A part of `visit.Visit`."""

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

    def raw_left_s(self):
        """Seconds of a raw recording left, 0: none runs."""
        return (self.trace.raw_left + _SAMPLE_HZ - 1) // _SAMPLE_HZ
