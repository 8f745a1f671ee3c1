from kit import Chance, Digest
from parts import Bank, some_bytes
from walktall import journal, records, sending, wire

chance = Chance(31)
BODY = 4


class Handler:
    """Says what it is asked, and refuses every other calibration."""

    trace = None

    def __init__(self, held):
        self.journal = held
        self._asked = []

    def uptime_s(self):
        return 77

    def utc_s(self):
        return 200000077

    def set_clock(self, utc_s):
        self._asked.append(utc_s)

    def settings_changed(self):
        self._asked.append("settings")

    def identify(self):
        self._asked.append("identify")

    def begin_calibration(self):
        self._asked.append("calibrate")
        return len(self._asked) % 2 == 0

    def cancel_calibration(self):
        self._asked.append("cancel")

    def calibration_status(self):
        return 2

    def mark(self):
        self._asked.append("mark")

    def wipe(self):
        self._asked.append("wipe")

    def maintenance(self):
        return False

    def raw(self, minutes):
        return 60 * minutes if minutes < 9 else -1

    def raw_left_s(self):
        return 5


class Desk(sending.Sending):
    """The half of the link that reads and sends, as a list of what was sent."""

    def __init__(self, handler):
        self._handler = handler
        self._frame = bytearray(256)
        self._fetching = 0
        self._acted_id = -1
        self._tested_id = -1
        self._nonce = self._nonce_done = bytes(4)
        self.live = False
        self.sent = []

    def _send(self, kind, request_id, size):
        self.sent.append((kind, request_id, bytes(self._frame[BODY : BODY + size])))
        return True


held = journal.Journal((Bank(), Bank()), some_bytes)
held.load()
fields = records.new_session_fields()
for walk in range(4):
    fields[records.S_WEAR_S] = 300 + walk
    fields[records.S_START_UTC_S] = 200000000 + 9000 * walk
    held.append(fields, None, walk + 1)
    held.commit(200000000 + 9000 * walk, 50 + walk, True)
desk = Desk(Handler(held))
digest = Digest("answers", 2000)
for request_id in range(400):
    kind = 1 + chance.below(17)
    if kind in (wire.HELLO, wire.SELFTEST):  # the one is answered by `link`, the other needs a device
        continue
    frame = bytearray(40)
    for k in range(BODY, 40):
        frame[k] = chance.below(256) if chance.below(3) else 0
    if kind == wire.SETTINGS_SET:
        frame[BODY] = 1 + chance.below(2)
        for k in range(2):
            frame[BODY + 1 + 5 * k] = chance.below(32)
            frame[BODY + 2 + 5 * k] = chance.below(60)
            frame[BODY + 3 + 5 * k] = frame[BODY + 4 + 5 * k] = frame[BODY + 5 + 5 * k] = 0
    if kind == wire.FETCH:
        frame[BODY] = chance.below(6)
        frame[BODY + 1] = frame[BODY + 3] = 0
    desk._kind = kind
    desk._request_id = request_id // 2
    size = desk._dispatch(kind, frame, chance.below(40))
    if size >= 0:
        desk._send(kind | wire.REPLY, request_id // 2, size)
    while desk._fetching:
        desk._fetch_next()
    for told, number, body in desk.sent:
        digest.add(told)
        digest.add(number)
        for byte in body:
            digest.add(byte)
    desk.sent.clear()
digest.tell()
print(desk._handler._asked)
print(list(held.settings.values), held.acked_seq, held.count)
