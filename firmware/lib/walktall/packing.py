"""Bytes out of fields and fields out of bytes, little endian without padding, sealed by CRC-32.

Names and units of fields are no part of it: what needs them (:mod:`walktall.records`, :mod:`walktall.wire`) runs on the
host alone.
"""

from array import array
from binascii import crc32
from struct import pack_into, unpack_from

try:
    from micropython import const
except ImportError:

    def const(value):
        """The value itself: CPython folds nothing."""
        return value


_INT_MAX = const(0x7FFFFFFF)  # array('i') holds no more; no field needs more
_TYPES = "bhiBHTIst"
_WIDTHS = b"\1\2\4\1\2\3\4"
_UNSIGNED = const(3)  # from here on in _TYPES
_BYTES = const(7)  # index of 's'
_TEXT = const(8)


class Table:
    """Fields ready to be packed and unpacked, for records and for messages alike.

    :param str codes: one word for each field: a width, B b H h I i as in ``struct``, T for three bytes unsigned, with
        ``*10`` behind it where the packed integer counts tens of the unit; ``8s`` is eight raw bytes and ``32t`` UTF-8
        text, both padded with zeros
    """

    def __init__(self, codes):
        words = codes.split()
        self.count = len(words)
        self.types = bytearray(self.count)
        self.scales = array("h", bytes(2 * self.count))
        self.widths = bytearray(self.count)
        self.size = 0
        #: True when the last ``pack_into`` had to bring a value back to its width.
        self.clipped = False
        for i in range(self.count):
            code = words[i]
            kind = _TYPES.find(code[0])
            if kind < 0:
                kind = _TYPES.index(code[-1])
                width = int(code[:-1])
            else:
                width = _WIDTHS[kind]
                self.scales[i] = int(code[2:] or 1)
            self.types[i] = kind
            self.widths[i] = width
            self.size += width

    def new_values(self):
        """A list of zeros, empty bytes and empty texts, one for each field, for ``unpack_into`` to fill."""
        return [self._empty(i) for i in range(self.count)]

    def _empty(self, i):
        kind = self.types[i]
        if kind < _BYTES:
            return 0
        return "" if kind == _TEXT else b""

    def fitting(self, size):
        """How many whole fields from the first lie in ``size`` bytes: a later version of a message only appends."""
        for i in range(self.count):
            size -= self.widths[i]
            if size < 0:
                return i
        return self.count

    def bounds(self, i):
        """Least and greatest value, in the field's unit, that field ``i`` holds; (0, 0) for bytes."""
        kind = self.types[i]
        if kind >= _BYTES:
            return 0, 0
        bits = 8 * self.widths[i]
        scale = self.scales[i]
        if kind < _UNSIGNED:
            half = 1 << (bits - 1)
            return -half * scale, (half - 1) * scale
        if bits == 32:
            return 0, _INT_MAX
        return 0, ((1 << bits) - 1) * scale

    def pack_into(self, buf, offset, values, count=None):
        """Offset behind the first ``count`` values (all of them by default), packed into ``buf``.

        A value beyond its width is packed as the nearest that fits, and ``clipped`` says so: a full counter must
        never be an exception on a walker's collar. Bytes that are too long are cut.
        """
        if count is None:
            count = self.count
        self.clipped = False
        for i in range(count):
            width = self.widths[i]
            if self.types[i] >= _BYTES:
                raw = values[i]
                if isinstance(raw, str):
                    raw = raw.encode()
                n = min(len(raw), width)
                for k in range(width):
                    buf[offset + k] = raw[k] if k < n else 0
            else:
                value = values[i]
                low, high = self.bounds(i)
                if value < low or value > high:
                    value = low if value < low else high
                    self.clipped = True
                if self.scales[i] > 1:  # to the nearest step, halves away from zero
                    half = self.scales[i] >> 1
                    if value >= 0:
                        value = min(value + half, high) // self.scales[i]
                    else:
                        value = -(min(half - value, -low) // self.scales[i])
                for k in range(width):
                    buf[offset + k] = (value >> (8 * k)) & 0xFF
            offset += width
        return offset

    def unpack_into(self, buf, offset, values, count=None):
        """Offset behind the first ``count`` values read into ``values``; -1 when ``buf`` ends before, or a value is
        wider than 31 bits. Values behind ``count`` become 0 (or empty)."""
        if count is None:
            count = self.count
        for i in range(self.count):
            kind = self.types[i]
            width = self.widths[i]
            if i >= count:
                values[i] = self._empty(i)
                continue
            if offset + width > len(buf):
                return -1
            if kind >= _BYTES:
                raw = bytes(buf[offset : offset + width])
                values[i] = _text(raw) if kind == _TEXT else raw
            else:
                value = 0
                for k in range(width):
                    value |= buf[offset + k] << (8 * k)
                if kind < _UNSIGNED and value >> (8 * width - 1):
                    value -= 1 << (8 * width)
                if value > _INT_MAX:
                    return -1
                values[i] = value * self.scales[i]
            offset += width
        return offset


def _text(raw):
    """The text before the first zero; characters outside ASCII as ``?``: board and chip names have none."""
    text = ""
    for byte in raw:
        if byte == 0:
            break
        text += chr(byte) if 32 <= byte < 127 else "?"
    return text


def crc(buf, offset, size):
    """CRC-32 (IEEE 802.3, as ``binascii`` and zlib have it) of ``size`` bytes, 0..2^32-1."""
    return crc32(memoryview(buf)[offset : offset + size])


def seal_into(buf, offset, size):
    """Offset behind the CRC-32 put, least byte first, behind ``size`` bytes: so are records, banks and frames
    sealed."""
    end = offset + size
    pack_into("<I", buf, end, crc(buf, offset, size))
    return end + 4


def sealed(buf, offset, size):
    """True where ``size`` bytes and the four behind them agree as :func:`seal_into` made them."""
    end = offset + size
    return end + 4 <= len(buf) and unpack_from("<I", buf, end)[0] == crc(buf, offset, size)
