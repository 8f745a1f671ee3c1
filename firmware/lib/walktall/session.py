"""The running summary of one session: where each second went, how often it buzzed, whether the walker answered.

The denominator is honest: every second that is told has exactly one class, and

    wear_s == good_s + forward_s + back_s + side_s
              + (still, bend, jog, buzzing, charging, gap, unsure, snoozed, off body)

holds after every call. A class that nobody knows is `unsure`. Seconds that nobody told are not counted, and a session
that nears what its 16-bit seconds hold asks to be split (`must_split`) rather than saturate.

All state lives in two standing int arrays, `fields` (the record, indexed by `records.S_...`) and `state` (what the
record's means and thirds are made from), so that both can go into a checkpoint and be taken up after a loss of power.

Sums stay small: a pitch is clamped to ±16000 cdeg and a session to 65535 s, and 16000 · 65535 < 2^30.

It does not judge posture (detector) and does not know the time of day (device).
"""

from array import array

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


from . import events
from . import slots as r

# Of `records`; private, so that they fold: tests/test_house_rules.py holds them to it.
_FLAG_RESUMED = const(1)
_FLAG_MERGED = const(2)
_FLAG_SLIPPED = const(256)
_FLAG_SHORT = const(4096)
_FLAG_CLOCK_SET = const(8192)
_NOT_TOLD = const(255)
_S_SEQ = const(0)
_S_BOOT = const(1)
_S_START_UTC_S = const(2)
_S_START_UPTIME_S = const(3)
_S_WEAR_S = const(4)
_S_GOOD_S = const(5)
_S_FORWARD_S = const(6)
_S_BACK_S = const(7)
_S_SIDE_S = const(8)
_S_STILL_S = const(9)
_S_BEND_S = const(10)
_S_JOG_S = const(11)
_S_BUZZING_S = const(12)
_S_CHARGING_S = const(13)
_S_GAP_S = const(14)
_S_UNSURE_S = const(15)
_S_SNOOZED_S = const(16)
_S_OFF_BODY_S = const(17)
_S_WALKING_S = const(18)
_S_BRISK_S = const(19)
_S_STEPS = const(20)
_S_CADENCE_MEAN_SPM = const(21)
_S_LEAN_EVENTS = const(22)
_S_SLOUCH_EVENTS = const(23)
_S_UNSURE_EVENTS = const(24)
_S_BACK_EVENTS = const(25)
_S_SIDE_EVENTS = const(26)
_S_BUZZES = const(27)
_S_ANSWERED = const(28)
_S_IGNORED = const(29)
_S_ANSWER_MEAN_DS = const(30)
_S_LONGEST_GOOD_S = const(31)
_S_PITCH_MEAN_CDEG = const(32)
_S_PITCH_SLOW_CDEG = const(33)
_S_PITCH_BRISK_CDEG = const(34)
_S_UPRIGHT_FIRST_PCT = const(35)
_S_UPRIGHT_LAST_PCT = const(36)
_S_WALK_OFFSET_CDEG = const(37)
_S_CALIBRATION_QUALITY = const(38)
_S_SLIPS = const(39)
_S_DISCOMFORT_MARKS = const(40)
_S_WRONG_MARKS = const(41)
_S_BATTERY_START_MV = const(42)
_S_BATTERY_END_MV = const(43)
_S_ON_DEG = const(44)
_S_OFF_DEG = const(45)
_S_HOLD_S = const(46)
_S_MODE = const(47)
_S_COACHING = const(48)
_S_FLAGS = const(49)
_S_MERGED_WALKS = const(50)
_S_FW_VERSION = const(51)
_S_SILENT_S = const(52)
_S_SILENT_FORWARD_S = const(53)
_S_CUES = const(54)
_S_CLASS_BASE = const(4)
_SESSION_SPLIT_S = const(64800)

