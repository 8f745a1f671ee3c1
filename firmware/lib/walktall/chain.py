"""From counts to events: the order of one sample, one tick (250 ms) and one second. Pure, and the same everywhere.

    sample -> tilt -> gait -> (tick) angles, state -> detector -> ring, buzz request -> (second) session, row

The device hands it what the FIFO held, the simulator's fast path hands it the same counts. All its timers count
samples, so both give the same events. From angles and state on (`judge`) a tick can come out of a trace as well. It
touches no hardware, knows no clock, and does not play the patterns it asks for.
"""

from array import array

from . import buzz as b
from . import calibrate as c
from . import events as e
from .coach import Coach
from .detector import Detector
from .gait import Gait
from .motion import take
from .session import Session
from .tilt import Tilt

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


# Of `events`; private, so that they fold: tests/test_house_rules.py holds them to it.
_WALKS = const(1)
_JOGS = const(2)
_STILL = const(4)
_KIND = const(56)
_SHAKEN = const(8)
_SETTLING = const(16)
_MISSING = const(24)
_TICK = const(1)
_SECOND = const(2)
_TICK_SAMPLES = const(13)
# Of `settings`; private, so that they fold: tests/test_house_rules.py holds them to it.
_SET_MODE = const(0)
_SET_RECOVERY_TICK = const(20)
_SET_FORWARD_AXIS = const(22)
_SET_COACHING = const(23)
_SET_BOW = const(28)
_SET_DOZE_S = const(29)

# Where nobody walks the sensor may doze: after `doze_s`, or, when it was woken and nobody walked, after 10 s.
_WOKEN_TICKS = const(40)
_MAKING_UP_TICKS = const(4)  # the walking gate is about to open
_SETTLE_TICKS = const(4)  # after a gap: until the 1 s mean holds only what came behind it
_AFTER_SHAKE = const(13)  # 250 ms after the motor stopped, the accelerometer is still shaken
_LONG_GAP = const(104)  # 2 s: what was known of motion is stale
_LOST_GAP = const(260)  # 5 s: and who walked may have sat down
_BRIEF_GAP = const(30)  # a burst or two: what came before it still holds
_SHORT_GAP = const(13)
_LAST_TICK = const(3)  # of a second
_CADENCE_HELD_SPM = const(3)
_ANGLE_MAX_CDEG = const(2500)  # a new upright further than this from the last one is a mistake


