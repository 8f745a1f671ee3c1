"""Duck parts for `Device` on both interpreters: motor, banks, port, button. They allocate nothing while polled."""


class Clock:
    """Milliseconds that somebody else moves on."""

    def __init__(self, now_ms):
        self.now_ms = now_ms

    def ticks_ms(self):
        return self.now_ms

    def advance(self, ms):
        self.now_ms = (self.now_ms + ms) & 0x1FFFFFFF


class Motor:
    """Counts its edges."""

    def __init__(self):
        self.duty = 0
        self.edges = 0

    @property
    def duty_u16(self):
        return self.duty

    @duty_u16.setter
    def duty_u16(self, value):
        if value != self.duty:
            self.edges += 1
        self.duty = value


class File:
    """A trace's file in memory, of `blocks` blocks."""

    def __init__(self, blocks):
        self.data = bytearray(blocks * 512)
        for k in range(len(self.data)):
            self.data[k] = 0xFF
        self.at = 0

    def seek(self, offset, whence=0):
        self.at = len(self.data) if whence == 2 else offset
        return self.at

    def readinto(self, buf):
        at = self.at
        for k in range(len(buf)):
            buf[k] = self.data[at + k]
        self.at = at + len(buf)
        return len(buf)

    def write(self, buf):
        at = self.at
        for k in range(len(buf)):
            self.data[at + k] = buf[k]
        self.at = at + len(buf)
        return len(buf)


class Nobody:
    """A bus with a chip that answers its name and zeros."""

    def try_lock(self):
        return True

    def unlock(self):
        pass

    def deinit(self):
        pass

    def writeto(self, address, buffer, *, start=0, end=None):
        pass

    def writeto_then_readfrom(self, address, out, into, *, out_start=0, out_end=None, in_start=0, in_end=None):
        for i in range(in_start, len(into) if in_end is None else in_end):
            into[i] = 0
        if out[out_start] == 0x0F:
            into[in_start] = 0x6A


class Bank:
    """Memory of a bank; counts its writes."""

    def __init__(self, size=4096):
        self.size = size
        self.data = bytearray(size)
        self.writes = 0

    def read_into(self, offset, buf):
        for i in range(len(buf)):
            buf[i] = self.data[offset + i]

    def write(self, buf):
        self.writes += 1
        for i in range(len(buf)):
            self.data[i] = buf[i]


class NoPort:
    """Nobody is there."""

    connected = False
    in_waiting = 0

    def readinto(self, buf):
        return 0

    def write(self, buf):
        return 0


class Button:
    def __init__(self):
        self.pressed = False


def some_bytes(n):
    """As `os.urandom`, but always the same."""
    return bytes([7 * i + 1 for i in range(n)])


def no_sleep(seconds):
    pass
