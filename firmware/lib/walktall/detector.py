"""When has somebody leaned, slouched or arched too long? One decision a tick (250 ms), in integers.

A tick comes in as two angles against the calibrated upright, in steps of 0.2 degrees, and what gait made of it: all
that a row of the trace holds, so that a walk can be judged again. What is judged is the mean of the last four ticks
(1 s), less the walking offset. A fault is on from above its limit until below its lower one. While somebody walks its
hold timer runs; when good it decays four times as fast; when walking has stopped, in a fast turn of the trunk, a jog, a
gap or a buzz it is held, neither running nor decaying. A buzz comes when

    timer >= hold + margin    and    mean pitch while the timer ran >= limit

The mean keeps a walker who crossed the limit once and hovers below it (10 degrees against 12) from being buzzed, and
lets a 14 degree lean through that dips now and then. The margin is how long the moment of crossing is unsure: real
trunks wander by 2.5 degrees, so it is 2.5 degrees over the slope of the crossing and a tick, up to 3.5 s. A quick
lean costs half a second, a creeping slouch 3 s.

FORWARD is labelled when it buzzes, by behaviour (LEAN, SLOUCH, UNSURE): docs/algorithm.md, "Labels". Nothing here
measures head, gaze, arms or hips, and nothing claims to.
"""

from array import array

from . import events as e
from .fixmath import atan2_cdeg, isqrt

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


# Of `events`; private, so that they fold: tests/test_house_rules.py holds them to it.
_FORWARD = const(1)
_SIDE = const(4)
_LEAN = const(1)
_SLOUCH = const(2)
_UNSURE = const(3)
_CLASS_GOOD = const(1)
_CLASS_FORWARD = const(2)
_CLASS_BACK = const(3)
_CLASS_SIDE = const(4)
_CLASS_STILL = const(5)
_CLASS_BEND = const(6)
_CLASS_JOG = const(7)
_CLASS_BUZZING = const(8)
_CLASS_GAP = const(10)
_CLASS_UNSURE = const(11)
_CLASS_SNOOZED = const(12)
_CLASS_OFF_BODY = const(13)
_WALKS = const(1)
_JOGS = const(2)
_KIND = const(56)
_SETTLING = const(16)
_DOZED = const(32)
# Of `settings`; private, so that they fold: tests/test_house_rules.py holds them to it.
_SET_MODE = const(0)
_SET_HOLD_S = const(1)
_SET_BACK_ON_DEG = const(4)
_SET_BACK_OFF_DEG = const(5)
_SET_SIDE_ON_DEG = const(6)
_SET_SIDE_OFF_DEG = const(7)
_SET_SIDE_BUZZ = const(8)
_SET_DESK_HOLD_S = const(10)
_SET_REARM_S = const(11)
_SET_REPEAT1_S = const(12)
_SET_REPEAT2_S = const(13)
_SET_REPEAT3_S = const(14)
_SET_SPACING_S = const(15)
_SET_HILL_DEG = const(17)
_SET_HILL_MIN = const(18)
_SET_WALK_OFFSET_MAX_DEG = const(19)

_FRESH_TICKS = const(12)
_DECAY = const(4)  # a second of good posture takes back four of fault (facts: alarm quality)
_TURN_CDEG = const(1500)  # 15 degrees from one tick to the next: 60 deg/s, a bend or a stumble
_WANDER_CDEG = const(250)  # how far a trunk wanders in 10 s of steady walking (docs/algorithm.md)
_MARGIN_MIN = const(1)  # ticks
_MARGIN_MAX = const(14)
_MEAN_SLACK_CDEG = const(30)
_HISTORY = const(160)  # 40 s of ticks: a slow onset and the hold behind it
_RAMPS = (2, 4, 6, 8, 10, 14, 18, 22, 26, 30)  # lengths tried, half seconds
_QUICK = const(10)  # up to here a rise is a lean's: 10-90 % within 4 s
_SLOW = const(18)  # and from here a slouch's: 10-90 % over 7 s
_CADENCE_UP_SPM = const(8)
_OFFSET_TICKS = const(240)  # the walking offset is learned in the first minute of walking
_STRANGER_TICKS = const(60)  # 15 s of walking
_OFFSET_FIRST = const(40)  # and used from 10 s on
_BINS = const(64)  # of 0.5 degrees, -16 .. 16
_BIN_CDEG = const(50)
_OFFSET_RANK = const(50)  # percentile of pitch taken as one's own walking
_BEND_CDEG = const(3000)
_SECOND = const(4)
_STEP_CDEG = const(20)
# Arc tangent and arc sine within 29 degrees: the polynomials t + t^3 + t^5 whose greatest error is least (0.002
# degrees with the rounding), of t in Q14, in steps of 0.2 degrees times 2^22.
_ATAN1 = const(73318)
_ATAN3 = const(-23861)
_ATAN5 = const(10414)
_ASIN1 = const(73345)
_ASIN3 = const(12007)
_ASIN5 = const(7200)
_HALF_STEP = const(1 << 21)
_WRAP_CDEG = const(18000)


