"""What wearing it comes to: sessions, button, calibration, battery and light. `device` is made of it.

Apart from `device`, which knows the order of things, so that neither takes much to compile.
"""

# mypy: disable-error-code="attr-defined, has-type"
# The other half has the attributes.

try:
    from micropython import const
except ImportError:

    def const(value):
        """The value itself: CPython folds nothing."""
        return value


from . import buttons as b
from . import buzz as z
from . import events as e
from . import journal as j
from .packing import crc32
from .session import merge_into
from .ticks import ticks_add, ticks_diff

# Of `settings`; private, so that they fold: tests/test_house_rules.py holds them to it.
_SET_MODE = const(0)
_SET_SNOOZE_MIN = const(16)
_SET_COACHING = const(23)
_SET_BOW = const(28)

# Of `records`; private, so that they fold: tests/test_house_rules.py holds them to it.
_FLAG_UNCALIBRATED = const(16)
_FLAG_RECALIBRATED = const(64)
_FLAG_LOW_BATTERY = const(512)
_FLAG_HILL = const(2048)
_S_GOOD_S = const(5)
_S_FORWARD_S = const(6)
_S_BACK_S = const(7)
_S_SIDE_S = const(8)
_S_GAP_S = const(14)
_S_WALKING_S = const(18)
_S_DISCOMFORT_MARKS = const(40)
_S_WRONG_MARKS = const(41)

_CALIBRATION_RUNNING = const(4)  # index into `wire.CALIBRATION_NAMES`
# A press is seen within 30 ms; while a pattern is under way it is looked at twice as often.
_SCAN_MS = const(30)
_SCAN_ACTIVE_MS = const(15)
_RETRY_MS = const(250)  # as `device` has it

# Held 1 s within 15 s of a buzz: "that was wrong". Two presses within 10 s of a calibration: take it back (design).
_WRONG_MS = const(15000)
_TAKE_BACK_MS = const(10000)

_GAP_KEPT_S = const(180)  # a session without walking, but with so long a gap, is told: the sensor failed

# A cell of nominally 3.7 V has about 3 % left at 3.4 V, and flash may be written down to 2.7 V (nRF52840 PS, 1.7 V for
# the core; BQ25101 board regulator drops out near 3.0 V): one last record is written well above.
LOW_BATTERY_MV = const(3400)
_BATTERY_LOW_N = const(3)

# The light, as bits of colour: 1 red, 2 green, 4 blue. A board with one LED shows any of them: there the rhythm tells.
LED_OFF = const(0)
LED_FAULT = const(1)
LED_CHARGING = const(2)
LED_UNCALIBRATED = const(3)
LED_HOST = const(4)
LED_LOW_BATTERY = const(5)
LED_SNOOZED = const(6)
LED_CALIBRATING = const(7)
# The rhythm of each: 16 eighths of a second, lowest bit first, over and over.
RHYTHMS = (
    0,
    0b10101,  # three flashes
    0x00FF,  # a second on, a second off
    0b1001111,  # long, short
    0x3FFF,  # on, but for a blink
    0b101,  # two flashes
    0b1,  # a flash
    0x5555,  # fast
)
_BEAT_MS = const(125)
_BEATS = const(16)


