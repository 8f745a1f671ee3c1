"""The device: one non-blocking turn after the other. The one module that knows the order of things.

    button -> link -> motor edge -> sensor -> chain -> buzz -> once a second: check, journal, battery, light

`poll()` reads the clock and returns; `wait_ms()` says how long nothing is due: until the next burst of the FIFO, edge
of the motor or change of the light; `rest()` sleeps so long, and looks at the button's pin every 25 ms meanwhile.
While the motor is driven the bus is left alone (the FIFO holds 4.9 s and more); when the pattern is over, everything
gathered is drained. In its course the drive rests for a millisecond each 40 ms, and the sensor is asked whether it
still feels: if not, the pattern is over.

**Where nobody walks** (`chain.may_doze`) the sensor waits for motion by itself, and is asked once a second whether
there was any. Those seconds are no gap: nobody walked in them. While a host is there it does not doze.

**The sensor** may fail in any way it likes: an exception, another chip, silence, frozen or saturated data, a silent
reset. Then the motor is off at once, time counts as gap by the clock (`supply`), and the sensor is power-cycled after
0.25 s, 0.5 s, 1 s, and from then on every 1.5 s. One transfer that fails is only tried again.

**A session** opens with the first sample after power-on, or, after it has ended, with the first second of walking; not
while the charger or a computer is connected. It ends by ten minutes without walking, by the button held 3 s, by USB (a
computer there for 3 s, or a host's HELLO), by a low battery, or in two after 18 h. The seconds since the last walk are
cut off when it ends by itself; a session without any walking leaves no record.

**A fault of our own** in any module is counted, told by `info`, stops the motor and ends this turn only; when ten turns
in a row fail, it is for `code.py` to start anew.

Everything it needs is handed in. It imports nothing of CircuitPython.
"""

import gc
from array import array

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


from . import buttons as b
from . import buzz as z
from . import events as e
from . import frames as w
from . import journal as j
from . import limits as s
from .chain import Chain
from .link import Link
from .packing import crc32
from .rows import H_PENDING, H_UTC_S, H_WALK
from .session import merge_into
from .supply import Supply
from .ticks import ticks_add, ticks_diff
from .trace import OPEN, Trace

# Of `settings`; private, so that they fold: tests/test_house_rules.py holds them to it.
_SET_MODE = const(0)
_SET_SNOOZE_MIN = const(16)
_SET_HILL_DEG = const(17)
_SET_STRENGTH_PCT = const(21)
_SET_FORWARD_AXIS = const(22)
_SET_COACHING = const(23)
_SET_BOW = const(28)

# Of `wire`; private, so that they fold: tests/test_house_rules.py holds them to it.
_H_BOARD = const(6)
_H_CHIP = const(7)
_H_SOURCE_DIGEST = const(8)
_H_UPTIME_S = const(10)
_H_UTC_S = const(11)
_H_FLAGS = const(12)
_H_RESET_REASON = const(13)
_H_ERRORS = const(14)
_H_LAST_ERROR = const(15)
_H_BATTERY_MV = const(16)
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
_FLAG_RESUMED = const(1)
_FLAG_SPLIT = const(8)
_FLAG_UNCALIBRATED = const(16)
_FLAG_SETTINGS = const(32)
_FLAG_RECALIBRATED = const(64)
_FLAG_CUT = const(128)
_FLAG_LOW_BATTERY = const(512)
_FLAG_SENSOR = const(1024)
_FLAG_HILL = const(2048)
_S_GOOD_S = const(5)
_S_FORWARD_S = const(6)
_S_BACK_S = const(7)
_S_SIDE_S = const(8)
_S_GAP_S = const(14)
_S_WALKING_S = const(18)
_S_DISCOMFORT_MARKS = const(40)
_S_WRONG_MARKS = const(41)
_S_BATTERY_END_MV = const(43)
_S_FLAGS = const(49)

_SECOND_MS = const(1000)
_TICK_MS = const(250)
_CALIBRATION_RUNNING = const(4)  # index into `wire.CALIBRATION_NAMES`
# A press is seen within 30 ms; while a pattern is under way it is looked at twice as often.
_SCAN_MS = const(30)
_SCAN_ACTIVE_MS = const(15)
_WATCH_MS = const(25)  # a burst of the sensor may come between
# A host's request is answered within this; busy, the link is turned at once.
_LINK_MS = const(20)
_LINK_BUSY_MS = const(2)
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
_FAULTS_MAX = const(10)
_GAP_PIECE = const(3120)  # 60 s
_DOZE_SAMPLES = const(52)  # a look a second
_WAKE_SAMPLES = const(7)  # until the gyroscope has settled (imu.wake)