# A slip of the clip that can be told from posture is a turn that no trunk makes: 18 degrees or more within half a
# second, eight times what this walker swings, and hardly less than the change that stays. Smaller slips look like leans
# (with a limit of 8 degrees, of 30 slips of 10 degrees put on real walks 5 were told, and 3 of 30 quick leans were
# taken for slips); three buzzes without an answer tell them.
_SLIP_CDEG = const(1800)
_SLIP_MAX_CDEG = const(4500)
_SLIP_SHARE = const(96)  # percent of the lasting change that has to fall into half a second
_ANSWER_CDEG = const(100)  # half a second this far below the limit is an answer, if the second fell by 4 degrees
_NO_ANSWER_CDEG = const(400)
_NO_ANSWER_TICKS = const(40)
_REZERO_S = const(300)  # of walking
_REZERO_STEP_CDEG = const(25)
_REZERO_MAX_CDEG = const(300)
_UPRIGHT_ISH_CDEG = const(6000)
_MINUTE = const(240)
_OFF_BODY_CDEG = const(25)  # a table moves less in a minute; whoever wears it sways more


class Fault:
    """One kind of fault: its limits, its hold timer and its schedule of buzzes. Times in ticks, angles in
    centidegrees."""

    def __init__(self, code):
        self.code = code
        self.on_cdeg = 1200
        self.off_cdeg = 800
        self.hold = 40
        self.restart()

    def restart(self):
        self.busy = 0  # active, or its timer has not run out, or it may not begin again yet
        self.active = 0
        self.timer = 0
        self.sum_cdeg = 0
        self.counted = 0
        self.margin = 0
        self.buzzed = 0  # buzzes in this episode
        self.since_buzz = 0
        self.next = 0  # of them until anything may come
        self.withheld = 0  # the coach kept this episode's buzz back
        self.level_cdeg = 0  # at the first buzz
        self.least_cdeg = 0  # since then
        self.good = 0  # ticks since the episode