class Wearing:
    """One half of `device.Device`, which has the parts, the loop and the sensor."""

    # Sessions.

    def _kept_in(self):
        """True while the charger or a computer keeps a session from opening."""
        return self._power is not None and (self._power.usb or self._power.charging)

    def _open_session(self, gathered_ms=0):
        """Begin one, unless one runs or may not: with the sample that comes now, or that came so long ago."""
        self._wearing = False
        if self.session.open or self._kept_in():
            return
        self._close_gap()
        if self.session.open:
            return
        journal = self.journal
        self.chain.begin()
        ago_s = 1 if self._uptime_ms < gathered_ms and self._uptime_s else 0
        utc_s = self.utc_s()
        start_s = self._uptime_s - ago_s
        self.session.start(journal.next_seq, journal.boot, utc_s and utc_s - ago_s, start_s, self._battery_mv)
        self._brief_coach()
        self._note_rules()
        if not self.chain.calibrated:
            self.session.note_flag(_FLAG_UNCALIBRATED)
        if self.chain.detector.hill:
            self.session.note_flag(_FLAG_HILL)
        if not journal.read_only:
            self.trace.begin(journal.boot, max(journal.walks, self.trace.walk) + 1)

    def _brief_coach(self):
        """Tell the coach for how many days it has been worn, and give its coin a start of this session's own."""
        head = self.journal.head
        utc_s = self.utc_s()
        if utc_s and not head[j.J_FIRST_UTC_S]:
            head[j.J_FIRST_UTC_S] = utc_s  # written with this session's record
        first_s = head[j.J_FIRST_UTC_S]
        coach = self.chain.coach
        coach.set_day((utc_s - first_s) // 86400 if first_s and utc_s > first_s else 0)
        # The CRC, because the coin's series of neighbouring numbers resemble each other.
        seq = self.journal.next_seq
        coach.seed(crc32(head[j.J_DEVICE_ID] + bytes((seq & 0xFF, seq >> 8))) & 0xFFFFFF)

    def _note_rules(self):
        """The rules in force into the record, with what a beginner is given (`progressive`)."""
        detector = self.chain.detector
        forward = detector.forward
        ease_cdeg = self.chain.coach.ease_cdeg
        values = self.settings.values
        self.session.note_rules(
            (forward.on_cdeg + ease_cdeg) // 100,
            (forward.off_cdeg + ease_cdeg) // 100,
            forward.hold // e.TICKS_PER_S,
            values[_SET_MODE],
            values[_SET_COACHING],
        )

    def end_session(self, flag=0, cut_idle=False, force=False):
        """End the running session and write its record; True when there is one.

        :param int flag: of `records.FLAG_...`, why
        :param bool cut_idle: leave out the time since the last walk
        :param bool force: the power is going: the day's budget of commits does not count
        """
        session = self.session
        if not session.open:
            return False
        self._close_gap()
        if not session.open:
            return True  # the gap has ended it
        if flag:
            session.note_flag(flag)
        if cut_idle:
            session.cut_idle()
        session.note_calibration(self.chain.calibration_quality, self.chain.detector.walk_offset_cdeg)
        self._note_rules()
        session.finish(self.utc_s(), self._battery_mv)
        return self._keep_record(force)

    def _keep_record(self, force):
        """Put the session that is over into trace and journal; True when it leaves a record."""
        fields = self.session.fields
        judged_s = fields[_S_GOOD_S] + fields[_S_FORWARD_S] + fields[_S_BACK_S] + fields[_S_SIDE_S]
        marks = fields[_S_DISCOMFORT_MARKS] + fields[_S_WRONG_MARKS]
        kept = fields[_S_WALKING_S] or judged_s or marks or fields[_S_GAP_S] >= _GAP_KEPT_S
        # The trace first: what it holds and the journal does not is found again after a cut.
        self.trace.end(self._uptime_s, self.utc_s(), kept)
        if not kept:
            self.journal.walks = self.trace.walk or self.journal.walks
            return False
        if not self.journal.append(fields, merge_into, self.trace.walk):
            self._note("journal full or later", None)
            return False
        self.journal.commit(self.utc_s(), self._uptime_s, force)
        return True

    def write_nothing(self):
        """From now on nothing is written to flash: the program crashes again and again."""
        self.journal.read_only = True
        self.trace.write_nothing()

    # Battery and light.

    def _look_at_battery(self):
        if self._power is None:
            return
        battery_mv = self._power.battery_mv
        self._battery_mv = battery_mv
        if not battery_mv or battery_mv >= LOW_BATTERY_MV or self._power.usb or self._power.charging:
            self._battery_low = 0
            return
        self._battery_low += 1
        if self._battery_low >= _BATTERY_LOW_N and not self.off:
            # One last record, then nothing is written any more: the device is off until it is charged or pressed.
            if not self.end_session(_FLAG_LOW_BATTERY, False, True):
                self.journal.commit(self.utc_s(), self._uptime_s, True)
            self._note("battery low", None)
            self._switch_off(z.P_LOW_BATTERY)

    def _show(self, kept_in):
        if self._led is None:
            return
        colour = LED_OFF
        if self.off:
            colour = LED_CHARGING if kept_in else LED_OFF
        elif not self.sensor_ok or self.journal.store_fault:
            colour = LED_FAULT
        elif self._calibrating or self._bowing:
            colour = LED_CALIBRATING
        elif self.link is not None and self.link.connected:
            colour = LED_HOST
        elif kept_in:
            colour = LED_CHARGING
        elif self._battery_low:
            colour = LED_LOW_BATTERY
        elif not self.chain.calibrated:
            colour = LED_UNCALIBRATED
        elif self.chain.detector.snoozed:
            colour = LED_SNOOZED
        if colour != self._colour:
            self._colour = colour
            self._beat = 0
            self._beat_ms = self._now_ms
            self._led.set(LED_OFF)

    def _blink(self, now_ms):
        """Show this beat of the rhythm, and wait for the next one that differs."""
        rhythm = RHYTHMS[self._colour]
        on = rhythm >> self._beat & 1
        self._led.set(self._colour if on else LED_OFF)
        n = 1
        while n < _BEATS and rhythm >> (self._beat + n) % _BEATS & 1 == on:
            n += 1
        self._beat = (self._beat + n) % _BEATS
        self._beat_ms = ticks_add(now_ms, n * _BEAT_MS)

    # On and off.

    def _switch_off(self, pattern):
        self.off = True
        self._calibrating = False
        self._leave_bow()
        self._motor_off()
        self._start_pattern(pattern)
        self.trace.stop_raw()
        self.sensor_ok = False
        self._dozing = 0
        try:
            self._imu.switch_off()
        except (OSError, RuntimeError, ValueError) as fault:
            self._note("imu", fault)

    def _switch_on(self):
        self.off = False
        self._sensor_met = False
        self._wearing = True
        self._battery_low = 0
        self._retry_ms = _RETRY_MS
        self._due_ms = self._now_ms
        # A new wearing: what was known of motion is stale, the upright stays.
        self._gap = 0
        self._owed = self.chain.n_samples
        self.chain.tilt.restart()
        self.chain.gait.restart()
        self.chain.detector.restart()
        self._play(z.P_SNOOZE)

    # Button.

    def _look_at_button(self, now_ms):
        if self._button is None or ticks_diff(now_ms, self._scan_ms) < 0:
            return
        code = self._buttons.step(now_ms, self._button.pressed)
        self._scan_ms = ticks_add(now_ms, _SCAN_ACTIVE_MS if self._buttons.active else _SCAN_MS)
        if code == b.NONE:
            return
        if self.off:
            if code != b.HOLD_3S:
                self._switch_on()
        elif code == b.SINGLE:
            self._snooze()
        elif code == b.DOUBLE:
            if self._may_take_back and ticks_diff(now_ms, self._calibrated_ms) < _TAKE_BACK_MS:
                self._take_back()
            elif not self._calibrating:
                self.begin_calibration()
        elif code == b.TRIPLE:
            self.chain.mark()
            self._play(z.P_RECOVERED)
        elif code == b.QUAD:
            self._hill()
        elif code == b.HOLD_1S:
            if self._buzzed and ticks_diff(now_ms, self._buzzed_ms) < _WRONG_MS:
                self._buzzed = False
                self._motor_off()
                self.chain.wrong()
                self._play(z.P_RECOVERED)
        elif code == b.HOLD_3S:
            if not self.end_session(0, False, True):
                self.journal.commit(self.utc_s(), self._uptime_s, True)
            self._switch_off(z.P_OFF)

    def _let_expire(self, now_ms):
        """What a press means only for a while after something."""
        # Over for good: 74 h later the difference of two readings of the clock would turn round.
        if self._may_take_back and not self._bowing and ticks_diff(now_ms, self._calibrated_ms) >= _TAKE_BACK_MS:
            self._may_take_back = False
        if self._buzzed and ticks_diff(now_ms, self._buzzed_ms) >= _WRONG_MS:
            self._buzzed = False

    def _snooze(self):
        if self.chain.detector.snoozed:
            self.chain.snooze(0)
        else:
            self.chain.snooze(self.settings.values[_SET_SNOOZE_MIN])
        self._motor_off()
        self._play(z.P_SNOOZE)

    def _hill(self):
        """Begin hill mode, or end it."""
        if self.chain.detector.hill:
            self.chain.hill(False)
        else:
            self.chain.hill()
            if self.session.open:
                self.session.note_flag(_FLAG_HILL)
        self._motor_off()
        self._play(z.P_HILL)

    # Calibration.

    def _apply_calibration(self):
        """Hand the journal's upright to the chain."""
        if not self.journal.calibrated:
            return
        c = self.journal.calibration
        self.chain.set_upright(*c[j.CAL_UP : j.CAL_BIAS + 3], c[j.CAL_QUALITY])
        self._apply_forward()

    def _apply_forward(self):
        """Let what a bow has found be forward; False, with nothing changed, where it lies too near to up."""
        c = self.journal.calibration
        forward = c[j.CAL_FORWARD : j.CAL_FORWARD + 3]
        return not any(forward) or self.chain.set_frame(*c[j.CAL_UP : j.CAL_UP + 3], *forward)

    def _forget_forward(self):
        """The setting `forward_axis` holds again."""
        for index in range(3):
            self.journal.calibration[j.CAL_FORWARD + index] = 0

    def _look_at_calibration(self, now_ms):
        result = self.chain.calibration_result
        if not result:
            return
        self.chain.calibration_result = 0
        self._calibrating = False
        self._calibration_state = result
        if result != 1:
            self._play(z.P_REFUSED)
            return
        c = self.journal.calibration
        for index in range(len(c)):
            self._before[index] = c[index]
        self._before_unsaved = self.journal.unsaved & j.WHY_CALIBRATION
        self._may_take_back = True
        self._calibrated_ms = now_ms
        upright = self.chain.upright
        for index in range(6):  # CAL_UP and CAL_BIAS lie one behind the other
            c[j.CAL_UP + index] = upright[index]
        c[j.CAL_QUALITY] = self.chain.calibration_quality or 1  # 0 says that there is none
        c[j.CAL_TAKEN_UTC_S] = self.utc_s()
        if self.settings.values[_SET_BOW]:
            # The new bow decides; until it comes, or when it does not, the setting holds.
            self._forget_forward()
            self._bowing = True
            self.chain.bowed = 0
            self.chain.begin_bow()
        elif not self._apply_forward():
            self._forget_forward()
        if self.session.open:
            self.session.note_flag(_FLAG_RECALIBRATED)
        # Settles in the journal; whatever is taken back meanwhile costs no commit.
        self.journal.touch(j.WHY_CALIBRATION, self._uptime_s + _TAKE_BACK_MS // 1000)
        self._play(z.P_CALIBRATED)

    def _look_at_bow(self, now_ms):
        """Keep the forward axis that a bow has found; one that did not come is told as a refusal."""
        chain = self.chain
        if chain.bowed:
            self._bowing = False
            chain.bowed = 0
            c = self.journal.calibration
            c[j.CAL_FORWARD] = chain.bow.fx
            c[j.CAL_FORWARD + 1] = chain.bow.fy
            c[j.CAL_FORWARD + 2] = chain.bow.fz
            # One commit for the calibration and its bow, when both can no longer be taken back.
            self._calibrated_ms = now_ms
            self.journal.touch(j.WHY_CALIBRATION, self._uptime_s + _TAKE_BACK_MS // 1000)
        elif not chain.bow.left:
            self._bowing = False
            self._play(z.P_REFUSED)

    def _take_back(self):
        self._may_take_back = False
        self._leave_bow()
        c = self.journal.calibration
        for index in range(len(c)):
            c[index] = self._before[index]
        if self.journal.unsaved & j.WHY_CALIBRATION and not self._before_unsaved:
            # The one taken back was never written: what stands in the flash is right again.
            self.journal.unsaved &= ~j.WHY_CALIBRATION
        else:
            self.journal.touch(j.WHY_CALIBRATION, self._uptime_s)
        if self.journal.calibrated:
            self._apply_calibration()
        else:
            self.chain.forget_upright()
        self._play(z.P_SNOOZE)

    def _leave_bow(self):
        self._bowing = False
        self.chain.bow.left = 0
        self.chain.bowed = 0

    def begin_calibration(self):
        """True when the next seconds will be taken as upright."""
        if self.off or not self.sensor_ok:
            self._play(z.P_REFUSED)
            return False
        self._calibrating = True
        self._rouse()
        self._leave_bow()
        self._calibration_state = _CALIBRATION_RUNNING
        self.chain.begin_calibration()
        return True