class Chain:
    """Counts in, events out. See the module's text for the order."""

    def __init__(self, settings):
        self.settings = settings
        self.tilt = Tilt()
        self.gait = Gait()
        self.coach = Coach(settings)
        self.detector = Detector(settings, self.coach)
        self.session = Session()
        self.ring = e.EventRing()
        self.calibrator = c.Calibrator()
        self.bow = c.Bow()
        self.bias = c.BiasTracker()
        self.n_samples = 0
        #: What the last sample of a `burst` closed.
        self.closed = 0
        self._one = array("h", [0] * 6)
        self._views = [self._one]  # of a sample alone it is its own view
        self.buzz_request = 0
        self.calibration_result = c.NONE
        self.calibration_quality = 0
        #: 1 when a bow has found the forward axis (`bow.fx`, `.fy`, `.fz`, Q14); the device sets it back.
        self.bowed = 0
        #: Upright as raw counts and bias in 1/16 counts: what the journal keeps.
        self.upright = array("i", [0] * 6)
        self._in_tick = 0
        self._ticks = 0
        self._apart = 0  # somebody calibrates, or the motor shakes the sensor
        self._shaken = 0
        self._settle = 0
        #: Of this tick: SHAKEN, or what else makes it no ordinary one.
        self._special = 0
        self._spoilt = 0  # this second is not whole, or was shaken
        self._walking = 0
        self._buzz_tick = 0
        self._cadence = 0
        #: 1 at the end of a second in which nothing needs the sensor's samples; `dozed` then stands for them.
        self.may_doze = 0
        self._doze = settings.values[_SET_DOZE_S] * e.TICKS_PER_S
        self._wakeful = self._doze  # ticks until then, at the least
        self._n_ticks = 0  # before this second
        #: Where the rows of a trace go (`rows.RowWriter`), or None.
        self.rows = None
        #: Classes of the second's ticks.
        self._kinds = array("B", [0] * e.TICKS_PER_S)
        self.second_class = 0
        #: A class that stands for every second while it is not 0: on the charger nothing is judged (CLASS_CHARGING).
        self.left_out = 0

    @property
    def calibrated(self):
        """True when an upright is known."""
        return self.detector.calibrated != 0

    def configure(self, settings):
        """Take changed settings; timers go on."""
        self.settings = settings
        self.coach.configure(settings)
        self.detector.configure(settings)
        self._mark(e.SETTINGS, 0)
        self._note()
        self._wakeful = self._doze = settings.values[_SET_DOZE_S] * e.TICKS_PER_S

    def _note(self):
        v = self.settings.values
        detector = self.detector
        self.session.note_rules(
            (detector.forward.on_cdeg + self.coach.ease_cdeg) // 100,
            (detector.forward.off_cdeg + self.coach.ease_cdeg) // 100,
            detector.forward.hold // e.TICKS_PER_S,
            v[_SET_MODE],
            v[_SET_COACHING],
        )
        self.session.note_calibration(self.calibration_quality, detector.walk_offset_cdeg)

    # ---- samples ----

    def burst(self, views, at, n):
        """Take samples from the one at `at` on, at most `n`, up to the first that closes a tick: how many were taken.

        `closed` is then 0, or `events.TICK`, or `events.TICK | events.SECOND`: what the last of them closed.

        :param list views: `motion.views_of` them
        """
        left = _TICK_SAMPLES - self._in_tick
        if n > left:
            n = left
        if not self._apart:
            take(self.tilt, self.gait, views, at, n, 1)
        elif self._shaken:
            if n > self._shaken:
                n = self._shaken
            take(self.tilt, self.gait, views, at, n, 0)
            self._shaken -= n
            self._special |= _SHAKEN
        elif self.calibrator.state:
            n = 1
            take(self.tilt, self.gait, views, at, 1, 1)
            one = views[at]
            self._calibrate(one[3], one[4], one[5], one[0], one[1], one[2])
        else:
            self._apart = 0
            take(self.tilt, self.gait, views, at, n, 1)
        self.n_samples += n
        if n < left:
            self._in_tick += n
            self.closed = 0
        else:
            self._in_tick = 0
            self.closed = self._tick()
        return n

    def sample(self, ax, ay, az, wx, wy, wz):
        """Take one sample of raw counts; what it closed, as `burst` tells it."""
        one = self._one
        one[0] = wx
        one[1] = wy
        one[2] = wz
        one[3] = ax
        one[4] = ay
        one[5] = az
        self.burst(self._views, 0, 1)
        return self.closed

    def begin(self):
        """A session begins, and with it a second: offset, timers and history begin anew, upright and snooze stay."""
        self.detector.restart()
        self.coach.restart()
        self._n_ticks += self._ticks
        self._buzz_tick = self._n_ticks
        self._cadence = 0
        self._ticks = 0
        self._spoilt = 1

    def stand_into(self, v):
        """All that judging a session begins from, into an `array('i')` of STAND_SIZE."""
        self.detector.stand_into(v)
        self.coach.stand_into(v)
        v[16] = self._walking
        v[17] = self._cadence

    def take_stand(self, v):
        """Begin where `stand_into` stood."""
        self.detector.take_stand(v)
        self.coach.take_stand(v)
        self._walking = v[16]
        self._cadence = v[17]

    def _tick(self):
        tilt = self.tilt
        gait = self.gait
        detector = self.detector
        state = gait.tick(tilt)
        if self._special:
            if self.bow.left:
                self._bow()
            if self._settle:
                # A gap lies within the last second: its mean is not to be judged.
                self._settle -= 1
                state |= _SETTLING
                self._spoilt = 1
            elif self._special & _SHAKEN:
                state |= _SHAKEN
                self._spoilt = 1
            self._special = 1 if self._settle or self.bow.left else 0
        detector.look(tilt)
        tilt.renormalise()
        sums = tilt.sums
        sums[0] = sums[1] = sums[2] = sums[3] = 0
        if not state & _WALKS:
            self.may_doze = 0
            if self._wakeful:
                self._wakeful -= 1
            if gait.score > 0 and not state & _STILL and self._wakeful < _MAKING_UP_TICKS:
                self._wakeful = _MAKING_UP_TICKS
        if self.judge(detector.look_pitch_cdeg, detector.look_roll_cdeg, state, gait.cadence_spm) == _TICK:
            return _TICK
        if self._spoilt:
            self._spoilt = 0
        else:
            self.bias.second(tilt, gait, state & _JOGS)
        rate = tilt.rate
        rate[0] = rate[1] = rate[2] = 0
        if (
            self._doze
            and not self._wakeful
            and not self._shaken
            and not self.calibrator.state
            and not self.bow.left
            # At a desk somebody who sits is judged, who does not walk.
            and (self.settings.values[_SET_MODE] == 0 or detector.off_body)
        ):
            self.may_doze = 1
        return _TICK | _SECOND

    def judge(self, pitch_cdeg, roll_cdeg, state, cadence_spm):
        """Judge one tick, from the sensor or out of a trace: `events.TICK`, with `events.SECOND` when it closed one.

        :param int pitch_cdeg: mean pitch of the tick from upright, in steps of 0.2 degrees
        :param int state: `events.WALKS`, `JOGS`, `STILL`, and one of `SHAKEN`, `SETTLING`, `MISSING`, `DOZED` or none
        :param int cadence_spm: as gait has it now; the detector is told the last whole second's
        """
        detector = self.detector
        rows = self.rows
        if rows is not None:
            rows.tick(self._ticks, pitch_cdeg, roll_cdeg, state)
        detector.step(pitch_cdeg, roll_cdeg, state, self._cadence)
        if state != self._walking or detector.told or self.coach.counts:
            kind = state & _KIND
            if kind < _SETTLING:
                walks = state & _WALKS
                coach = self.coach
                if coach.counts:
                    coach.tick(walks and not state & _JOGS, state & _STILL and not detector.off_body)
                if walks != self._walking:
                    self._walking = walks
                    self._wakeful = self._doze
                    self.may_doze = 0
                    self._put(e.WALKING if walks else e.STOPPED, 0, 0, 0)
                if detector.told or coach.cue:
                    self._tell()
        # ---- the second ----
        best = detector.second_class
        ticks = self._ticks
        kinds = self._kinds
        kinds[ticks] = best
        if ticks < _LAST_TICK:
            self._ticks = ticks + 1
            return _TICK
        self._ticks = 0
        self._n_ticks += e.TICKS_PER_S
        if kinds[0] != best or kinds[1] != best or kinds[2] != best:
            best = self._class_of_second()
        if self.left_out:
            best = self.left_out
        self.second_class = best
        # What labels compare is held until it has changed: a row of the trace tells it only then.
        if not -_CADENCE_HELD_SPM < cadence_spm - self._cadence < _CADENCE_HELD_SPM or not cadence_spm:
            self._cadence = cadence_spm
        self.session.silent = self.coach.silent
        self.session.second(best, detector.pitch_cdeg, detector.roll_cdeg, cadence_spm, state & _WALKS, self.gait.steps)
        if rows is not None:
            rows.second(best, self._cadence)
        return _TICK | _SECOND

    def _class_of_second(self):
        """A second is a gap, or shaken, if any of it was; else what most of it was; of equals the one that is not
        good."""
        kinds = self._kinds
        best = e.CLASS_UNSURE
        most = 0
        for k in range(e.TICKS_PER_S):
            kind = kinds[k]
            if kind == e.CLASS_GAP:
                return kind
            n = 0
            for j in range(e.TICKS_PER_S):
                if kinds[j] == kind:
                    n += 1
            # One that is shaken outweighs all that is no gap.
            if kind == e.CLASS_BUZZING:
                n = e.TICKS_PER_S + 1
            if n > most or (n == most and kind > best):
                most = n
                best = kind
        return best

    def _put(self, code, fault, label, value):
        self.ring.put(self.n_samples, code, fault, label, value)
        self._mark(code, value, fault, label)
        self.session.event(code, fault, label, value)

    def _mark(self, code, value, fault=0, label=0):
        """What a row tells of its second beside the ticks: events, and what else was asked of the detector."""
        if self.rows is not None:
            self.rows.mark(self._ticks, code, fault, label, value)

    def _tell(self):
        """Put what the detector decided into the ring, and ask for the pattern that goes with it."""
        detector = self.detector
        # Not a loop over a tuple of the three: building it would take 32 bytes a tick.
        self._tell_fault(detector.forward, detector.label)
        self._tell_fault(detector.back, 0)
        self._tell_fault(detector.side, 0)

        if detector.slip:
            self._put(e.SLIP, 0, 0, detector.pitch_cdeg)
            self._ask(b.P_SLIP)
        if self.coach.cue:
            self._put(e.CUE, 0, 0, 0)
            self._ask(b.P_CUE)

    def _tell_fault(self, fault, label):
        detector = self.detector
        code = fault.code
        if detector.began & code:
            self._put(e.FAULT_BEGIN, code, 0, detector.pitch_cdeg)
        if detector.buzzed & code:
            self._put(e.BUZZ, code, label, fault.buzzed)
            self._buzz_tick = self._n_ticks + self._ticks
            self._ask(b.P_FORWARD if code == e.FORWARD else (b.P_BACK if code == e.BACK else b.P_SIDE))
        if detector.ended & code:
            self._put(e.FAULT_END, code, label, detector.pitch_cdeg)
        if detector.recovered & code:
            self._put(e.RECOVERED, code, 0, self._n_ticks + self._ticks - self._buzz_tick)
            if self.settings.values[_SET_RECOVERY_TICK]:
                self._ask(b.P_RECOVERED)

    def _ask(self, pattern):
        """Ask for a pattern; of two in one tick the first, graver one is played."""
        if not self.buzz_request:
            self.buzz_request = pattern
            self.shake(b.samples(pattern))

    def shake(self, n_samples):
        """The motor shakes the sensor for the next `n_samples`, and 250 ms longer."""
        n_samples += _AFTER_SHAKE
        if n_samples > self._shaken:
            self._shaken = n_samples
            self._apart = 1

    def dozed(self, n_samples):
        """The sensor waited for motion for `n_samples`, and there was none: nobody walked, nothing is judged, no gap.

        Returns as `sample` does.
        """
        self.may_doze = 0
        self.n_samples += n_samples
        self._shaken = self._shaken - n_samples if self._shaken > n_samples else 0
        left = self._in_tick + n_samples
        told = 0
        while left >= e.TICK_SAMPLES:
            left -= e.TICK_SAMPLES
            told |= self.judge(0, 0, e.STILL | e.DOZED, 0)
        self._in_tick = left
        self._spoilt = 1
        return told

    def woke(self):
        """Samples come again: motion and gravity begin anew, the gyroscope's bias is kept."""
        self.tilt.restart()
        self.gait.restart()
        self._spoilt = 1
        self._wakeful = _WOKEN_TICKS

    def mend(self):
        """Judge as missing what an exception kept from being judged."""
        self._in_tick = self.n_samples % e.TICK_SAMPLES
        while self._n_ticks + self._ticks < self.n_samples // e.TICK_SAMPLES:
            self.judge(0, 0, e.MISSING, 0)

    def missed(self, n_samples):
        """`n_samples` were lost: time passes, nothing is judged, the seconds are left out as a gap."""
        if n_samples <= 0:
            return
        self._put(e.GAP, 0, 0, n_samples)
        self.n_samples += n_samples
        left = self._in_tick + n_samples
        self.tilt.drop_group()
        if n_samples >= _LONG_GAP:
            self.tilt.restart()
            if n_samples < _LOST_GAP:
                self.gait.bridge()
            else:
                self.gait.restart()
        elif n_samples >= _SHORT_GAP:
            self.tilt.loosen(3)
        if self.calibrator.state:
            self.calibrator.cancel()
            self.calibration_result = c.MOVING
        self._shaken = self._shaken - n_samples if self._shaken > n_samples else 0
        self._settle = _SETTLE_TICKS if n_samples > _BRIEF_GAP else 1
        self._special |= 1
        self._spoilt = 1
        gait = self.gait
        while left >= e.TICK_SAMPLES:
            left -= e.TICK_SAMPLES
            self.judge(0, 0, gait.walking | gait.jogging << 1 | gait.still << 2 | e.MISSING, gait.cadence_spm)
        self._in_tick = left

    # ---- upright ----

    def set_upright(self, ax, ay, az, bx, by, bz, quality):
        """Take an upright (mean specific force, counts) and a gyroscope bias (1/16 counts).

        Returns False, and changes nothing, when the force is no gravity or the forward axis points along it.
        """
        v = self.settings.values
        if not self.detector.set_upright(ax, ay, az, v[_SET_FORWARD_AXIS]):
            # Where a bow is to find forward, any axis across up will do until then.
            if not v[_SET_BOW] or not (
                self.detector.set_upright(ax, ay, az, 0)
                or self.detector.set_upright(ax, ay, az, 2)
                or self.detector.set_upright(ax, ay, az, 4)
            ):
                return False
        self.upright[0] = ax
        self.upright[1] = ay
        self.upright[2] = az
        self.upright[3] = bx
        self.upright[4] = by
        self.upright[5] = bz
        tilt = self.tilt
        bias = tilt.bias
        bias[0] = (bx + 2) >> 2
        bias[1] = (by + 2) >> 2
        bias[2] = (bz + 2) >> 2
        tilt.seed(ax, ay, az)
        self.detector.restart()
        self.calibration_quality = quality
        self._note()
        self._put(e.CALIBRATED, 0, 0, quality)
        return True

    def begin_calibration(self):
        """Two presses: wait for the hand to leave, average, judge. `calibration_result` tells the outcome."""
        self.calibration_result = c.NONE
        self.calibrator.begin()
        self._apart = 1

    def cancel_calibration(self):
        """Leave what was begun."""
        self.calibrator.cancel()

    def _calibrate(self, ax, ay, az, wx, wy, wz):
        k = self.calibrator
        result = k.step(ax, ay, az, wx, wy, wz)
        if result == c.NONE:
            return
        if result == c.DONE:
            far = self.detector.angle_from_upright_cdeg(k.ax, k.ay, k.az)
            if self.detector.calibrated and far > _ANGLE_MAX_CDEG:
                result = c.ANGLE
            elif not self.set_upright(k.ax, k.ay, k.az, k.bx, k.by, k.bz, k.quality):
                result = c.ANGLE
        self.calibration_result = result

    def begin_bow(self):
        """Ask for a bow within 8 s: it finds the forward axis, whatever way the clip sits."""
        self.bow.begin()
        self._special |= 1

    def _bow(self):
        u = self.detector.up
        k = self.bow
        x, y, z = self.tilt.g
        if k.step(u[0], u[1], u[2], x >> 6, y >> 6, z >> 6) != c.DONE:
            return
        if self.set_frame(self.upright[0], self.upright[1], self.upright[2], k.fx, k.fy, k.fz):
            self.bowed = 1
            self._ask(b.P_CALIBRATED)

    def set_frame(self, ax, ay, az, fx, fy, fz):
        """As the detector's: up (counts) and forward (Q14) are set, and nothing is begun anew."""
        if not self.detector.set_frame(ax, ay, az, fx, fy, fz):
            return False
        self._mark(e.FRAME, 1)
        return True

    def set_axis(self, ax, ay, az, forward_axis):
        """As the detector's `set_upright`: another sensor axis is forward, and nothing is begun anew."""
        if not self.detector.set_upright(ax, ay, az, forward_axis):
            return False
        self._mark(e.FRAME, 1)
        return True

    def forget_upright(self):
        """No upright is known any more: nothing is judged until a calibration."""
        self.detector.calibrated = self.detector.plain = 0
        self._mark(e.FRAME, 0)

    # ---- the walker's presses ----

    def snooze(self, minutes):
        """No buzz for `minutes`; 0 ends a snooze."""
        self.detector.snoozed = minutes * 60 * e.TICKS_PER_S
        self.detector.plain = 0
        self._put(e.SNOOZE, 0, 0, minutes)

    def mark(self):
        """The walker marks discomfort."""
        self._put(e.MARK, 0, 0, 0)

    def wrong(self):
        """The walker says that the last buzz was wrong: it is labelled, and the motor is mute for a minute."""
        self.detector.muted = 60 * e.TICKS_PER_S
        self._put(e.WRONG, 0, 0, self._n_ticks + self._ticks - self._buzz_tick)

    def hill(self, on=True):
        """Hill mode: for some minutes the forward limit is some degrees wider; or its end."""
        if on:
            self.detector.begin_hill()
        else:
            self.detector.hill = 0
        self._mark(e.HILL, self.detector.hill)