class Detector:
    """The rules. `step` takes the closing tick; what it decided stands in the attributes.

    `began`, `ended`, `buzzed`, `recovered` are masks of faults (`events.FORWARD` ...) for this tick, and `told` is 1
    where there is one of them or a `slip`; `second_class` is the class of this tick; `pitch_cdeg`, `roll_cdeg` the 1 s
    mean angles.
    """

    def __init__(self, settings, coach):
        self.coach = coach
        self.forward = Fault(e.FORWARD)
        self.back = Fault(e.BACK)
        self.side = Fault(e.SIDE)
        # Lists, because three of a list come at a time.
        self.up = [0, 16384, 0]
        self._f = [0, 0, 16384]
        self._l = [16384, 0, 0]
        self._pitches = array("h", [0] * _HISTORY)
        self._cadences = array("B", [0] * (_HISTORY // _SECOND))
        # Of the ticks before: pitch of the last but one and the one before that, roll of the last three.
        self._last = [0] * 5
        self._bins = array("H", [0] * _BINS)
        self._sums = array("i", [0] * (_HISTORY // 2 + 1))
        self.pitch_cdeg = 0
        self.roll_cdeg = 0
        self.tick_pitch_cdeg = 0
        self.look_pitch_cdeg = 0
        self.look_roll_cdeg = 0
        self.label = 0
        self.snoozed = 0  # ticks left
        self.hill = 0  # ticks left
        self.muted = 0  # ticks left
        self.calibrated = 0
        self.slipped = 0
        self._low_pitch = self._high_pitch = 0
        self._low_roll = self._high_roll = 0
        self.configure(settings)
        self.restart()

    def configure(self, settings):
        """Take the values in force from `settings`; running timers go on."""
        v = settings.values
        self._desk = 1 if v[_SET_MODE] == 1 else 0
        hold = v[_SET_DESK_HOLD_S] if self._desk else v[_SET_HOLD_S]
        self.forward.on_cdeg = settings.on_limit_deg() * 100
        self.forward.off_cdeg = settings.off_limit_deg() * 100
        self.back.on_cdeg = v[_SET_BACK_ON_DEG] * 100
        self.back.off_cdeg = v[_SET_BACK_OFF_DEG] * 100
        self.side.on_cdeg = v[_SET_SIDE_ON_DEG] * 100
        self.side.off_cdeg = v[_SET_SIDE_OFF_DEG] * 100
        self.plain = 0
        self._near_cdeg = min(self.forward.on_cdeg, self.back.on_cdeg, self.side.on_cdeg)
        self.forward.hold = self.back.hold = self.side.hold = hold * e.TICKS_PER_S
        self._side_buzz = v[_SET_SIDE_BUZZ]
        self._rearm = v[_SET_REARM_S] * e.TICKS_PER_S
        self._repeat1 = v[_SET_REPEAT1_S] * e.TICKS_PER_S
        self._repeat2 = v[_SET_REPEAT2_S] * e.TICKS_PER_S
        self._repeat3 = v[_SET_REPEAT3_S] * e.TICKS_PER_S
        self._spacing = v[_SET_SPACING_S] * e.TICKS_PER_S
        self._hill_cdeg = v[_SET_HILL_DEG] * 100
        self._hill_ticks = v[_SET_HILL_MIN] * 60 * e.TICKS_PER_S
        self._offset_max_cdeg = v[_SET_WALK_OFFSET_MAX_DEG] * 100

    def restart(self):
        """A new wearing: timers, offset and history begin anew; the upright stays."""
        self._restart_faults()
        self.told = self.began = self.ended = self.buzzed = self.recovered = 0
        self.second_class = e.CLASS_NONE
        self.walk_offset_cdeg = 0
        self._offset_n = 0
        self._walked = 0
        for i in range(_BINS):
            self._bins[i] = 0
        self._first_bin = _BINS
        self._since_first = 0x3FFFFF
        self._n = 0  # ticks of history
        self._gap_n = 0  # of them lie before the last gap
        self.frozen = 0
        #: 1 while ticks are ordinary: good walking, nothing under way. Who changes what that hangs on sets it to 0.
        self.plain = 0
        self.slip = 0
        self.rezero_cdeg = 0
        self._rezero_n = 0
        self._jump_at = 0
        self._jump_cdeg = 0
        self._swing = 0
        for i in range(5):
            self._last[i] = 0
        self._minute = self._stirred = 0
        self._quiet_minutes = 0
        self.off_body = 0

    def _restart_faults(self):
        self.plain = 0
        self.forward.restart()
        self.back.restart()
        self.side.restart()
        self._resting = True

    def stand_into(self, v):
        """What a judgement begins from, into v[0] .. v[8]; v[0] is 1 where no fault is under way."""
        v[0] = (1 if self._resting else 0) | self.calibrated << 1 | self.slipped << 2
        v[1] = self.snoozed
        v[2] = self.hill
        v[3] = self.muted
        v[4] = self.walk_offset_cdeg
        v[5] = self.rezero_cdeg
        v[6] = self._offset_n
        v[7] = self._walked
        v[8] = self._since_first

    def take_stand(self, v):
        """Begin from what `stand_into` told; the history of angles stays."""
        self.calibrated = v[0] >> 1 & 1
        self.slipped = v[0] >> 2 & 1
        self.snoozed = v[1]
        self.hill = v[2]
        self.muted = v[3]
        self.walk_offset_cdeg = v[4]
        self.rezero_cdeg = v[5]
        self._offset_n = v[6]
        self._walked = v[7]
        self._since_first = v[8]
        self._restart_faults()

    # ---- upright ----

    def set_upright(self, ax, ay, az, forward_axis):
        """Take the mean specific force at upright (counts) as up, and a sensor axis (0 +x, 1 -x ... 5 -z) as forward.

        Returns False, and changes nothing, when the forward axis lies within 25 degrees of up.
        """
        fx = fy = fz = 0
        one = -16384 if forward_axis & 1 else 16384
        if forward_axis < 2:
            fx = one
        elif forward_axis < 4:
            fy = one
        else:
            fz = one
        return self.set_frame(ax, ay, az, fx, fy, fz)

    def set_frame(self, ax, ay, az, fx, fy, fz):
        """Up from a specific force (counts), forward from any vector (Q14) not within 25 degrees of it; else False."""
        n = isqrt((ax >> 1) * (ax >> 1) + (ay >> 1) * (ay >> 1) + (az >> 1) * (az >> 1))
        if n < 1000:
            return False
        ux = (ax << 13) // n
        uy = (ay << 13) // n
        uz = (az << 13) // n
        # left = up x forward, then forward = left x up: right angles whatever the clip's own tilt is.
        lx = (uy * fz - uz * fy) >> 14
        ly = (uz * fx - ux * fz) >> 14
        lz = (ux * fy - uy * fx) >> 14
        n = isqrt(lx * lx + ly * ly + lz * lz)
        if n < 6924:  # sin 25 degrees in Q14
            return False
        lx = (lx << 14) // n
        ly = (ly << 14) // n
        lz = (lz << 14) // n
        u = self.up
        f = self._f
        side = self._l
        u[0] = ux
        u[1] = uy
        u[2] = uz
        side[0] = lx
        side[1] = ly
        side[2] = lz
        f[0] = (ly * uz - lz * uy) >> 14
        f[1] = (lz * ux - lx * uz) >> 14
        f[2] = (lx * uy - ly * ux) >> 14
        self.calibrated = 1
        self.slipped = 0
        return True

    def angle_from_upright_cdeg(self, ax, ay, az):
        """How far a specific force (counts) lies from upright; 0 .. 18000."""
        u = self.up
        x = ax >> 1
        y = ay >> 1
        z = az >> 1
        dot = (x * u[0] + y * u[1] + z * u[2]) >> 14
        cx = (y * u[2] - z * u[1]) >> 14
        cy = (z * u[0] - x * u[2]) >> 14
        cz = (x * u[1] - y * u[0]) >> 14
        return atan2_cdeg(isqrt(cx * cx + cy * cy + cz * cz), dot)

    def begin_hill(self):
        """Widen the forward limit by `hill_deg` for `hill_min`."""
        self.hill = self._hill_ticks

    def look(self, tilt):
        """Angles of the tick that `tilt` has gathered, in steps of 0.2 degrees, into `look_pitch_cdeg` (forward is
        positive) and `look_roll_cdeg` (right is)."""
        if not self.calibrated:
            return
        # A tick's sum of gravity, and its length.
        x, y, z, whole = tilt.sums
        if whole:
            whole <<= 11
            x >>= 9
            y >>= 9
            z >>= 9
        else:
            # Behind a gap nothing may have been summed yet.
            whole = 1 << 14
            x, y, z = tilt.g
            x >>= 6
            y >>= 6
            z >>= 6
        dx, dy, dz = self.up
        up = (x * dx + y * dy + z * dz) >> 14
        dx, dy, dz = self._f
        ahead = x * dx + y * dy + z * dz
        dx, dy, dz = self._l
        across = x * dx + y * dy + z * dz
        if up << 3 > whole * 7:
            # Within 29 degrees of upright: no square root, and two terms behind the first are right to 0.01 degrees.
            # Tangent and sine in Q14, angles in steps.
            t = -ahead // up
            k = t * t >> 14
            t *= (((_ATAN5 * k >> 14) + _ATAN3) * k >> 14) + _ATAN1
            self.look_pitch_cdeg = (t + _HALF_STEP >> 22) * _STEP_CDEG
            t = across // whole
            k = t * t >> 14
            t *= (((_ASIN5 * k >> 14) + _ASIN3) * k >> 14) + _ASIN1
            self.look_roll_cdeg = (t + _HALF_STEP >> 22) * _STEP_CDEG
            return
        ahead >>= 14
        across >>= 14
        half = _STEP_CDEG >> 1
        self.look_pitch_cdeg = (atan2_cdeg(-ahead, up) + half) // _STEP_CDEG * _STEP_CDEG
        up = isqrt(up * up + ahead * ahead)
        self.look_roll_cdeg = (atan2_cdeg(across, up) + half) // _STEP_CDEG * _STEP_CDEG

    # ---- one tick ----

    def step(self, tick_pitch, tick_roll, state, cadence):
        """Judge one tick.

        :param int tick_pitch: mean pitch of the tick, centidegrees (`look`)
        :param int tick_roll: mean roll
        :param int state: what gait made of it, and whether it may be judged (`events.WALKS` ...). While the motor
            shakes the sensor, angles go on by the gyroscope, nothing is judged and timers hold; around a gap timers
            hold, too
        :param int cadence: steps a minute of the last whole second
        """
        plain = self.plain and state == _WALKS
        if not plain:
            self.plain = 0
            if self.told:
                self.told = self.began = self.ended = self.buzzed = self.recovered = self.slip = 0
            kind = state & _KIND
            if kind >= _SETTLING:
                self._pass_over(kind)
                if kind > _SETTLING or not self.calibrated:
                    return
            if not self.calibrated:
                self.second_class = _CLASS_UNSURE
                self._elapse(1)
                return
        # ---- the means of the last second ----
        last = self._last
        before, oldest, roll, roll2, roll3 = last
        newer = self.tick_pitch_cdeg
        self.tick_pitch_cdeg = tick_pitch
        swing = tick_pitch - before
        turning = 0
        if not -_TURN_CDEG <= tick_pitch - newer <= _TURN_CDEG:
            turning = 1
            # Upside down, where 180 is -180, a mean would say upright.
            if not -_WRAP_CDEG <= tick_pitch - newer <= _WRAP_CDEG:
                newer = before = oldest = tick_pitch
        last[0] = newer
        last[1] = before
        last[2] = tick_roll
        last[3] = roll
        last[4] = roll2
        pitch = (tick_pitch + newer + before + oldest + 2 >> 2) - self.walk_offset_cdeg
        roll = tick_roll + roll + roll2 + roll3 + 2 >> 2
        self.pitch_cdeg = pitch
        self.roll_cdeg = roll
        if not plain and kind == _SETTLING:
            return
        n = self._n
        self._pitches[n % _HISTORY] = tick_pitch
        n += 1
        self._n = n
        near = self._near_cdeg
        if plain:
            if -near <= pitch <= near and -near <= roll <= near and not turning and -_SLIP_CDEG < swing < _SLIP_CDEG:
                if not n % _SECOND:
                    self._each_second(pitch, swing, _WALKS, cadence)
                return
            self.plain = kind = 0
        walks = walking = state & _WALKS
        if walks:
            if self._minute or self._stirred:
                self._minute = self._stirred = self._quiet_minutes = self.off_body = 0
        else:
            self._watch_for_table(pitch, roll)
            walking = (
                self._desk
                and not self.off_body
                and -_UPRIGHT_ISH_CDEG < pitch < _UPRIGHT_ISH_CDEG
                and -_UPRIGHT_ISH_CDEG < roll < _UPRIGHT_ISH_CDEG
            )
        jogs = state & _JOGS
        frozen = 1 if turning or jogs or kind or not walking else 0
        self.frozen = frozen
        if not n % _SECOND:
            self._each_second(pitch, swing, walks and not frozen, cadence)
        if kind:
            self.second_class = _CLASS_BUZZING
            return
        if (self._jump_at or not -_SLIP_CDEG < swing < _SLIP_CDEG) and walks and not frozen:
            self._watch_for_slip(swing)
        # Where all three faults rest and nothing is near a limit, there is nothing to run.
        if not self._resting or not (frozen or (-near <= pitch <= near and -near <= roll <= near)):
            self._run_faults(pitch, roll)

        if self.off_body:
            kind = _CLASS_OFF_BODY
        elif self.slipped:
            kind = _CLASS_UNSURE
        elif self.snoozed:
            kind = _CLASS_SNOOZED
        elif not frozen:
            kind = _CLASS_GOOD
            if not self._resting:
                if self.forward.active:
                    kind = _CLASS_FORWARD
                elif self.back.active:
                    kind = _CLASS_BACK
                elif self.side.active:
                    kind = _CLASS_SIDE
        elif jogs:
            kind = _CLASS_JOG
        elif turning or pitch > _BEND_CDEG:
            kind = _CLASS_BEND
        else:
            kind = _CLASS_STILL
        self.second_class = kind
        if walks and kind == _CLASS_GOOD and self._resting and not self._jump_at and not self.told:
            self.plain = 1

    def _each_second(self, pitch, swing, walks, cadence):
        """What need not be known sooner, with each fourth tick that has angles. `walks` is 0 where nothing may be
        learned."""
        self._cadences[(self._n - 1) % _HISTORY // _SECOND] = cadence if cadence < 255 else 255
        self._elapse(_SECOND)
        if not walks:
            return
        if self._walked < _STRANGER_TICKS:
            self._walked += _SECOND
        if self._offset_n < _OFFSET_TICKS:
            self._learn_offset(pitch + self.walk_offset_cdeg)
        else:
            self._rezero(pitch)
        # How far this walker swings from tick to tick, Q4 over 8 s: who swings 4 degrees cannot be told from a slip of
        # 8.
        if swing < 0:
            swing = -swing
        self._swing += (swing << 4) - self._swing >> 3

    def _elapse(self, ticks):
        if self.snoozed:
            self.snoozed = self.snoozed - ticks if self.snoozed > ticks else 0
        if self.hill:
            self.hill = self.hill - ticks if self.hill > ticks else 0
        if self.muted:
            self.muted = self.muted - ticks if self.muted > ticks else 0
        if self._since_first < 0x3FFFFF:
            self._since_first += ticks

    def _pass_over(self, kind):
        """A tick that is not judged: a gap lies in it or behind it, or the sensor only waits for motion."""
        self._gap_n = self._n
        self._jump_at = 0
        self.second_class = _CLASS_GAP
        if kind != _DOZED:
            return
        # Nothing moved, and nothing is known of angles: history begins anew, what lasts a time runs on.
        self._elapse(1)
        self._n = self._gap_n = 0
        self._minute = self._stirred = 0
        if not self.calibrated or self.slipped:
            self.second_class = _CLASS_UNSURE
        elif self.off_body:
            self.second_class = _CLASS_OFF_BODY
        else:
            self.second_class = _CLASS_SNOOZED if self.snoozed else _CLASS_STILL

    def _run_faults(self, pitch, roll):
        near = self._near_cdeg
        forward = self.forward
        back = self.back
        side = self.side
        if forward.busy or pitch > near:
            extra = self.coach.ease_cdeg + (self._hill_cdeg if self.hill else 0)
            if self._walked < _STRANGER_TICKS:
                # Until one's own walking is known, it may be what lies beyond the limit.
                extra += self._offset_max_cdeg
            self._run(forward, pitch, extra)
        if back.busy or pitch < -near:
            self._run(back, -pitch, 0)
        if side.busy or not -near <= roll <= near:
            self._run(side, roll if roll > 0 else -roll, 0)
        self._resting = not (forward.busy or back.busy or side.busy)

    def _allowed(self, fault):
        """May the motor tell of it now?"""
        return not (self.snoozed or self.muted or self.slipped) and (fault.code != _SIDE or self._side_buzz)

    def _run(self, fault, angle, extra):
        """One fault's hysteresis, hold timer and schedule. `angle` is positive into the fault."""
        code = fault.code
        if fault.active:
            # Before it buzzed, one stride upright does not end it: the last 3 s have to be good as a whole. After it
            # half a second is enough, at the newer end of the mean: an answer shows there first.
            limit = fault.off_cdeg + extra
            if (angle < limit and (fault.buzzed or self._mean_3s(code, angle) < limit)) or (
                fault.buzzed
                and angle < fault.level_cdeg - _NO_ANSWER_CDEG
                and code != _SIDE
                and (self._pitch_before(0, 2) if code == _FORWARD else -self._pitch_before(0, 2)) < limit - _ANSWER_CDEG
            ):
                fault.active = 0
                fault.good = 0
                self.ended |= code
                self.told = 1
                if fault.buzzed:
                    if not fault.withheld and not self.coach.silent:
                        self.recovered |= code
                    fault.timer = 0
                    fault.counted = 0
                    fault.sum_cdeg = 0
                elif code == _FORWARD:
                    self.label = _UNSURE  # over before it was a matter of labels
                return
        elif self.frozen:
            return
        elif angle > fault.on_cdeg + extra and (not fault.buzzed or fault.good >= self._rearm):
            fault.busy = fault.active = 1
            fault.buzzed = 0
            fault.margin = self._margin() if fault.timer == 0 else fault.margin
            self.began |= code
            self.told = 1
        else:
            # Good: what had gathered decays.
            fault.good += 1
            if fault.timer > 0:
                fault.timer -= _DECAY
                if fault.timer <= 0 or fault.counted < 1:
                    fault.timer = 0
                    fault.counted = 0
                    fault.sum_cdeg = 0
                else:
                    # The mean stays what it was; only its weight decays.
                    mean = fault.sum_cdeg // fault.counted
                    fault.counted = fault.timer
                    fault.sum_cdeg = mean * fault.timer
            elif not fault.buzzed or fault.good >= self._rearm:
                fault.busy = 0
            return
        if self.frozen:
            return
        fault.timer += 1
        if fault.buzzed:
            since = fault.since_buzz + 1
            fault.since_buzz = since
            if not self._n % _SECOND:
                mean = self._mean_3s(code, angle)
                if mean < fault.least_cdeg:
                    fault.least_cdeg = mean
            if since < fault.next:
                return
            n = fault.buzzed
            if (
                n == 3
                and not self.slipped
                and since == self._repeat2 + _NO_ANSWER_TICKS
                and fault.level_cdeg - fault.least_cdeg < _NO_ANSWER_CDEG
            ):
                # Three buzzes and not 4 degrees of an answer: the clip hangs askew, or nobody feels it.
                self._slip()
            if n > 3 or fault.withheld or self.coach.silent or not self._allowed(fault):
                return
            if since >= (self._repeat1 if n == 1 else (self._repeat2 if n == 2 else self._repeat3)):
                fault.buzzed = n + 1
                # What comes next: another buzz, or the verdict on three without an answer.
                fault.next = self._repeat2
                self.buzzed |= code
                self.told = 1
            return
        fault.counted += 1
        fault.sum_cdeg += angle if angle < 6000 else 6000
        if fault.counted > 4000:  # an hour at the limit: halve, so that the sum stays small
            fault.counted >>= 1
            fault.sum_cdeg >>= 1
        if (
            # Who has just straightened up, when a spacing or a snooze ends, is left in peace.
            angle >= fault.off_cdeg + extra
            and fault.timer >= fault.hold + fault.margin
            and fault.sum_cdeg >= (fault.on_cdeg + extra - _MEAN_SLACK_CDEG) * fault.counted
            and self._since_first >= self._spacing
            and self._allowed(fault)
        ):
            fault.buzzed = 1
            fault.since_buzz = 0
            fault.next = self._repeat1
            fault.level_cdeg = fault.least_cdeg = self._mean_3s(code, angle)
            fault.withheld = 0 if self.coach.give() else 1
            self._since_first = -(self._n % _SECOND)  # it is counted by fours
            if not fault.withheld:
                self.buzzed |= code
                self.told = 1
            if code == _FORWARD:
                self.label = self._label()

    def _mean_3s(self, code, angle):
        """Mean of a fault's angle over the last 3 s, as far as there is no gap in them."""
        n = self._n - self._gap_n
        if code == _SIDE or n < 4:
            return angle
        mean = self._pitch_before(0, n if n < _FRESH_TICKS else _FRESH_TICKS)
        return mean if code == _FORWARD else -mean

    def _pitch_before(self, ticks, width):
        """Mean tick pitch over `width` ticks that ended `ticks` ago (0: the newest)."""
        total = 0
        pitches = self._pitches
        at = self._n - 1 - ticks
        for i in range(width):
            total += pitches[(at - i) % _HISTORY]
        return total // width - self.walk_offset_cdeg

    def _margin(self):
        """Ticks by which the moment of crossing is unsure: the wander over the slope, at most 3 s."""
        if self._n < 12:
            return 0
        before = self._pitch_before(4, 4)
        now = self._pitch_before(0, 4)
        slope = now - before if now > before else before - now  # cdeg in a second
        margin = _WANDER_CDEG * e.TICKS_PER_S // (slope + 1) + _MARGIN_MIN
        return margin if margin < _MARGIN_MAX else _MARGIN_MAX

    # ---- slip, table ----

    def _slip(self):
        self.slipped = 1
        self.told = self.slip = 1
        self._restart_faults()

    def _watch_for_slip(self, swing):
        """A jump within two ticks that, two seconds later, turns out to be nearly all of a lasting change, is a
        slip."""
        if not self._jump_at:
            # In two ticks with no gap between them, and far more than this walker swings.
            size = swing if swing > 0 else -swing
            if self._n > 16 and self._n - self._gap_n > 2 and size > 8 * (self._swing >> 4):
                self._jump_at = 1
                self._jump_cdeg = swing
            return
        self._jump_at += 1
        if self._jump_at <= 9:
            return
        self._jump_at = 0
        # Two seconds of ticks lie behind the jump; the second before it is ticks 12 .. 15 ago.
        change = self._pitch_before(0, 8) - self._pitch_before(12, 4)
        jump = self._jump_cdeg
        if jump < 0:
            change = -change
            jump = -jump
        if _SLIP_CDEG <= change <= _SLIP_MAX_CDEG and _SLIP_SHARE * change <= 100 * jump <= 130 * change:
            self._slip()

    def _watch_for_table(self, pitch, roll):
        """A clip that moves less than anybody who breathes, for two minutes without a step, lies on a table."""
        if self._stirred:
            self._stirred -= 1
            return
        n = self._minute % _MINUTE
        if n == 0:
            self._low_pitch = self._high_pitch = pitch
            self._low_roll = self._high_roll = roll
        if pitch < self._low_pitch:
            self._low_pitch = pitch
        elif pitch > self._high_pitch:
            self._high_pitch = pitch
        if roll < self._low_roll:
            self._low_roll = roll
        elif roll > self._high_roll:
            self._high_roll = roll
        n += 1
        if self._high_pitch - self._low_pitch > _OFF_BODY_CDEG or self._high_roll - self._low_roll > _OFF_BODY_CDEG:
            # Whatever comes, it is not a quiet minute: no more is to be seen in it.
            self._quiet_minutes = self.off_body = 0
            self._stirred = _MINUTE - n
            n = 0
        elif n == _MINUTE:
            self._quiet_minutes += 1
            if self._quiet_minutes >= 2:
                self.off_body = 1
        self._minute = n

    # ---- walking offset ----

    def _learn_offset(self, value):
        """The first minute of walking shows one's own walking pitch; `value` is that of the last second."""
        # Who leans from the first step on must not be learned: only what lies short of a fault counts.
        if value > self.forward.off_cdeg or -value > self.back.off_cdeg:
            return
        k = value // _BIN_CDEG + (_BINS >> 1)
        if k < 0 or k >= _BINS:
            return
        bins = self._bins
        bins[k] += 1
        if k < self._first_bin:
            self._first_bin = k
        n = self._offset_n + _SECOND
        self._offset_n = n
        if n < _OFFSET_FIRST or n % 8:
            return
        want = n // _SECOND * _OFFSET_RANK // 100
        total = 0
        for k in range(self._first_bin, _BINS):
            count = bins[k]
            if total + count > want:
                # Where within the bin the percentile lies.
                value = (k - (_BINS >> 1)) * _BIN_CDEG + _BIN_CDEG * (want - total) // count
                break
            total += count
        limit = self._offset_max_cdeg
        self.walk_offset_cdeg = limit if value > limit else (-limit if value < -limit else value)

    def _rezero(self, pitch):
        """Every 5 minutes of good walking the zero moves a quarter degree toward their 20th percentile, 3 degrees in
        all.

        A low percentile of good walking, so slowly and so little, cannot learn a slouch; it follows a collar that
        settles.
        """
        forward = self.forward
        back = self.back
        if pitch > forward.off_cdeg or -pitch > back.off_cdeg or forward.active or back.active:
            return
        bins = self._bins
        n = self._rezero_n
        if n == 0:
            for k in range(_BINS):
                bins[k] = 0
        k = pitch // _BIN_CDEG + (_BINS >> 1)
        if k < 0 or k >= _BINS:
            return
        bins[k] += 1
        n += 1
        self._rezero_n = n if n < _REZERO_S else 0
        if n < _REZERO_S:
            return
        total = 0
        k = 0
        while k < _BINS - 1 and total + bins[k] <= _REZERO_S // 5:
            total += bins[k]
            k += 1
        low = (k - (_BINS >> 1)) * _BIN_CDEG
        # One's own wander puts the 20th percentile about a degree below the middle.
        if low > 0 and self.rezero_cdeg < _REZERO_MAX_CDEG:
            move = _REZERO_STEP_CDEG
        elif low < -200 and self.rezero_cdeg > -_REZERO_MAX_CDEG:
            move = -_REZERO_STEP_CDEG
        else:
            return
        self.rezero_cdeg += move
        self.walk_offset_cdeg += move

    # ---- label ----

    def _label(self):
        """LEAN, SLOUCH or UNSURE: how long the rise took, and whether cadence rose with it.

        The ramp (flat, linear, flat) that explains the last 40 s best is searched over its start and its length D.
        Its 10-90 % rise is 0.8 D: under 4 s is D < 5 s, over 7 s is D > 8.75 s. For each ramp r the least-squares
        gain is cov(r, p)^2 / var(r), from prefix sums, so that one ramp costs a handful of operations.
        """
        n = self._n >> 1
        if n < 24:
            return _UNSURE
        if n > _HISTORY >> 1:
            n = _HISTORY >> 1
        pitches = self._pitches
        sums = self._sums
        # Half seconds, oldest first, in decidegrees; sums[k] = sum over j <= k of the sum of the first j.
        at = self._n - 2 * n
        least = 32767
        most = -32768
        whole = 0
        for k in range(n):
            value = (pitches[(at + 2 * k) % _HISTORY] + pitches[(at + 2 * k + 1) % _HISTORY]) // 20
            if not -900 < value < 900:
                value = 900
            if value < least:
                least = value
            if value > most:
                most = value
            whole += value
            sums[k + 1] = sums[k] + whole
        # cov <= d n / 4 times the range of p; shifted, its square stays below 2^29.
        shift = 3 if most - least < 225 else (5 if most - least < 900 else 6)
        quick = 0
        between = 0
        slow = 0
        start = 0
        for d in _RAMPS:
            # r = (i - t0) / d within the ramp that begins at t0, 1 behind it; everything times d. Its sum and that of
            # its squares fall evenly as it begins later. Not a range: with a step that is no constant it is an object.
            step = 1 if d < 6 else 2
            t0 = 4
            end = n - d - 8
            rn = d * (d - 1) // 2 + d * (end + 4)
            rr = (d - 1) * d * (2 * d - 1) // 6 + d * d * (end + 4)
            best = 0
            at_best = 0
            while t0 < end:
                cov = d * whole - sums[t0 + d] + sums[t0] - rn * whole // n
                if cov > 0:
                    cov >>= shift
                    gain = cov * cov // (rr - rn * rn // n)
                    if gain > best:
                        best = gain
                        at_best = t0
                t0 += step
                rn -= d * step
                rr -= d * d * step
            if d <= _QUICK:
                if best > quick:
                    quick = best
                    start = at_best
            elif d < _SLOW:
                if best > between:
                    between = best
            elif best > slow:
                slow = best
                if best > quick and best > between:
                    start = at_best
        if quick + slow + between == 0:
            return _UNSURE
        now = self._cadences[(self._n // _SECOND - 1) % (_HISTORY // _SECOND)]
        before = self._cadences[(at + 2 * start - 4) // _SECOND % (_HISTORY // _SECOND)]
        quicker = now and before and now - before >= _CADENCE_UP_SPM
        # Wander can make a creep look 1 % more like a jump; a real jump is 2 to 20 % better explained so.
        if quick >= between and quick - slow >= slow // 100:
            return _LEAN
        if between - slow > slow // 64:
            return _LEAN if quicker else _UNSURE
        if slow >= quick and not quicker:
            return _SLOUCH
        # Neither clearly; or a creep while one speeds up, which speaks for both.
        return _UNSURE
