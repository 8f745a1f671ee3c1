"""Does this device judge as the same firmware does on the desk? A made-up walk with a known answer, and its own files.

`SelfTest` runs 44 s of counts through a chain of its own: walking, a lean of 20 degrees that is buzzed, the recovery, a
deep bend, standing. The counts come from integers alone, so that every machine makes the same ones. Its digest is eight
bytes: CRC-32 of the events, then CRC-32 of the state at each tick. Two machines with the same files give the same.

`SourceDigest` goes over the files of a `walktall` folder: CRC-32 of names and contents, then the number of their bytes
and of the files. It tells one version from another; it is no proof against somebody who means harm.

Both go in small steps, for a device has a sensor to look after meanwhile. Neither is imported before a host asks.
"""

import os
from struct import pack, pack_into

from . import events as e
from .chain import Chain
from .limits import Settings
from .packing import crc32

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


# Of `records`; private, so that they fold: tests/test_house_rules.py holds them to it.
_S_FW_VERSION = const(51)

_SECOND = const(52)
SAMPLES = const(44 * 52)
# What happens, by sample number.
_LEAN_FROM = const(12 * 52)
_LEAN_TO = const(28 * 52)
_BEND_FROM = const(33 * 52)
_BEND_TO = const(36 * 52)
_STAND_FROM = const(39 * 52)
# A lean of 20 degrees within a second, a bend of 45 within 3/4: sine and cosine (Q14) of a sample's turn, its rate.
_LEAN_SAMPLES = const(52)
_LEAN_SIN = const(110)
_LEAN_COS = const(16384)
_LEAN_COUNTS = const(1143)
_BEND_SAMPLES = const(39)
_BEND_SIN = const(330)
_BEND_COS = const(16381)
_BEND_COUNTS = const(3429)
_STRIDE = const(56)  # samples: two steps, 111 a minute
_G = const(8197)

#: Modules that no board needs: they may be missing on its drive.
HOST_ONLY = ("meanings.py", "records.py", "retrace.py", "settings.py", "wire.py")
_CHUNK = const(1024)


def _triangle(phase, period):
    """A triangle wave from -period/4 to period/4."""
    phase %= period
    half = period >> 1
    return phase - (half >> 1) if phase < half else half + (half >> 1) - phase


class Vector:
    """The made-up walk, sample by sample: `step`, then `ax` ... `wz`. +y is up and +z forward."""

    def __init__(self):
        self.n = 0
        self.ax = self.ay = self.az = 0
        self.wx = self.wy = self.wz = 0
        self._sin = 0
        self._cos = 16384
        self._random = 1

    def _noise(self):
        # Wichmann & Hill (1982), one of their three generators: products stay below 2^23.
        self._random = 171 * self._random % 30269
        return (self._random >> 7 & 63) - 32

    def _turn(self, sin, cos):
        a = (self._sin * cos + self._cos * sin) >> 14
        self._cos = (self._cos * cos - self._sin * sin) >> 14
        self._sin = a

    def step(self):
        """Make the next sample."""
        n = self.n
        self.n = n + 1
        rate = 0
        if _LEAN_FROM <= n < _LEAN_FROM + _LEAN_SAMPLES:
            rate = _LEAN_COUNTS
            self._turn(_LEAN_SIN, _LEAN_COS)
        elif _LEAN_TO <= n < _LEAN_TO + _LEAN_SAMPLES:
            rate = -_LEAN_COUNTS
            self._turn(-_LEAN_SIN, _LEAN_COS)
        elif _BEND_FROM <= n < _BEND_FROM + _BEND_SAMPLES:
            rate = _BEND_COUNTS
            self._turn(_BEND_SIN, _BEND_COS)
        elif _BEND_TO <= n < _BEND_TO + _BEND_SAMPLES:
            rate = -_BEND_COUNTS
            self._turn(-_BEND_SIN, _BEND_COS)
        elif n == _LEAN_TO + _LEAN_SAMPLES or n == _BEND_TO + _BEND_SAMPLES:
            self._sin = 0
            self._cos = 16384
        up = _G
        ahead = 0
        side = 0
        turn = 0
        if n < _STAND_FROM:
            up += 320 * _triangle(n, _STRIDE >> 1)
            ahead = 130 * _triangle(n + 7, _STRIDE >> 1)
            side = 45 * _triangle(n, _STRIDE)
            turn = 90 * _triangle(n + 14, _STRIDE)
        self.ax = side + self._noise()
        self.ay = ((up * self._cos + ahead * self._sin) >> 14) + self._noise()
        self.az = ((ahead * self._cos - up * self._sin) >> 14) + self._noise()
        self.wx = rate + self._noise()
        self.wy = turn + self._noise()
        self.wz = (turn >> 1) + self._noise()


