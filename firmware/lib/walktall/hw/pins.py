"""Parts that stay for as long as the device runs, around what CircuitPython gives: a button, a bus, what is missing.

They lie apart from `start`, which makes them: a function keeps the whole of its module alive, and `start` is let go.
"""


class NoPort:
    """Stands in where `boot.py` has not made the second serial port."""

    connected = False
    in_waiting = 0

    def readinto(self, buf):
        return 0

    def write(self, buf):
        return 0


class NoBank:
    """A bank that is missing: empty, and refusing. The journal then keeps what it has in memory and says so."""

    size = 4096

    def read_into(self, offset, buf):
        for index in range(len(buf)):
            buf[index] = 0xFF

    def write(self, buf):
        raise OSError(30)  # EROFS


class Opener:
    """Makes the sensor's I2C, anew after each power cycle; or hands out the one that it shares.

    :param make: as ``busio.I2C``
    """

    def __init__(self, make, scl, sda, shared):
        self._make = make
        self._scl = scl
        self._sda = sda
        self._shared = shared

    def open(self):
        """The bus."""
        return self._shared or self._make(self._scl, self._sda, frequency=400000)


class Button:
    """A button to ground."""

    def __init__(self, pin):
        self._pin = pin

    @property
    def pressed(self):
        """True while it is down."""
        return not self._pin.value
