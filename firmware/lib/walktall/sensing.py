"""The sensor and the motor in the device's turns: bursts into the chain, gaps, dozing, faults, patterns.

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


from . import buzz as z
from . import events as e
from .ticks import ticks_add, ticks_diff
from .wearing import Wearing

# Of `settings`; private, so that they fold: tests/test_house_rules.py holds them to it.
_SET_STRENGTH_PCT = const(21)

# Of `records`; private, so that they fold: tests/test_house_rules.py holds them to it.
_FLAG_SENSOR = const(1024)

_TICK_MS = const(250)
_BURST_MAX = const(24)  # drains in a turn: the FIFO holds 341 samples, a drain takes 31 or 32
_BURST_FULL = const(24)  # a drain that brings fewer has emptied it: two ticks at the most lie in a turn on time
_SILENT_MS = const(1000)
_STALE_SAMPLES = const(104)  # 2 s of stale data: the sensor is started anew
_RETRY_MS = const(250)
_RETRY_MAX_MS = const(1500)  # with a start of 0.6 s behind it: back within 3 s of the cause's going
_AGAIN_MS = const(10)
# With two of them between a fault and the motor's end, and a turn, that is within 100 ms.
_GLANCE_MS = const(40)
_ALIKE_MAX = const(1)  # samples in a row that are the one before again, with which a pattern still begins
_GAP_PIECE = const(3120)  # 60 s
_DOZE_SAMPLES = const(52)  # a look a second
_WAKE_SAMPLES = const(7)  # until the gyroscope has settled (imu.wake)


class Sensing(Wearing):
    """One part of `device.Device`, which has the parts and the loop."""

    # Motor.

    def _drive(self, duty_u16):
        if duty_u16 != self._duty_u16 and self._duty_u16 >= 0:
            self._tell_motor(duty_u16)

    def _tell_motor(self, duty_u16):
        """A driver chip that is missing: the walk goes on without it. One that has not heard `off` may drive the motor
        still, and is told again: at once, unless its bus is stuck, which takes a second to tell; then once in each
        turn, and nothing else until it hears."""
        began_ms = self._ticks_ms()
        heard = self._duty_u16 >= 0
        for _ in range(2):
            try:
                self._motor.duty_u16 = duty_u16
                self._duty_u16 = duty_u16
                return
            except (OSError, RuntimeError, ValueError) as fault:
                if self._duty_u16 >= 0:
                    self._note("motor", fault)
                self._duty_u16 = -1
            if duty_u16 or not heard or ticks_diff(self._ticks_ms(), began_ms) >= _AGAIN_MS:
                return

    def _motor_off(self):
        self._buzz.stop()
        self._tell_motor(0)

    def _start_pattern(self, pattern):
        duty_u16 = self.settings.values[_SET_STRENGTH_PCT] * 65535 // 100
        well = not self._watching() or self._glance(self._ticks_ms())
        if well or (self._retried and self._watching()):
            # The burst that led here took milliseconds of its own, which the first pulse shall not lack.
            duty_u16 = self._buzz.start(pattern, self._ticks_ms(), duty_u16)
            self._drive(duty_u16 if well else 0)

    def _watching(self):
        """True while the sensor gathers samples, and a pattern ends when it does not."""
        return self.sensor_ok and not self._dozing and not self.off

    def _glance(self, now_ms):
        """At a pattern's begin, and in its course: True while the sensor feels. Its bus is asked while the motor is not
        driven: the drive rests for the millisecond that it takes, too short for the motor to show. After a transfer
        that failed it rests until one succeeds; when the next fails too, or the values are none, the pattern is over.
        """
        self._drive(0)
        self._glance_ms = ticks_add(now_ms, _GLANCE_MS)
        try:
            seen = self._imu.glance()
        except (OSError, RuntimeError, ValueError) as fault:
            if self._retried:
                self._sensor_failed(now_ms, fault)
            else:
                self._retried = True
                self._note("imu", fault)
                self._glance_ms = ticks_add(self._ticks_ms(), _AGAIN_MS)
            return False
        self._retried = False
        if seen <= 0:
            self._motor_off()
            self._due_ms = now_ms  # what it has gathered tells the rest
            if seen < 0:
                self._check_sensor(now_ms)
        return seen > 0

    def _play(self, pattern):
        """A pattern of the device's own; the chain is told that it shakes the sensor."""
        self.chain.shake(z.samples(pattern))
        self._start_pattern(pattern)

    def _answer_buzz(self, now_ms):
        """Play what the chain asks for."""
        pattern = self.chain.buzz_request
        self.chain.buzz_request = 0
        if self.chain.left_out and pattern != z.P_CALIBRATED and (self.link is None or not self.link.live):
            return  # nobody wears it: on the charger only what was asked for is answered
        if self._supply.same > _ALIKE_MAX:
            return  # what it was asked for by may be no posture
        if z.P_FORWARD <= pattern <= z.P_SIDE:
            self._buzzed = True
            self._buzzed_ms = now_ms
        self._start_pattern(pattern)

    # Sensor.

    def _sense(self, now_ms):
        if not self.sensor_ok:
            self._restart_sensor(now_ms)
            return
        if self._wearing:
            self._open_session(_TICK_MS)
        if self._mend:
            self._mend = False
            self.chain.mend()
        try:
            if self._dozing:
                self._doze(now_ms)
            else:
                self._drain(now_ms)
        except (OSError, RuntimeError, ValueError) as fault:
            self._settle_up()
            if self._retried:
                self._sensor_failed(now_ms, fault)
            else:
                # One transfer that failed is tried again: to take the power away costs most of a second.
                self._retried = True
                self._note("imu", fault)
                self._due_ms = ticks_add(self._ticks_ms(), _AGAIN_MS)
            return
        self._retried = False
        if self._dozing:
            return
        supply = self._supply
        if supply.silent_ms >= _SILENT_MS:
            self._sensor_failed(now_ms, None)
        elif supply.stale >= _STALE_SAMPLES:
            supply.stale = 0
            self._sensor_failed(now_ms, None)
        elif self.chain.may_doze and not self.chain.n_samples % e.TICK_SAMPLES and self._nothing_wanted():
            self._lie_down(now_ms)
        else:
            self._due_ms = ticks_add(now_ms, supply.wait_ms(self._samples_to_tick(), now_ms))

    # Where nobody walks.

    def _nothing_wanted(self):
        """True while nobody needs samples."""
        return not (self._calibrating or self._bowing or self._gap or self.visit is not None or self.trace.raw_left)

    def _lie_down(self, now_ms):
        """Let the sensor wait for motion."""
        try:
            self._imu.doze()
        except (OSError, RuntimeError, ValueError) as fault:
            self._sensor_failed(now_ms, fault)
            return
        self._dozing = 1
        self._roused = False
        self._due_ms = ticks_add(now_ms, self._supply.wait_ms(_DOZE_SAMPLES, now_ms))
        # One turn a second does for all.
        self._second_ms = self._due_ms

    def _doze(self, now_ms):
        """Once a second: did anything move? Then wake the sensor, and when its gyroscope has settled take samples."""
        supply = self._supply
        supply.elapse(now_ms)
        if self._dozing == 1:
            moved = self._imu.moved()
            if moved < 0:
                self._count_silence(now_ms)
                self._sensor_failed(now_ms, None)
                return
            if moved or self._roused or not self._nothing_wanted():
                self._imu.wake()
                self._dozing = 2
            n = _DOZE_SAMPLES if self._dozing == 1 else _WAKE_SAMPLES
        else:
            self._imu.restart_fifo()
            self._dozing = 0
            self.chain.woke()
            n = e.TICK_SAMPLES
        self._pass_by(supply.pass_by())
        if not self._dozing:
            n = self._samples_to_tick()
        self._due_ms = ticks_add(now_ms, supply.wait_ms(n, now_ms))

    def _pass_by(self, n):
        """Time passes without samples, and without a gap."""
        self._owed += n
        if self.chain.dozed(n) & e.SECOND:
            self._each_worn_second()

    def _rouse(self):
        """Samples are wanted: at once, where the sensor dozes."""
        if self._dozing == 1:
            self._roused = True
            self._due_ms = self._now_ms

    def _samples_to_tick(self):
        return e.TICK_SAMPLES - (self.chain.n_samples + self._gap) % e.TICK_SAMPLES

    def _drain(self, now_ms):
        """Empty the FIFO into the chain; what is missing by the clock goes where it was."""
        imu = self._imu
        supply = self._supply
        late_ms = supply.elapse(now_ms)
        gap_first = supply.gap_first
        n = imu.drain()
        overrun = imu.overrun
        if overrun:
            imu.overrun = False
            if late_ms > 4000:
                self._note("imu overrun", None)
        if n:
            self._retry_ms = _RETRY_MS
        if n < _BURST_FULL:
            missing = supply.receive(n, overrun)
            if missing and gap_first:
                self._missing(missing)
                missing = 0
            self._feed(n)
            if missing:
                self._missing(missing)
            return
        # Nobody looked for longer than the FIFO holds: what is in it hangs in the air, so all that time is a gap.
        keep = not (overrun and late_ms > 4000)
        for _ in range(_BURST_MAX):
            if keep:
                self._total += n
                self._feed(n)
            n = imu.drain()
            if not n:
                break
        missing = supply.receive(self._total, overrun)
        self._total = 0
        supply.silent_ms = 0
        imu.overrun = False
        if missing:
            self._missing(missing)

    def _feed(self, n):
        counts = self._imu.counts
        chain = self.chain
        at = 0
        ticked = 0
        self._owed += n
        while n:
            believed = self._supply.believe(counts, 6 * at, n)
            n -= believed
            if believed and self._gap:
                self._close_gap()
            while believed:
                taken = chain.burst(self._views, at, believed)
                if self.trace.raw_left:
                    self._record_raw(counts, 6 * at, taken)
                believed -= taken
                at += taken
                ticked |= chain.closed
                if chain.closed & e.SECOND:
                    self._each_worn_second()
            if n:
                # A stale one.
                n -= 1
                at += 1
                self._gap += 1
                if self._gap >= _GAP_PIECE:
                    self._close_gap()
        if ticked and self.link is not None and self.link.live:
            self.visit.push_live()

    def _record_raw(self, counts, at, n):
        """Hand on the `n` samples that the chain has just taken."""
        sample = self.chain.n_samples - n
        for k in range(sample, sample + n):
            self.trace.raw(
                k,
                self._uptime_s,
                self.utc_s(),
                counts[at + 3],
                counts[at + 4],
                counts[at + 5],
                counts[at],
                counts[at + 1],
                counts[at + 2],
            )
            at += 6

    def _missing(self, n):
        """Let a gap grow. The chain hears of it in one piece, when it is over or has lasted a while."""
        self._owed += n
        self._gap += n
        if self._gap >= _GAP_PIECE:
            self._close_gap()

    def _settle_up(self):
        """After a turn that broke off: what it drained and did not hand on is a gap."""
        self._supply.took(self._total)
        self._total = 0
        left = self._owed - self.chain.n_samples - self._gap
        if left > 0:
            self._gap += left
        self._mend = True

    def _close_gap(self):
        n = self._gap
        self._gap = 0
        if n:
            if self.session.open:
                self.session.note_flag(_FLAG_SENSOR)
            self.chain.missed(n)
            self._each_worn_second()

    def _sensor_failed(self, now_ms, fault):
        self._motor_off()
        self.sensor_ok = False
        self._dozing = 0
        if self.session.open:
            self.session.note_flag(_FLAG_SENSOR)
        if fault is None:
            self._note("imu silent or frozen", None)
        else:
            self._note("imu", fault)
        self._due_ms = ticks_add(now_ms, self._retry_ms)

    def _restart_sensor(self, now_ms):
        first = not self._sensor_met
        try:
            if first:
                self._imu.start()
            else:
                self._imu.power_cycle()
        except (OSError, RuntimeError, ValueError) as fault:
            self._motor_off()
            self._note("imu", fault)
            if first:
                # Worn with a dead sensor is a gap from the start.
                self._sensor_met = True
                self._supply.begin_counting(now_ms)
                if self._wearing:
                    self._open_session()
            else:
                self._count_silence(now_ms)
            self._retry_ms = min(self._retry_ms * 2, _RETRY_MAX_MS)
            self._due_ms = ticks_add(now_ms, self._retry_ms)
            return
        self.sensor_ok = True
        # A start takes most of a second, in which the sensor was not silent but absent; the burst is due from now.
        now_ms = self._ticks_ms()
        if first:
            self._sensor_met = True
            self._supply.begin(now_ms)
        else:
            self._supply.elapse(now_ms)
        self._supply.silent_ms = 0
        self._due_ms = ticks_add(now_ms, self._supply.wait_ms(e.TICK_SAMPLES, now_ms))

    def _count_silence(self, now_ms):
        """Without a sensor the time still passes, as a gap."""
        self._supply.elapse(now_ms)
        missing = self._supply.receive(0, False)
        if missing:
            self._missing(missing)

    def _check_sensor(self, now_ms):
        """Whether the chip is still set up: after a silent reset it delivers nothing, or zeros."""
        if not self.sensor_ok or self._dozing:  # dozing, each look checks
            return
        try:
            if self._imu.check():
                return
            self._note("imu was reset", None)
            if self.session.open:
                self.session.note_flag(_FLAG_SENSOR)
            self._imu.start()
            self._supply.silent_ms = 0
            now_ms = self._ticks_ms()
            self._due_ms = ticks_add(now_ms, _RETRY_MS)
        except (OSError, RuntimeError, ValueError) as fault:
            self._sensor_failed(now_ms, fault)