# 100 steps/min is the threshold of moderate, "brisk" walking, 3 MET (CADENCE-Adults, docs/algorithm.md).
BRISK_SPM = const(100)
# A buzz is answered when the walker is back below the limit within 20 s; later, the buzz did not do it.
ANSWER_LIMIT_S = const(20)
# Each third needs a minute of judged walking before a comparison says anything.
_THIRDS_MIN_S = const(180)
_HOLD_DEFAULT_S = const(10)
_U16_MAX = const(65535)
_STEPS_MAX = const(0xFFFFFF)
_WALKS_MAX = const(255)
_PITCH_MAX_CDEG = const(16000)

# `state`: private counters
_OPEN = const(0)
_CADENCE_SUM = const(1)
_CADENCE_N = const(2)
_PITCH_SUM = const(3)
_PITCH_N = const(4)
_SLOW_SUM = const(5)
_SLOW_N = const(6)
_BRISK_SUM = const(7)
_BRISK_N = const(8)
_GOOD_RUN_S = const(9)
_PENDING_S = const(10)  # seconds left to answer the last buzz
_ANSWER_SUM_DS = const(11)
_FAULTS = const(12)  # mask of the faults that are open
_LABEL = const(13)  # of the forward one
_STEPS_SEEN = const(14)  # the gait's total at the last second; -1 before the first one
_IDLE_S = const(15)  # seconds since a walking one
_WIDTH_S = const(16)  # judged walking seconds in one bucket
_FILL_S = const(17)  # of the bucket being filled
_BUCKET = const(18)  # which one is being filled
_TAIL = const(19)  # from here, by class: seconds since the last one walked or judged
_BUZZED = const(33)  # mask of the open faults that were buzzed
_FAULT_S = const(34)  # from here, forward, back, side: judged seconds of the open one
_LONGEST_S = const(37)  # the longest good run before the one under way
_BUCKETS = const(38)  # from here: good seconds in each bucket
_BUCKET_N = const(24)  # even: they are folded in pairs
_BUCKET_S = const(15)  # the first width
STATE_SIZE = const(38 + 24)

# A clip on a table is known for one after two whole quiet minutes (detector), so up to three minutes too late.
_LATELY_S = const(180)
_WALKED = const(128)  # with a class of `_lately`: walked in that second

# Counts that a merge adds up.
_ADDED = (
    _S_WEAR_S,
    _S_GOOD_S,
    _S_FORWARD_S,
    _S_BACK_S,
    _S_SIDE_S,
    _S_STILL_S,
    _S_BEND_S,
    _S_JOG_S,
    _S_BUZZING_S,
    _S_CHARGING_S,
    _S_GAP_S,
    _S_UNSURE_S,
    _S_SNOOZED_S,
    _S_OFF_BODY_S,
    _S_WALKING_S,
    _S_BRISK_S,
    _S_STEPS,
    _S_LEAN_EVENTS,
    _S_SLOUCH_EVENTS,
    _S_UNSURE_EVENTS,
    _S_BACK_EVENTS,
    _S_SIDE_EVENTS,
    _S_BUZZES,
    _S_ANSWERED,
    _S_IGNORED,
    _S_SLIPS,
    _S_DISCOMFORT_MARKS,
    _S_WRONG_MARKS,
    _S_SILENT_S,
    _S_SILENT_FORWARD_S,
    _S_CUES,
)
# What stands in a merged record as the later walk left it.
_LATER = (
    _S_WALK_OFFSET_CDEG,
    _S_CALIBRATION_QUALITY,
    _S_BATTERY_END_MV,
    _S_ON_DEG,
    _S_OFF_DEG,
    _S_HOLD_S,
    _S_MODE,
    _S_COACHING,
    _S_FW_VERSION,
)