class SelfTest:
    """One run: `step` until it is True, then `vector_digest` and `passed`."""

    def __init__(self):
        self._vector = Vector()
        self._chain = Chain(Settings())
        self._chain.session.start(1, 1, 0, 0, 0)
        self._chain.set_upright(0, _G, 0, 0, 0, 0, 90)
        self._row = bytearray(44)
        self._seen = 0
        self._events = 0
        self._state = 0
        #: It was buzzed, and the recovery was seen.
        self.passed = False
        self.vector_digest = bytes(8)

    def step(self):
        """Run a quarter of a second of the walk; True when it is over."""
        vector = self._vector
        chain = self._chain
        if vector.n >= SAMPLES:
            return True
        for _ in range(e.TICK_SAMPLES):
            vector.step()
            chain.sample(vector.ax, vector.ay, vector.az, vector.wx, vector.wy, vector.wz)
        self._look(chain)
        if vector.n < SAMPLES:
            return False
        chain.session.finish(0, 0)
        fields = chain.session.fields
        for index in range(len(fields)):
            if index != _S_FW_VERSION:  # a new number alone makes no other detector
                pack_into("<i", self._row, 0, fields[index])
                self._state = crc32(self._row, self._state)
        both = 1 << e.BUZZ | 1 << e.RECOVERED
        self.passed = self._seen & both == both
        self.vector_digest = pack("<II", self._events, self._state)
        return True

    def _look(self, chain):
        row = self._row
        ring = chain.ring
        while ring.take():
            self._seen |= 1 << ring.code
            pack_into("<iiiiii", row, 0, ring.sample, ring.code, ring.fault, ring.label, ring.value, chain.buzz_request)
            self._events = crc32(row, self._events)
        chain.buzz_request = 0
        detector = chain.detector
        forward = detector.forward
        gait = chain.gait
        _, gy, gz = chain.tilt.g
        pitch_cdeg = detector.pitch_cdeg
        roll_cdeg = detector.roll_cdeg
        second_class = detector.second_class
        offset_cdeg = detector.walk_offset_cdeg
        pack_into("<iiiiii", row, 0, pitch_cdeg, roll_cdeg, second_class, gait.steps, gait.cadence_spm, gy)
        pack_into("<iiiiii", row, 20, gy, gz, forward.timer, forward.sum_cdeg, forward.margin, offset_cdeg)
        self._state = crc32(row, self._state)


class SourceDigest:
    """One walk over the files: `step` until it is True, then `digest` (zeros where they cannot be read).

    :param str folder: of the package `walktall`, on a board `/lib/walktall`
    """

    def __init__(self, folder):
        self._folder = folder
        self._names = None
        self._file = None
        self._chunk = bytearray(_CHUNK)
        self._crc = 0
        self._bytes = 0
        self._at = 0 if folder else -1
        self.digest = bytes(8)

    def _list(self):
        names = []
        for inner in ("", "hw/"):
            for name in os.listdir(self._folder + "/" + inner):
                # A drive that a Mac has written holds files of its own beside ours.
                if name.endswith(".py") and name[0] != "." and name not in HOST_ONLY:
                    names.append(inner + name)
        self._names = sorted(names)

    def step(self):
        """Read a KiB; True when all is read, or cannot be."""
        try:
            return self._step()
        except OSError:
            self.close()
            self._at = -1
            return True

    def _step(self):
        if self._at < 0:
            return True
        if self._names is None:
            self._list()
            return False
        if self._file is None:
            if self._at == len(self._names):
                self.digest = pack("<II", self._crc, self._bytes & 0xFFFFFF | (self._at & 0xFF) << 24)
                return True
            name = self._names[self._at]
            self._file = open(self._folder + "/" + name, "rb")
            self._crc = crc32(name.encode() + b"\0", self._crc)
            return False
        n = self._file.readinto(self._chunk)
        if n:
            self._crc = crc32(memoryview(self._chunk)[:n], self._crc)
            self._bytes += n
            return False
        self.close()
        self._at += 1
        return False

    def close(self):
        """Let go of a file that is open."""
        if self._file is not None:
            self._file.close()
            self._file = None


def vector_digest():
    """The eight bytes that a device with these very files answers; for hosts and tests."""
    test = SelfTest()
    while not test.step():
        pass
    return test.vector_digest


def source_digest(folder):
    """The eight bytes of a `walktall` folder; zeros where it cannot be read."""
    digest = SourceDigest(folder)
    while not digest.step():
        pass
    return digest.digest
