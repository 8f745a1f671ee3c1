"""What a cut left: taken up, or closed, when the device starts.

Imported by `device` for its start alone; `code.py` lets it go again.
"""

from struct import unpack_from

try:
    from micropython import const
except ImportError:

    def const(value):
        """The value itself: CPython folds nothing."""
        return value


from . import rows as w
from .journal import FORMATTED
from .session import merge_into
from .trace import OPEN

# Of `records`; private, so that they fold: tests/test_house_rules.py holds them to it.
_FLAG_RESUMED = const(1)
_FLAG_CUT = const(128)
_S_BATTERY_END_MV = const(43)
_S_FLAGS = const(49)

# Of `journal`; private, so that they fold: tests/test_house_rules.py holds them to it.
_J_BOOT = const(6)

# Of `events`; private, so that they fold: tests/test_house_rules.py holds them to it.
_CLASS_GAP = const(10)

_PENDING_MAX = const(64)
_IDLE_END_S = const(600)  # as a session ends by itself
_POWER_ON = const(1)  # and 0, unknown: the supply was away
_UNTIMED_IDLE_S = const(60)
# An nRF's clock that a reset took by surprise goes on from the last multiple of 512 s: its counter has 24 bits of
# 32768 Hz, and what is above them is counted when it comes round (ports/nordic/supervisor/port.c).
_CLOCK_LAGS_S = const(520)


def recover(device, random_bytes):
    """Take up the session that a cut ended, and bring the records into the journal that waited for a commit."""
    trace = device.trace
    journal = device.journal
    session = device.session
    found = trace.load(random_bytes)
    last = trace.checkpoint
    if journal.head[_J_BOOT] <= trace.boot < 65535:
        journal.head[_J_BOOT] = trace.boot + 1  # a boot writes nothing: the trace may know of more of them
    if not journal.read_only:
        if device._load_state == FORMATTED and trace.walk:
            # What the lost journal held is not known: what had ended may long be with the host.
            journal.walks = trace.walk - 1 if found == OPEN else trace.walk
        _bring_in(device, trace.pending)
        if found == OPEN and trace.read_checkpoint(last) and _number_of_walk(trace) > journal.walks:
            _take_up(device)
            return
    session.forget()


def _number_of_walk(trace):
    """Number of the walk whose checkpoint was read last."""
    return unpack_from("<H", trace.rows.buf, w.H_WALK)[0]


def _bring_in(device, number):
    """Records of walks that ended in block `number` - 1 and before, oldest first."""
    trace = device.trace
    buf = trace.rows.buf
    ends = []  # type: list[int]
    while number and len(ends) < _PENDING_MAX and trace.read_checkpoint(number - 1):
        flags = buf[w.H_FLAGS]
        if not flags & w.B_END or not flags & w.B_KEPT or _number_of_walk(trace) <= device.journal.walks:
            break
        ends.append(number - 1)
        number = unpack_from("<I", buf, w.H_PENDING)[0]
    while ends:
        if trace.read_checkpoint(ends.pop()):
            device.journal.append(device.session.fields, merge_into, _number_of_walk(trace))
    device.journal.commit(device.utc_s(), device._uptime_s)


def _put_forward(device, lag_s):
    """The clock is behind what the trace has seen, by so much at least."""
    device._utc_base_s += lag_s
    try:
        device._rtc.utc_s = device.utc_s()
    except (OSError, ValueError, RuntimeError, OverflowError) as fault:
        device._note("rtc", fault)


def _take_up(device):
    """The session of the checkpoint just read goes on, or, if that was long ago, is closed and recorded."""
    session = device.session
    trace = device.trace
    fields = session.fields
    walk = _number_of_walk(trace)
    then_s = unpack_from("<I", trace.rows.buf, w.H_UTC_S)[0]
    now_s = device.utc_s()
    gap_s = 0
    if then_s and now_s:
        gap_s = now_s - then_s - trace.rows.buf[w.H_SECONDS]
        if -_CLOCK_LAGS_S <= gap_s < 0:
            _put_forward(device, -gap_s)
            gap_s = 0
        goes_on = 0 <= gap_s <= _IDLE_END_S
    elif device._reset_reason > _POWER_ON:
        goes_on = True  # a reset of its own: it was a moment ago
    else:
        # Nobody knows how long it was without power. Who walked just before most likely walks on; but who switches
        # it off at its battery after each walk must not have all of them in one record.
        goes_on = session.idle_s < _UNTIMED_IDLE_S and not fields[_S_FLAGS] & _FLAG_RESUMED
    if goes_on and not device._kept_in():
        session.take_up()
        for _ in range(gap_s):
            session.second(_CLASS_GAP, 0, 0, 0, 0, 0)
        device._wearing = False
        device.chain.begin()
        device._brief_coach()
        trace.begin(device.journal.boot, walk, True)
        return
    session.note_flag(_FLAG_CUT)
    session.finish(0, fields[_S_BATTERY_END_MV])
    trace.begin(device.journal.boot, walk, True)
    device._keep_record(False)
    session.forget()