def _rounded_mean(total, n):
    """`total / n` rounded to nearest, 0 when there is nothing; floor division alone would lean to the negative."""
    if not n:
        return 0
    if total < 0:
        return -((-total + (n >> 1)) // n)
    return (total + (n >> 1)) // n


def _add_saturated(fields, index, amount):
    """Add to a 16-bit count; it stops at 65535 instead of wrapping."""
    total = fields[index] + amount
    fields[index] = total if total < _U16_MAX else _U16_MAX


class Session:
    """One session's record as it grows: `start`, `second` once a second and `event` as they come, `finish`."""

    def __init__(self):
        self.fields = r.new_session_fields()
        #: Set by the chain while a trial keeps the motor silent (settings, `coaching=trial`).
        self.silent = 0
        self.state = array("i", [0] * STATE_SIZE)
        self._lately = bytearray(_LATELY_S)  # classes of the last seconds, a ring
        self.forget()

    def forget(self):
        """Nothing is under way, and nothing is held."""
        fields = self.fields
        for index in range(len(fields)):
            fields[index] = 0
        state = self.state
        for index in range(STATE_SIZE):
            state[index] = 0
        state[_WIDTH_S] = _BUCKET_S
        state[_STEPS_SEEN] = -1
        self._lately_at = 0
        self._lately_n = 0
        self._off_body = False
        fields[_S_UPRIGHT_FIRST_PCT] = _NOT_TOLD
        fields[_S_UPRIGHT_LAST_PCT] = _NOT_TOLD

    @property
    def open(self):
        """True between `start` and `finish`."""
        return self.state[_OPEN] != 0

    @property
    def idle_s(self):
        """Seconds told since the last one that was walked or judged (or since the start)."""
        return self.state[_IDLE_S]

    @property
    def must_split(self):
        """True from 18 h on: finish this record and start another, before 16-bit seconds run out."""
        return self.fields[_S_WEAR_S] >= _SESSION_SPLIT_S

    def start(self, seq, boot, utc_s, uptime_s, battery_mv):
        """Begin a new record; what was there is gone.

        :param int utc_s: seconds since 2020-01-01 UTC, 0 when the clock is not set
        """
        self.forget()
        fields = self.fields
        fields[_S_SEQ] = seq
        fields[_S_BOOT] = boot
        fields[_S_START_UTC_S] = utc_s
        fields[_S_START_UPTIME_S] = uptime_s
        fields[_S_BATTERY_START_MV] = battery_mv
        fields[_S_FW_VERSION] = r.FW_VERSION
        self.state[_OPEN] = 1

    def take_up(self):
        """Go on with `fields` and `state` as read from a checkpoint; after a boot the gait counts steps from 0."""
        state = self.state
        state[_OPEN] = 1
        state[_STEPS_SEEN] = -1
        state[_PENDING_S] = 0
        state[_FAULTS] = 0
        self.note_flag(_FLAG_RESUMED)

    def second(self, second_class, pitch_cdeg, roll_cdeg, cadence_spm, walking, steps_total):
        """Count one second; once a second, allocates nothing.

        :param int second_class: one of `events.CLASS_...`
        :param int pitch_cdeg: mean pitch from upright of that second
        :param int steps_total: the gait's running total of steps
        """
        state = self.state
        fields = self.fields
        if not state[_OPEN] or fields[_S_WEAR_S] >= _U16_MAX:
            return
        if second_class <= events.CLASS_NONE or second_class > events.CLASS_OFF_BODY:
            second_class = events.CLASS_UNSURE  # told without a class that exists: never good
        off_body = second_class == events.CLASS_OFF_BODY
        if off_body != self._off_body:
            if off_body:
                self._give_to_table()
            self._off_body = off_body
        fields[_S_WEAR_S] += 1
        fields[_S_CLASS_BASE + second_class] += 1

        seen = state[_STEPS_SEEN]
        if seen != steps_total:
            if seen >= 0:
                # A total that shrank was begun again.
                seen = fields[_S_STEPS] + (steps_total - seen if steps_total >= seen else steps_total)
                fields[_S_STEPS] = seen if seen < _STEPS_MAX else _STEPS_MAX
            state[_STEPS_SEEN] = steps_total

        if state[_PENDING_S]:
            state[_PENDING_S] -= 1
            if not state[_PENDING_S]:
                _add_saturated(fields, _S_IGNORED, 1)

        good = second_class == events.CLASS_GOOD
        judged = second_class <= events.CLASS_SIDE
        walked = walking and second_class != events.CLASS_GAP
        at = self._lately_at
        self._lately[at] = second_class | _WALKED if walked else second_class
        self._lately_at = (at + 1) % _LATELY_S
        if self._lately_n < _LATELY_S:
            self._lately_n += 1
        # The longest good run is of good seconds alone: a fault ends it, a second left out neither adds nor ends.
        if good:
            run_s = state[_GOOD_RUN_S] + 1
            state[_GOOD_RUN_S] = run_s
            if run_s > fields[_S_LONGEST_GOOD_S]:
                fields[_S_LONGEST_GOOD_S] = run_s
        elif judged:
            if state[_GOOD_RUN_S] > state[_LONGEST_S]:
                state[_LONGEST_S] = state[_GOOD_RUN_S]
            state[_GOOD_RUN_S] = 0
            state[_FAULT_S + second_class - events.CLASS_FORWARD] += 1

        if judged or walked:
            if state[_IDLE_S]:
                state[_IDLE_S] = 0
                for index in range(_TAIL, _BUZZED):
                    state[index] = 0
        else:
            state[_IDLE_S] += 1
            state[_TAIL + second_class] += 1
        if not walked:
            return
        fields[_S_WALKING_S] += 1
        if cadence_spm > 0:
            state[_CADENCE_SUM] += cadence_spm
            state[_CADENCE_N] += 1
            if cadence_spm >= BRISK_SPM:
                fields[_S_BRISK_S] += 1
        if not judged:
            return
        if self.silent:
            fields[_S_SILENT_S] += 1
            if second_class == events.CLASS_FORWARD:
                fields[_S_SILENT_FORWARD_S] += 1
        if pitch_cdeg > _PITCH_MAX_CDEG:
            pitch_cdeg = _PITCH_MAX_CDEG
        elif pitch_cdeg < -_PITCH_MAX_CDEG:
            pitch_cdeg = -_PITCH_MAX_CDEG
        state[_PITCH_SUM] += pitch_cdeg
        state[_PITCH_N] += 1
        if cadence_spm >= BRISK_SPM:
            state[_BRISK_SUM] += pitch_cdeg
            state[_BRISK_N] += 1
        elif cadence_spm > 0:
            state[_SLOW_SUM] += pitch_cdeg
            state[_SLOW_N] += 1

        bucket = state[_BUCKET]
        if good:
            state[_BUCKETS + bucket] += 1
        state[_FILL_S] += 1
        if state[_FILL_S] < state[_WIDTH_S]:
            return
        state[_FILL_S] = 0
        bucket += 1
        if bucket == _BUCKET_N:
            # Full: fold neighbours together and go on with buckets twice as wide. Memory stays, detail halves.
            bucket = _BUCKET_N >> 1
            for index in range(bucket):
                pair = _BUCKETS + 2 * index
                state[_BUCKETS + index] = state[pair] + state[pair + 1]
            for index in range(bucket, _BUCKET_N):
                state[_BUCKETS + index] = 0
            state[_WIDTH_S] *= 2
        state[_BUCKET] = bucket

    def _give_to_table(self):
        """The clip turns out to have lain somewhere for the last minutes: what was judged then was nobody's posture.

        Three minutes, less where somebody walked in them, because that is how late it may be known."""
        state = self.state
        fields = self.fields
        lately = self._lately
        at = self._lately_at
        idle_s = state[_IDLE_S]
        good_s = 0
        n = 0
        while n < self._lately_n:
            at = at - 1 if at else _LATELY_S - 1
            second_class = lately[at]
            if second_class & _WALKED or second_class == events.CLASS_OFF_BODY:
                break
            if n < idle_s:
                state[_TAIL + second_class] -= 1
            if second_class <= events.CLASS_BEND:
                if second_class == events.CLASS_GOOD:
                    good_s += 1
                fields[_S_CLASS_BASE + second_class] -= 1
                second_class = events.CLASS_OFF_BODY
                fields[_S_OFF_BODY_S] += 1
                lately[at] = second_class
            state[_TAIL + second_class] += 1
            n += 1
        if n > idle_s:
            state[_IDLE_S] = n
        if not good_s:
            return
        state[_GOOD_RUN_S] = state[_GOOD_RUN_S] - good_s if state[_GOOD_RUN_S] > good_s else 0
        longest_s = max(state[_LONGEST_S], state[_GOOD_RUN_S])
        fields[_S_LONGEST_GOOD_S] = min(longest_s, fields[_S_GOOD_S], fields[_S_LONGEST_GOOD_S])

    def event(self, code, fault, label, value):
        """Count one event of the chain.

        :param int value: of `RECOVERED`, ticks (250 ms) since the buzz that it answers
        """
        state = self.state
        fields = self.fields
        if not state[_OPEN]:
            return
        if code == events.BUZZ:
            _add_saturated(fields, _S_BUZZES, 1)
            if state[_PENDING_S]:  # buzzed again: the one before was not answered
                _add_saturated(fields, _S_IGNORED, 1)
            state[_PENDING_S] = ANSWER_LIMIT_S
            state[_BUZZED] |= fault
            if label:
                state[_LABEL] = label
        elif code == events.RECOVERED:
            if state[_PENDING_S]:
                state[_PENDING_S] = 0
                if 0 <= value <= ANSWER_LIMIT_S * events.TICKS_PER_S:
                    _add_saturated(fields, _S_ANSWERED, 1)
                    state[_ANSWER_SUM_DS] += value * 10 // events.TICKS_PER_S
                else:
                    _add_saturated(fields, _S_IGNORED, 1)
        elif code == events.FAULT_BEGIN:
            state[_FAULTS] |= fault
            state[_BUZZED] &= ~fault
            state[_FAULT_S + (fault >> 1)] = 0
            if fault == events.FORWARD:
                state[_LABEL] = label
        elif code == events.FAULT_END:
            self._close_fault(fault, label)
        elif code == events.STOPPED:
            state[_PENDING_S] = 0  # who stops walking has neither answered nor ignored it
        elif code == events.SLIP:
            _add_saturated(fields, _S_SLIPS, 1)
            self.note_flag(_FLAG_SLIPPED)
        elif code == events.CUE:
            _add_saturated(fields, _S_CUES, 1)
        elif code == events.MARK:
            _add_saturated(fields, _S_DISCOMFORT_MARKS, 1)
        elif code == events.WRONG:
            _add_saturated(fields, _S_WRONG_MARKS, 1)
            state[_PENDING_S] = 0

    def _close_fault(self, fault, label):
        """Count the episode of `fault` that ends, if it was one: buzzed, or as long as the hold. Shorter ones are
        crossings of the limit, of which a walk has many."""
        state = self.state
        fields = self.fields
        if not state[_FAULTS] & fault:
            return
        state[_FAULTS] &= ~fault
        if not state[_BUZZED] & fault and state[_FAULT_S + (fault >> 1)] < (fields[_S_HOLD_S] or _HOLD_DEFAULT_S):
            return
        if not label:
            label = state[_LABEL]
        if fault == events.BACK:
            index = _S_BACK_EVENTS
        elif fault == events.SIDE:
            index = _S_SIDE_EVENTS
        elif label == events.LEAN:
            index = _S_LEAN_EVENTS
        elif label == events.SLOUCH:
            index = _S_SLOUCH_EVENTS
        else:
            index = _S_UNSURE_EVENTS
        _add_saturated(fields, index, 1)

    def note_calibration(self, quality, walk_offset_cdeg):
        """Put the calibration's quality and the learned walking offset into the record."""
        self.fields[_S_CALIBRATION_QUALITY] = quality
        self.fields[_S_WALK_OFFSET_CDEG] = walk_offset_cdeg

    def note_flag(self, flag):
        """Set one of `records.FLAG_...` in the record."""
        self.fields[_S_FLAGS] |= flag

    def note_rules(self, on_deg, off_deg, hold_s, mode, coaching):
        """Put the rules that judged this session into the record."""
        fields = self.fields
        fields[_S_ON_DEG] = on_deg
        fields[_S_OFF_DEG] = off_deg
        fields[_S_HOLD_S] = hold_s
        fields[_S_MODE] = mode
        fields[_S_COACHING] = coaching

    def note_utc(self, utc_s):
        """Date a record that began undated: it began `wear_s` ago, for every second since is counted.

        :param int utc_s: seconds since 2020-01-01 UTC, 0 when the clock is not set (then nothing happens)
        """
        fields = self.fields
        if utc_s > fields[_S_WEAR_S] and not fields[_S_START_UTC_S]:
            fields[_S_START_UTC_S] = utc_s - fields[_S_WEAR_S]
            self.note_flag(_FLAG_CLOCK_SET)

    def cut_idle(self):
        """Take the seconds since the last walk off the record: for a session that ends because the walk is over.

        Gaps stay: that a sensor failed has to be told. wear_s stays the sum of its parts.
        """
        state = self.state
        fields = self.fields
        for second_class in range(1, events.CLASS_OFF_BODY + 1):
            if second_class != events.CLASS_GAP:
                fields[_S_CLASS_BASE + second_class] -= state[_TAIL + second_class]
                fields[_S_WEAR_S] -= state[_TAIL + second_class]
            state[_TAIL + second_class] = 0
        state[_IDLE_S] = 0

    def summarise(self):
        """Bring means and thirds in `fields` up to now; the session goes on."""
        state = self.state
        fields = self.fields
        fields[_S_CADENCE_MEAN_SPM] = _rounded_mean(state[_CADENCE_SUM], state[_CADENCE_N])
        fields[_S_PITCH_MEAN_CDEG] = _rounded_mean(state[_PITCH_SUM], state[_PITCH_N])
        fields[_S_PITCH_SLOW_CDEG] = _rounded_mean(state[_SLOW_SUM], state[_SLOW_N])
        fields[_S_PITCH_BRISK_CDEG] = _rounded_mean(state[_BRISK_SUM], state[_BRISK_N])
        fields[_S_ANSWER_MEAN_DS] = _rounded_mean(state[_ANSWER_SUM_DS], fields[_S_ANSWERED])
        total_s = state[_BUCKET] * state[_WIDTH_S] + state[_FILL_S]
        if total_s >= _THIRDS_MIN_S:
            third_s = total_s // 3
            fields[_S_UPRIGHT_FIRST_PCT] = self._good_pct(0, third_s)
            fields[_S_UPRIGHT_LAST_PCT] = self._good_pct(total_s - third_s, total_s)

    def _good_pct(self, from_s, to_s):
        """Good share, 0..100, of the judged walking seconds `from_s` to `to_s`; a bucket on an edge counts in part."""
        state = self.state
        width_s = state[_WIDTH_S]
        good_s = 0
        for bucket in range(state[_BUCKET] + 1):
            begin_s = bucket * width_s
            length_s = width_s if bucket < state[_BUCKET] else state[_FILL_S]
            low_s = from_s if from_s > begin_s else begin_s
            high_s = to_s if to_s < begin_s + length_s else begin_s + length_s
            if high_s > low_s:
                good_s += _rounded_mean(state[_BUCKETS + bucket] * (high_s - low_s), length_s)
        return _rounded_mean(100 * good_s, to_s - from_s)

    def finish(self, utc_s, battery_mv):
        """Close the record; `fields` is then what the journal keeps. A second call changes nothing."""
        state = self.state
        if not state[_OPEN]:
            return
        fields = self.fields
        self._close_fault(events.FORWARD, events.LABEL_NONE)
        self._close_fault(events.BACK, events.LABEL_NONE)
        self._close_fault(events.SIDE, events.LABEL_NONE)
        self.note_utc(utc_s)
        fields[_S_BATTERY_END_MV] = battery_mv
        self.summarise()
        state[_OPEN] = 0
        state[_PENDING_S] = 0  # the walk ended before the answer could: neither answered nor ignored


def _weighted(a, a_weight, b, b_weight):
    """Mean of two means by their weights, inside 31 bits: |a|, |b| <= 16000, and the weights halve until they fit."""
    while a_weight + b_weight > _U16_MAX:
        a_weight >>= 1
        b_weight >>= 1
    return _rounded_mean(a * a_weight + b * b_weight, a_weight + b_weight)


def merge_into(fields, later):
    """Merge the finished short walk `later` into `fields`, the day's record of short walks; True when it fitted.

    Counts add up, means are weighted by what they were taken over, settings and calibration are the later walk's.
    Thirds of several walks mean nothing and become "not told". Refused, with nothing changed, when it would not fit.
    """
    walks = (fields[_S_MERGED_WALKS] or 1) + (later[_S_MERGED_WALKS] or 1)
    if fields[_S_WEAR_S] + later[_S_WEAR_S] > _SESSION_SPLIT_S or walks > _WALKS_MAX:
        return False
    walking_s = fields[_S_WALKING_S]
    later_walking_s = later[_S_WALKING_S]
    brisk_s = fields[_S_BRISK_S]
    later_brisk_s = later[_S_BRISK_S]
    fields[_S_CADENCE_MEAN_SPM] = _weighted(
        fields[_S_CADENCE_MEAN_SPM], walking_s, later[_S_CADENCE_MEAN_SPM], later_walking_s
    )
    fields[_S_PITCH_MEAN_CDEG] = _weighted(
        fields[_S_PITCH_MEAN_CDEG], walking_s, later[_S_PITCH_MEAN_CDEG], later_walking_s
    )
    fields[_S_PITCH_BRISK_CDEG] = _weighted(
        fields[_S_PITCH_BRISK_CDEG], brisk_s, later[_S_PITCH_BRISK_CDEG], later_brisk_s
    )
    fields[_S_PITCH_SLOW_CDEG] = _weighted(
        fields[_S_PITCH_SLOW_CDEG], walking_s - brisk_s, later[_S_PITCH_SLOW_CDEG], later_walking_s - later_brisk_s
    )
    fields[_S_ANSWER_MEAN_DS] = _weighted(
        fields[_S_ANSWER_MEAN_DS], fields[_S_ANSWERED], later[_S_ANSWER_MEAN_DS], later[_S_ANSWERED]
    )
    for index in _ADDED:
        _add_saturated(fields, index, later[index])
    if later[_S_LONGEST_GOOD_S] > fields[_S_LONGEST_GOOD_S]:
        fields[_S_LONGEST_GOOD_S] = later[_S_LONGEST_GOOD_S]
    fields[_S_UPRIGHT_FIRST_PCT] = _NOT_TOLD
    fields[_S_UPRIGHT_LAST_PCT] = _NOT_TOLD
    # 0 stands for a record of one walk that was never merged.
    fields[_S_MERGED_WALKS] = walks
    for index in _LATER:
        fields[index] = later[index]
    short = fields[_S_FLAGS] & later[_S_FLAGS] & _FLAG_SHORT
    fields[_S_FLAGS] = ((fields[_S_FLAGS] | later[_S_FLAGS]) & ~_FLAG_SHORT) | short | _FLAG_MERGED
    return True