# Held 1 s within 15 s of a buzz: "that was wrong". Two presses within 10 s of a calibration: take it back (design).
_WRONG_MS = const(15000)
_TAKE_BACK_MS = const(10000)

_JUMP_MS = const(60000)
_IDLE_END_S = const(600)
_USB_END_S = const(3)
_POWER_ON = const(1)  # and 0, unknown: the supply was away
_UNTIMED_IDLE_S = const(60)
_PENDING_MAX = const(64)
_GAP_KEPT_S = const(180)  # a session without walking, but with so long a gap, is told: the sensor failed
_LOAD_AGAIN_S = const(60)

# A cell of nominally 3.7 V has about 3 % left at 3.4 V, and flash may be written down to 2.7 V (nRF52840 PS, 1.7 V for
# the core; BQ25101 board regulator drops out near 3.0 V): one last record is written well above.
LOW_BATTERY_MV = const(3400)
_BATTERY_EVERY_S = const(10)
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


# By WHO_AM_I.
_CHIP_NAMES = {0x6A: "LSM6DS3TR-C", 0x6C: "LSM6DSOX"}


def _no_random(n):
    return bytes(n)


class Device:
    """The clip.

    :param imu: as `walktall.hw.imu.Imu`
    :param motor: `duty_u16` that can be set
    :param banks: two, as `walktall.journal.Journal` takes them
    :param port: as `walktall.link.Link` takes it
    :param ticks_ms: function, milliseconds that wrap at 2^29
    :param settings: `Settings` to be in force instead of the journal's, or None
    :param button: `pressed`, or None
    :param power: `battery_mv`, `charging`, `usb`, or None
    :param led: `set(colour)`, or None
    :param rtc: `utc_s` (0 = not set) that can be set, or None
    :param str board_name: as HELLO tells it
    :param int reset_reason: as HELLO tells it
    :param random_bytes: as `os.urandom`, for the ids drawn at a format
    :param str source_folder: where this package's files lie, for the self-test; "" = not known
    :param bool may_restart: True where `code.py` restarts when `restart_wanted` is set: worn into maintenance, and back
    :param bool maintenance: True where this boot gave the drive to the computer
    :param trace_file: as `walktall.trace.Trace` takes it, or None
    :param int trace_parts: 1 on external flash, 2 on the RP2040's own
    :param drive_kib: the drive's size and what is free of it
    """

    def __init__(
        self,
        imu,
        motor,
        banks,
        port,
        ticks_ms,
        settings=None,
        *,
        button=None,
        power=None,
        led=None,
        rtc=None,
        board_name="",
        chip_name="",
        reset_reason=0,
        random_bytes=_no_random,
        source_folder="",
        may_restart=False,
        maintenance=False,
        last_error="",
        trace_file=None,
        trace_parts=1,
        drive_kib=(0, 0),
    ):
        self._imu = imu
        self._motor = motor
        self._ticks_ms = ticks_ms
        self._button = button
        self._power = power
        self._led = led
        self._rtc = rtc
        self._board_name = board_name
        self._chip_name = chip_name
        self._reset_reason = reset_reason
        self._source_folder = source_folder
        self._source_digest = b""  # known when a self-test has gone over the files
        self._vector_digest = b""
        self._sources = None
        self._selftest = None
        self._selftest_status = _SELFTEST_RUNNING
        self._may_restart = may_restart
        self._maintenance = maintenance
        self._drive_kib = drive_kib
        self.restart_wanted = False
        #: Exceptions and sensor faults since the boot, and the last one in a few words.
        self.errors = 0
        self.last_error = last_error
        self.off = False

        now_ms = ticks_ms()
        self._now_ms = now_ms
        self._uptime_s = 0
        self._uptime_ms = 0
        self._utc_base_s = 0  # UTC at uptime 0, 0 = not set
        self._faults_in_row = 0
        self._fault_ms = now_ms

        self.journal = j.Journal(banks, random_bytes)
        self._load()
        if settings is not None:
            for index in range(s.N_SETTINGS):
                self.journal.settings.values[index] = settings.values[index]
        self.settings = self.journal.settings
        self._forward_axis = self.settings.values[_SET_FORWARD_AXIS]
        self.chain = Chain(self.settings)
        self.session = self.chain.session
        self.ring = self.chain.ring
        self._buttons = b.Buttons()
        self._buzz = z.Buzz()
        self._duty_u16 = 0
        self._supply = Supply()
        self._gap = 0  # samples missing that the chain has not been told of
        self.trace = Trace(trace_file, trace_parts, self.chain, not maintenance)
        self.chain.rows = self.trace.rows
        self.link = Link(port, self)
        self._live = [0] * w.LIVE_TABLE.count

        self._calibrating = False
        self._calibration_state = 0
        self._calibrated_ms = 0
        self._may_take_back = False
        self._bowing = False  # the wearer has been asked for a bow
        self._before_unsaved = 0
        self._before = array("i", bytes(4 * j.CALIBRATION_COUNT))
        self._buzzed_ms = 0
        self._buzzed = False

        self._sensor_ok = False
        self._sensor_met = False  # it has been started at least once
        self._dozing = 0  # 1 it waits for motion, 2 its gyroscope is starting
        self._roused = False  # somebody wants samples
        self._mend = False  # a turn broke off: the chain may lack a tick
        self._retried = False  # the last transfer failed, and is not called a failure of the sensor yet
        self._total = 0  # samples of a long drain that the chain has, and the supply does not know of yet
        self._owed = 0  # samples, missing ones too, that the chain has or lie in the gap: less only if a turn broke off
        self._retry_ms = _RETRY_MS
        self._due_ms = now_ms
        self._glance_ms = now_ms
        self._second_ms = ticks_add(now_ms, _SECOND_MS)
        self._scan_ms = now_ms
        self._colour = LED_OFF
        self._beat = 0
        self._beat_ms = now_ms
        self._wearing = True  # the next sample opens a session: power-on is putting it on
        self._battery_mv = 0
        self._battery_low = 0
        self._second_n = 0
        self._usb_s = 0
        self._read_clock()
        self._look_at_battery()
        self._apply_calibration()
        self._recover(random_bytes)

    # What others read.

    @property
    def session_open(self):
        """True while a session runs."""
        return self.session.open

    @property
    def sensor_ok(self):
        """False while the motion sensor has failed."""
        return self._sensor_ok

    @property
    def buzzing(self):
        """True while a pattern plays."""
        return self._buzz.busy

    def uptime_s(self):
        """Seconds since the boot."""
        return self._uptime_s

    def utc_s(self):
        """Seconds since 2020-01-01 UTC, 0 when the clock was not set."""
        return self._utc_base_s + self._uptime_s if self._utc_base_s else 0

    # One turn.

    def poll(self):
        """One turn; never waits, and raises only when ten turns in a row have failed."""
        try:
            self._turn(self._ticks_ms())
            # Turns between that had nothing to do are no proof.
            if self._faults_in_row and ticks_diff(self._now_ms, self._fault_ms) >= _SECOND_MS:
                self._faults_in_row = 0
        except Exception as fault:
            self._motor_off()
            self._settle_up()
            self._faults_in_row += 1
            self._fault_ms = self._now_ms
            if self._faults_in_row >= _FAULTS_MAX:
                raise
            self._note("poll", fault)
            # Not at once again: whatever it is may need a moment, and the loop must not spin.
            self._due_ms = ticks_add(self._now_ms, _RETRY_MS)

    def wait_ms(self):
        """Milliseconds until something is due, 0 or more."""
        now_ms = self._ticks_ms()
        wait = ticks_diff(self._second_ms, now_ms)
        if self._buzz.busy:
            edge = ticks_diff(self._buzz.next_edge_ms, now_ms)
            if edge < wait:
                wait = edge
            if self._watching():
                glance = ticks_diff(self._glance_ms, now_ms)
                if glance < wait:
                    wait = glance
        elif not self.off:
            due = ticks_diff(self._due_ms, now_ms)
            if due < wait:
                wait = due
        if self._button is not None and self._buttons.active:
            scan = ticks_diff(self._scan_ms, now_ms)
            if scan < wait:
                wait = scan
        if self._colour:
            beat = ticks_diff(self._beat_ms, now_ms)
            if beat < wait:
                wait = beat
        if self.link.connected:
            pause = _LINK_BUSY_MS if self.link.busy or self._sources is not None else _LINK_MS
            if pause < wait:
                wait = pause
        return wait if wait > 0 else 0

    def rest(self, sleep):
        """Sleep until something is due or the button is pressed. Its pin is looked at every 25 ms, and nothing else.

        :param sleep: as `time.sleep`
        """
        try:
            wait = self.wait_ms()
            button = self._button
            if button is None or self._buttons.active:
                if wait:
                    sleep(wait / 1000)
                return
            end_ms = ticks_add(self._ticks_ms(), wait)
            # A clock that is set back in here must not make it longer.
            while wait > 0:
                nap = wait if wait < _WATCH_MS else _WATCH_MS
                sleep(nap / 1000)
                if bool(button.pressed) != self._buttons.down:
                    self._scan_ms = self._ticks_ms()
                    return
                left = ticks_diff(end_ms, self._ticks_ms())
                wait = left if left < wait else wait - nap
        except Exception as fault:
            self._motor_off()
            self._note("wait", fault)
            sleep(_SCAN_MS / 1000)

    def _turn(self, now_ms):
        self._pass_time(now_ms)
        self._look_at_button(now_ms)
        self.link.poll(now_ms)
        if self._buzz.busy:
            duty_u16 = self._buzz.step(now_ms)
            if not self._buzz.busy:
                self._drive(0)
                self._due_ms = now_ms
            elif not self._watching():
                self._drive(duty_u16)
            elif ticks_diff(now_ms, self._glance_ms) < 0:
                self._drive(0 if self._retried else duty_u16)
            elif self._glance(now_ms):
                self._drive(duty_u16)
        if not self._buzz.busy and not self.off and ticks_diff(now_ms, self._due_ms) >= 0:
            self._sense(now_ms)
        if self._calibrating:
            self._look_at_calibration(now_ms)
        if self._bowing:
            self._look_at_bow(now_ms)
        if self.chain.buzz_request:
            self._answer_buzz(now_ms)
        if self._sources is not None and not self._buzz.busy:
            self._step_selftest()
        if ticks_diff(now_ms, self._second_ms) >= 0:
            self._second_ms = ticks_add(self._second_ms, _SECOND_MS)
            if ticks_diff(now_ms, self._second_ms) >= 0:  # late, or the clock jumped: once is enough
                self._second_ms = ticks_add(now_ms, _SECOND_MS)
            self._each_second(now_ms)
        if self._colour and ticks_diff(now_ms, self._beat_ms) >= 0:
            self._blink(now_ms)

    def _pass_time(self, now_ms):
        passed = ticks_diff(now_ms, self._now_ms)
        self._now_ms = now_ms
        if passed <= 0:
            if passed < 0:  # the clock was set back: what is due is due from now on
                self._note("clock jumped", None)
                self._motor_off()  # its next edge may lie hours away now
                self._due_ms = now_ms
                self._second_ms = ticks_add(now_ms, _SECOND_MS)
                self._scan_ms = now_ms
                self._read_clock()
            return
        if passed > _JUMP_MS:
            # Nothing here waits so long: the counter jumped. The wall clock knows better than the sum of its ticks.
            self._note("clock jumped", None)
            self._read_clock()
            return
        self._uptime_ms += passed
        self._uptime_s += self._uptime_ms // 1000
        self._uptime_ms %= 1000

    def _read_clock(self):
        """Take the time of day from the real-time clock, where there is one and it was set."""
        if self._rtc is None:
            return
        try:
            utc_s = self._rtc.utc_s
        except (OSError, ValueError, RuntimeError, OverflowError) as fault:
            self._note("rtc", fault)
            return
        if utc_s > self._uptime_s:
            self._utc_base_s = utc_s - self._uptime_s

    # Faults.

    def _note(self, where, fault):
        """Keep what went wrong, for HELLO: 24 characters."""
        if self.errors < 65535:
            self.errors += 1
        text = where + " " + type(fault).__name__ if fault is not None else where
        if fault is not None and fault.args:
            why = fault.args[0]
            if isinstance(why, int):
                text += " " + str(why)
            elif isinstance(why, str) and why:
                text += " " + why
        self.last_error = text[:24]

    # Motor.

    def _drive(self, duty_u16):
        if duty_u16 == self._duty_u16:
            return
        try:
            self._motor.duty_u16 = duty_u16
            self._duty_u16 = duty_u16
        except (OSError, RuntimeError, ValueError) as fault:
            # A driver chip that is missing: the walk goes on without it.
            self._note("motor", fault)
            self._duty_u16 = duty_u16

    def _motor_off(self):
        self._buzz.stop()
        try:
            self._motor.duty_u16 = 0
        except (OSError, RuntimeError, ValueError) as fault:
            self._note("motor", fault)
        self._duty_u16 = 0

    def _start_pattern(self, pattern):
        duty_u16 = self.settings.values[_SET_STRENGTH_PCT] * 65535 // 100
        well = not self._watching() or self._glance(self._ticks_ms())
        if well or (self._retried and self._watching()):
            # The burst that led here took milliseconds of its own, which the first pulse shall not lack.
            duty_u16 = self._buzz.start(pattern, self._ticks_ms(), duty_u16)
            self._drive(duty_u16 if well else 0)

    def _watching(self):
        """True while the sensor gathers samples, and a pattern ends when it does not."""
        return self._sensor_ok and not self._dozing and not self.off

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
        if self.chain.left_out and pattern != z.P_CALIBRATED and not self.link.live:
            return  # nobody wears it: on the charger only what was asked for is answered
        if self._supply.same > _ALIKE_MAX:
            return  # what it was asked for by may be no posture
        if z.P_FORWARD <= pattern <= z.P_SIDE:
            self._buzzed = True
            self._buzzed_ms = now_ms
        self._start_pattern(pattern)

    # Sensor.

    def _sense(self, now_ms):
        if not self._sensor_ok:
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
        return not (
            self._calibrating or self._bowing or self._gap or self.link.connected or self._sources or self.raw_left_s()
        )

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
            believed = self._supply.believe(counts, at, n)
            n -= believed
            if believed and self._gap:
                self._close_gap()
            while believed:
                taken = chain.burst(counts, at, believed)
                if self.trace.raw_left:
                    self._record_raw(counts, at, taken)
                believed -= taken
                at += 6 * taken
                ticked |= chain.closed
                if chain.closed & e.SECOND:
                    self._each_worn_second()
            if n:
                # A stale one.
                n -= 1
                at += 6
                self._gap += 1
                if self._gap >= _GAP_PIECE:
                    self._close_gap()
        if ticked and self.link.live:
            self._push_live()

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
        self._sensor_ok = False
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
        self._sensor_ok = True
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

    # What a cut left.

    def _recover(self, random_bytes):
        """Take up the session that a cut ended, and bring the records into the journal that waited for a commit."""
        trace = self.trace
        journal = self.journal
        session = self.session
        found = trace.load(random_bytes)
        last = trace.checkpoint
        if journal.head[j.J_BOOT] <= trace.boot < 65535:
            journal.head[j.J_BOOT] = trace.boot + 1  # a boot writes nothing: the trace may know of more of them
        if not journal.read_only:
            if self._load_state == j.FORMATTED and trace.walk:
                # What the lost journal held is not known: what had ended may long be with the host.
                journal.walks = trace.walk - 1 if found == OPEN else trace.walk
            self._bring_in(trace.pending)
            if found == OPEN and trace.read_checkpoint(last) and trace.head_u16(H_WALK) > journal.walks:
                self._take_up()
                return
        session.forget()

    def _bring_in(self, number):
        """Records of walks that ended in block `number` - 1 and before, oldest first."""
        trace = self.trace
        ends = []  # type: list[int]
        while number and len(ends) < _PENDING_MAX:
            if not trace.read_checkpoint(number - 1) or not trace.kept():
                break
            if trace.head_u16(H_WALK) <= self.journal.walks:
                break
            ends.append(number - 1)
            number = trace.head_u32(H_PENDING)
        while ends:
            if trace.read_checkpoint(ends.pop()):
                self.journal.append(self.session.fields, merge_into, trace.head_u16(H_WALK))
        self.journal.commit(self.utc_s(), self._uptime_s)

    def _take_up(self):
        """The session of the checkpoint just read goes on, or, if that was long ago, is closed and recorded."""
        session = self.session
        trace = self.trace
        fields = session.fields
        walk = trace.head_u16(H_WALK)
        then_s = trace.head_u32(H_UTC_S)
        now_s = self.utc_s()
        gap_s = 0
        if then_s and now_s:
            gap_s = now_s - then_s - trace.seconds
            goes_on = 0 <= gap_s <= _IDLE_END_S
        elif self._reset_reason > _POWER_ON:
            goes_on = True  # a reset of its own: it was a moment ago
        else:
            # Nobody knows how long it was without power. Who walked just before most likely walks on; but who switches
            # it off at its battery after each walk must not have all of them in one record.
            goes_on = session.idle_s < _UNTIMED_IDLE_S and not fields[_S_FLAGS] & _FLAG_RESUMED
        if goes_on and not self._kept_in():
            session.take_up()
            for _ in range(gap_s):
                session.second(e.CLASS_GAP, 0, 0, 0, 0, 0)
            self._wearing = False
            self.chain.begin()
            self._brief_coach()
            trace.begin(self.journal.boot, walk, True)
            return
        session.note_flag(_FLAG_CUT)
        session.finish(0, fields[_S_BATTERY_END_MV])
        trace.begin(self.journal.boot, walk, True)
        self._keep_record(False)
        session.forget()

    def write_nothing(self):
        """From now on nothing is written to flash: the program crashes again and again."""
        self.journal.read_only = True
        self.trace.write_nothing()

    # Once a second.

    def _each_worn_second(self):
        """A second of the chain has closed: does a session end or begin? Counted in samples, as the chain counts."""
        self.trace.note(self._uptime_s, self.utc_s(), self._buzz.busy)
        session = self.session
        if session.open:
            if session.must_split:
                self.end_session(_FLAG_SPLIT)
                self._open_session()
                self.session.note_flag(_FLAG_SPLIT)
            elif session.idle_s >= _IDLE_END_S:
                self.end_session(0, True)
        elif not self.off and self.chain.gait.walking:
            self._open_session()

    def _each_second(self, now_ms):
        self._second_n += 1
        # Over for good: 74 h later the difference of two readings of the clock would turn round.
        if self._may_take_back and not self._bowing and ticks_diff(now_ms, self._calibrated_ms) >= _TAKE_BACK_MS:
            self._may_take_back = False
        if self._buzzed and ticks_diff(now_ms, self._buzzed_ms) >= _WRONG_MS:
            self._buzzed = False
        if self._usb_s >= _USB_END_S:
            self.end_session(0, True)
        if self.link.connected:
            self._rouse()
        self._usb_s = self._usb_s + 1 if self._power is not None and self._power.usb else 0
        kept_in = self._kept_in()
        self.chain.left_out = e.CLASS_CHARGING if kept_in else 0
        if not self._buzz.busy:
            if not self.off:
                self._check_sensor(now_ms)
                if not self._sensor_ok:
                    self._count_silence(now_ms)
            if self._second_n % _BATTERY_EVERY_S == 0:
                self._look_at_battery()
            self.journal.poll(self.utc_s(), self._uptime_s)
            self._tend_trace()
            if self._load_state == j.UNREADABLE and self._second_n % _LOAD_AGAIN_S == 0:
                self._load()
                self._forward_axis = self.settings.values[_SET_FORWARD_AXIS]
                self.chain.configure(self.settings)
                self.trace.cut(self._uptime_s, self.utc_s())
                self._apply_calibration()
        self._show(kept_in)

    def _tend_trace(self):
        trace = self.trace
        if trace.pending and not self.journal.read_only:
            if not self.journal.unsaved & j.WHY_SESSION:
                trace.pending = 0
            elif trace.next_block - trace.pending > trace.capacity * 3 // 4:
                # A record that waits for its commit would soon be overwritten.
                self.journal.commit(self.utc_s(), self._uptime_s, True)
        if trace.wiping:
            trace.step_wiping()

    def _check_sensor(self, now_ms):
        """Whether the chip is still set up: after a silent reset it delivers nothing, or zeros."""
        if not self._sensor_ok or self._dozing:  # dozing, each look checks
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
        elif not self._sensor_ok or self.journal.store_fault:
            colour = LED_FAULT
        elif self._calibrating or self._bowing:
            colour = LED_CALIBRATING
        elif self.link.connected:
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
        self._sensor_ok = False
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
            self.mark()
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
        self.chain.set_upright(
            c[j.CAL_UP],
            c[j.CAL_UP + 1],
            c[j.CAL_UP + 2],
            c[j.CAL_BIAS],
            c[j.CAL_BIAS + 1],
            c[j.CAL_BIAS + 2],
            c[j.CAL_QUALITY],
        )
        self._apply_forward()

    def _apply_forward(self):
        """Let what a bow has found be forward; False, with nothing changed, where it lies too near to up."""
        c = self.journal.calibration
        if not (c[j.CAL_FORWARD] or c[j.CAL_FORWARD + 1] or c[j.CAL_FORWARD + 2]):
            return True
        return self.chain.set_frame(
            c[j.CAL_UP],
            c[j.CAL_UP + 1],
            c[j.CAL_UP + 2],
            c[j.CAL_FORWARD],
            c[j.CAL_FORWARD + 1],
            c[j.CAL_FORWARD + 2],
        )

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

    # The journal.

    def _load(self):
        self._load_state = self.journal.load()
        if self._load_state == j.UNREADABLE:
            self._note("journal unreadable", None)

    # What the link asks (walktall.link says what each is).

    def hello_into(self, values):
        """Fill HELLO's values; a host has come, so the walk is over."""
        self.end_session(0, True)
        flags = 0
        if self._power is not None:
            if self._power.charging:
                flags |= _HF_CHARGING
            if self._power.usb:
                flags |= _HF_USB
        if self._utc_base_s:
            flags |= _HF_CLOCK_SET
        if self.session.open:
            flags |= _HF_SESSION_OPEN
        if self.chain.gait.walking:
            flags |= _HF_WALKING
        if self.chain.detector.snoozed:
            flags |= _HF_SNOOZED
        if not self._sensor_ok and not self.off:
            flags |= _HF_SENSOR_FAULT
        if self._maintenance:
            flags |= _HF_MAINTENANCE
        values[_H_FLAGS] = flags
        values[_H_BOARD] = self._board_name
        values[_H_CHIP] = self._chip_name or _CHIP_NAMES.get(self._imu.who_am_i, "")
        values[_H_SOURCE_DIGEST] = self._source_digest
        values[_H_UPTIME_S] = self._uptime_s
        values[_H_UTC_S] = self.utc_s()
        values[_H_RESET_REASON] = self._reset_reason
        values[_H_ERRORS] = self.errors + self.link.faults
        values[_H_LAST_ERROR] = self.last_error
        values[_H_BATTERY_MV] = self._battery_mv
        values[_H_DRIVE_KIB] = self._drive_kib[0]
        values[_H_DRIVE_FREE_KIB] = self._drive_kib[1]

    def set_clock(self, utc_s):
        """Set the clock; a session that began undated is dated."""
        if utc_s <= self._uptime_s:  # before this boot: no clock says that
            return
        self._utc_base_s = utc_s - self._uptime_s
        if self.session.open:
            self.session.note_utc(utc_s)
        if self._rtc is not None:
            try:
                self._rtc.utc_s = utc_s
            except (OSError, ValueError, RuntimeError, OverflowError) as fault:
                self._note("rtc", fault)

    def settings_changed(self):
        """Take over the journal's settings, and let them be written."""
        self.chain.configure(self.settings)
        self.trace.cut(self._uptime_s, self.utc_s())
        self._rouse()
        axis = self.settings.values[_SET_FORWARD_AXIS]
        if axis != self._forward_axis:
            # Somebody has said which way is forward: that counts for more than an earlier bow.
            self._forward_axis = axis
            self._forget_forward()
            c = self.journal.calibration
            if self.journal.calibrated and not self.chain.set_axis(c[j.CAL_UP], c[j.CAL_UP + 1], c[j.CAL_UP + 2], axis):
                self._note("forward_axis is up", None)
        self.journal.touch(j.WHY_SETTINGS, self._uptime_s)
        if self.session.open:
            self.session.note_flag(_FLAG_SETTINGS)

    def identify(self):
        """Buzz to be found."""
        self._play(z.P_IDENTIFY)

    def begin_calibration(self):
        """True when the next seconds will be taken as upright."""
        if self.off or not self._sensor_ok:
            self._play(z.P_REFUSED)
            return False
        self._calibrating = True
        self._rouse()
        self._leave_bow()
        self._calibration_state = _CALIBRATION_RUNNING
        self.chain.begin_calibration()
        return True

    def cancel_calibration(self):
        """Give up a calibration that has begun."""
        if self._calibrating:
            self._calibrating = False
            self._calibration_state = 0
            self.chain.cancel_calibration()

    def calibration_status(self):
        """Index into `wire.CALIBRATION_NAMES`."""
        return self._calibration_state

    def selftest_into(self, buf):
        """SELFTEST_RUNNING, having begun when nothing ran; once it is over PASSED or FAILED, with 8 bytes of vector
        digest and 8 of source digest in `buf`. What is told is forgotten: asked again, it runs again."""
        if self._sources is None and self._selftest_status == _SELFTEST_RUNNING:
            # Not imported before: it and what it runs on take some KiB of heap, which it gives back.
            gc.collect()
            from .selftest import SelfTest, SourceDigest

            self._selftest = SelfTest()
            self._sources = SourceDigest(self._source_folder)
        status = self._selftest_status
        if status == _SELFTEST_RUNNING:
            return status
        self._selftest_status = _SELFTEST_RUNNING
        for index in range(8):
            buf[index] = self._vector_digest[index] if self._vector_digest else 0
            buf[8 + index] = self._source_digest[index] if self._source_digest else 0
        return status

    def _step_selftest(self):
        """A quarter second of the vector, or a KiB of the files; the walk goes on meanwhile."""
        test = self._selftest
        sources = self._sources
        try:
            if not test.step() or not sources.step():
                return
            self._vector_digest = test.vector_digest
            self._source_digest = sources.digest
            passed = test.passed and self._sensor_ok
        except Exception as fault:
            sources.close()
            self._note("selftest", fault)
            passed = False
        self._selftest_status = _SELFTEST_PASSED if passed else _SELFTEST_FAILED
        self._selftest = None
        self._sources = None
        gc.collect()

    def live(self, on):
        """Nothing to do: `link.live` is looked at with each tick."""

    def _push_live(self):
        detector = self.chain.detector
        gait = self.chain.gait
        values = self._live
        values[0] = self.chain.n_samples
        values[1] = detector.pitch_cdeg
        values[2] = detector.roll_cdeg
        values[3] = gait.cadence_spm
        values[4] = 1 if gait.walking else 0
        values[5] = detector.second_class
        forward = detector.forward
        fault = e.FORWARD if forward.active else 0
        if detector.back.active:
            fault |= e.BACK
        if detector.side.active:
            fault |= e.SIDE
        values[6] = fault
        values[7] = detector.label
        values[8] = forward.timer
        values[9] = gait.steps
        # As the detector has them: a beginner's limit and hill mode's are wider.
        extra = self.chain.coach.ease_cdeg
        if detector.hill:
            extra += self.chain.settings.values[_SET_HILL_DEG] * 100
        values[10] = forward.on_cdeg + extra
        values[11] = forward.off_cdeg + extra
        values[12] = 1 if self._buzz.busy else 0
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
        values[19] = self._battery_mv
        self.link.push_live(values)

    def wipe(self):
        """The walker has given up all records: with them goes the session that runs, and the trace."""
        if self.session.open:
            self.session.forget()
            self._wearing = True
        self.trace.wipe()

    def raw(self, minutes):
        """Record counts as they are for so many minutes, 0: no longer; seconds it will be, -1 where it cannot be."""
        if not minutes:
            self.trace.stop_raw()
            return 0
        if self.off or not self._sensor_ok:
            return -1
        n = self.trace.record_raw(minutes * 60 * e.SAMPLE_HZ, self.journal.boot)
        return n // e.SAMPLE_HZ if n else -1

    def raw_left_s(self):
        """Seconds of a raw recording left, 0: none runs."""
        return (self.trace.raw_left + e.SAMPLE_HZ - 1) // e.SAMPLE_HZ

    def mark(self):
        """A mark of discomfort."""
        self.chain.mark()

    def maintenance(self):
        """True when `code.py` will restart: the drive goes to the computer, or comes back in a maintenance boot."""
        if self._may_restart:
            self.restart_wanted = True
        return self._may_restart
