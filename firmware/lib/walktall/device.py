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
from . import journal as j
from . import limits as s
from .chain import Chain
from .motion import views_of
from .sensing import Sensing
from .supply import Supply
from .ticks import ticks_add, ticks_diff
from .trace import Trace

# Of `settings`; private, so that they fold: tests/test_house_rules.py holds them to it.
_SET_FORWARD_AXIS = const(22)

# Of `records`; private, so that they fold: tests/test_house_rules.py holds them to it.
_FLAG_SPLIT = const(8)

_SECOND_MS = const(1000)
_WATCH_MS = const(25)  # a burst of the sensor may come between
# A host's request is answered within this; busy, the link is turned at once.
_LINK_MS = const(20)
_LINK_BUSY_MS = const(5)
# No sleep is shorter: on nRF one of 1 to 3 ms sets its alarm so near that it may be past before the chip sleeps, and
# the next sure one is up to 512 s away (adafruit/circuitpython, issue 4525).
_NAP_MS = const(5)
# A computer that has gone for so long is not expected back; one that could not be let in is let in after this.
_STAYS_S = const(10)
_LET_IN_AGAIN_S = const(10)
_RETRY_MS = const(250)
_FAULTS_MAX = const(10)

_JUMP_MS = const(60000)
_IDLE_END_S = const(600)
_USB_END_S = const(3)
_LOAD_AGAIN_S = const(60)

_BATTERY_EVERY_S = const(10)


class Device(Sensing):
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
    :param random_bytes: as `os.urandom`, for the ids drawn at a format; zeros where it is not told
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
        random_bytes=bytes,
        source_folder="",
        may_restart=False,
        maintenance=False,
        last_error="",
        trace_file=None,
        trace_parts=1,
        drive_kib=(0, 0),
    ):
        self._imu = imu
        self._views = views_of(imu.counts)
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
        self._port = port
        #: The computer's visit and its link, None while none is there.
        self.visit = None
        self.link = None
        #: Modules of the visit that are loaded already, while a computer is let in.
        self.arriving = 0
        self._shut_s = 0  # until a computer is let in again, after it could not be
        self._gone_s = 0  # since the computer has gone
        self._bad_frames = 0

        self._calibrating = False
        self._calibration_state = 0
        self._calibrated_ms = 0
        self._may_take_back = False
        self._bowing = False  # the wearer has been asked for a bow
        self._before_unsaved = 0
        self._before = array("i", bytes(4 * j.CALIBRATION_COUNT))
        self._buzzed_ms = 0
        self._buzzed = False

        #: False while the motion sensor has failed.
        self.sensor_ok = False
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
        self._colour = 0
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
        from .resume import recover  # for this once; `code.py` lets it go

        recover(self, random_bytes)

    # What others read.

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
        if self.arriving and not self._buzz.busy:
            pause = _LINK_BUSY_MS
        elif self.link is not None and self.link.connected:
            pause = _LINK_BUSY_MS if self.link.busy or self.visit.sources is not None else _LINK_MS
        else:
            pause = wait
        if pause < wait:
            wait = pause
        return wait if wait > 0 else 0

    def rest(self, sleep):
        """Sleep until something is due or the button is pressed. Its pin is looked at every 25 ms, and nothing else.

        :param sleep: as `time.sleep`
        """
        try:
            wait = self.wait_ms()
            if 0 < wait < _NAP_MS:
                wait = _NAP_MS
            button = self._button
            if button is None or self._buttons.active:
                if wait:
                    sleep(wait / 1000)
                return
            end_ms = ticks_add(self._ticks_ms(), wait)
            # A clock that is set back in here must not make it longer.
            while wait > 0:
                nap = wait if wait < _WATCH_MS + _NAP_MS else _WATCH_MS
                sleep(nap / 1000)
                if bool(button.pressed) != self._buttons.down:
                    self._scan_ms = self._ticks_ms()
                    return
                left = ticks_diff(end_ms, self._ticks_ms())
                wait = left if left < wait else wait - nap
        except Exception as fault:
            self._motor_off()
            self._note("wait", fault)
            sleep(_WATCH_MS / 1000)

    def _turn(self, now_ms):
        self._pass_time(now_ms)
        self._look_at_button(now_ms)
        if self.link is not None:
            self._attend(now_ms)
        elif not self._shut_s and not self._buzz.busy:
            if self._port.connected or self._maintenance:
                self._let_in(now_ms)
            else:
                self.arriving = 0  # gone before it was let in
        if self._duty_u16 < 0:
            self._tell_motor(0)
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

    # A computer.

    def _let_in(self, now_ms):
        """A computer is there: load what answers it, a module a turn, for compiling one takes a good part of a second.

        Without the memory for it the walk goes on, and it is tried again. In maintenance it is all loaded at once, and
        stays: a computer is about to write files of another firmware over those that would be loaded later.
        """
        self.arriving += 1
        try:
            gc.collect()
            if self.arriving == 1:
                from . import answers  # noqa: F401
            elif self.arriving == 2:
                from . import frames  # noqa: F401
            elif self.arriving == 3:
                from . import sending  # noqa: F401
            elif self.arriving == 4:
                from . import link  # noqa: F401
            elif self.arriving == 5:
                from . import telling  # noqa: F401
            else:
                self.arriving = 0
                from .visit import Visit

                self.visit = Visit(self, self._port, self._bad_frames)
                self.link = self.visit.link
                self._gone_s = 0
        except Exception as fault:  # a file half written, too
            self.arriving = 0
            self._shut_s = _LET_IN_AGAIN_S
            self._note("link", fault)
        if self.link is not None:
            self._attend(now_ms)

    def _attend(self, now_ms):
        """A turn of the visit."""
        self.link.poll(now_ms)
        if self.visit.sources is not None and not self._buzz.busy:
            self.visit.step_selftest()

    def _each_second_of_a_visit(self):
        """A while after the computer has gone the visit is over, and its memory free again; not in maintenance."""
        self._rouse()
        link = self.link
        self._gone_s = 0 if link.connected or self.visit.sources is not None else self._gone_s + 1
        if self._gone_s >= _STAYS_S and not self._maintenance:
            self.errors += link.faults
            self._bad_frames = link.bad_frames
            self.visit = None
            self.link = None

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
        self._let_expire(now_ms)
        if self._usb_s >= _USB_END_S:
            self.end_session(0, True)
        if self._shut_s:
            self._shut_s -= 1
        if self.visit is not None:
            self._each_second_of_a_visit()
        self._usb_s = self._usb_s + 1 if self._power is not None and self._power.usb else 0
        kept_in = self._kept_in()
        self.chain.left_out = e.CLASS_CHARGING if kept_in else 0
        if not self._buzz.busy:
            if not self.off:
                self._check_sensor(now_ms)
                if not self.sensor_ok:
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

    # The journal.

    def _load(self):
        self._load_state = self.journal.load()
        if self._load_state == j.UNREADABLE:
            self._note("journal unreadable", None)
