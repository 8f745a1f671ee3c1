"""A few bytes that outlive a reset but not a loss of power: why it restarted, how often, and what was asked for.

They lie in `alarm.sleep_memory`. On nRF52840 and RP2040 alike that is RAM which the start-up code does not clear, held
valid by a magic number (CircuitPython, `ports/{nordic,raspberrypi}/common-hal/alarm/SleepMemory.c`; its documentation
says the same): a software reset, a watchdog's and a reload leave it as it was; power taken away clears it.
`microcontroller.nvm` would also do, at the price of an erase of a journal's page a restart, and a crash loop would wear
it out.

    byte  0    1    2        3        4            5           6            7
          'W'  't'  safe     crashes  flags        error code  last reason  sum of 0..6, complemented

flags: bit 0 a maintenance boot was asked for, bit 1 the watchdog runs (on nRF a software reset does not stop it).

A brown-out may leave noise there, so a wrong sum counts as "nothing is known" and everything starts at 0.
"""

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


_SAFE = const(2)
_CRASHES = const(3)
_FLAGS = const(4)
_F_MAINTENANCE = const(1)
_F_WATCHDOG = const(2)
_ERROR = const(5)
_REASON = const(6)
_SUM = const(7)
_SIZE = const(8)

#: What the error code stands for: 0 for none, 1 for whatever is not among them.
ERROR_NAMES = (
    "",
    "Exception",
    "MemoryError",
    "OSError",
    "RuntimeError",
    "ValueError",
    "TypeError",
    "AttributeError",
    "NameError",
    "IndexError",
    "KeyError",
    "ImportError",
    "SyntaxError",
    "ZeroDivisionError",
    "OverflowError",
    "NotImplementedError",
    "AssertionError",
)

# After this many unbroken restarts the device stays where it is: something is wrong that a restart does not mend.
SAFE_RESETS_MAX = const(5)
CRASHES_MAX = const(5)


class Retained:
    """
    :param memory: `alarm.sleep_memory`, or any bytes-like that can be written; None keeps nothing beyond this run
    """

    def __init__(self, memory=None):
        self._memory = memory
        self._bytes = bytearray(_SIZE)
        if memory is not None:
            for index in range(_SIZE):
                self._bytes[index] = memory[index]
        if self._bytes[0] != 0x57 or self._bytes[1] != 0x74 or self._bytes[_SUM] != self._sum():
            for index in range(_SIZE):
                self._bytes[index] = 0
            self._bytes[0] = 0x57
            self._bytes[1] = 0x74
            self._save()

    def _sum(self):
        total = 0
        for index in range(_SUM):
            total += self._bytes[index]
        return ~total & 0xFF

    def _save(self):
        self._bytes[_SUM] = self._sum()
        if self._memory is not None:
            # Byte by byte: a slice would do the same and cost heap.
            for index in range(_SIZE):
                self._memory[index] = self._bytes[index]

    def _count(self, index):
        if self._bytes[index] < 255:
            self._bytes[index] += 1
        self._save()
        return self._bytes[index]

    @property
    def safe_resets(self):
        """Resets out of safe mode since the device last ran well."""
        return self._bytes[_SAFE]

    @property
    def crashes(self):
        """Exceptions that reached `code.py` since the device last ran well."""
        return self._bytes[_CRASHES]

    @property
    def crash_loop(self):
        """True when it crashed so often that nothing may be written to flash any more."""
        return self._bytes[_CRASHES] >= CRASHES_MAX

    @property
    def error(self):
        """Name of the last exception, empty when there was none."""
        code = self._bytes[_ERROR]
        return ERROR_NAMES[code] if code < len(ERROR_NAMES) else ERROR_NAMES[1]

    @property
    def reason(self):
        """Why safe mode was last entered, as `safemode.py` numbers it; 0 when it was not."""
        return self._bytes[_REASON]

    def note_safe_mode(self, reason):
        """Count a reset out of safe mode; how many there were, this one included."""
        self._bytes[_REASON] = reason & 0xFF
        return self._count(_SAFE)

    def note_crash(self, fault):
        """Count an exception that reached `code.py`; how many there were."""
        name = type(fault).__name__
        self._bytes[_ERROR] = ERROR_NAMES.index(name) if name in ERROR_NAMES else 1
        return self._count(_CRASHES)

    def note_well(self):
        """It has run well for a while: the counters of restarts start again; the last error stays to be asked for."""
        if self._bytes[_SAFE] or self._bytes[_CRASHES]:
            self._bytes[_SAFE] = 0
            self._bytes[_CRASHES] = 0
            self._save()

    def ask_maintenance(self):
        """The next boot, and only that, gives the drive to the computer."""
        self._flag(_F_MAINTENANCE, True)

    def take_maintenance(self):
        """True once when a maintenance boot was asked for."""
        asked = self._bytes[_FLAGS] & _F_MAINTENANCE != 0
        self._flag(_F_MAINTENANCE, False)
        return asked

    @property
    def watchdog(self):
        """True when the watchdog was started and has not been stopped since by a reset that stops it."""
        return self._bytes[_FLAGS] & _F_WATCHDOG != 0

    def note_watchdog(self, runs):
        """Remember whether the watchdog runs."""
        self._flag(_F_WATCHDOG, runs)

    def _flag(self, bit, on):
        flags = self._bytes[_FLAGS] | bit if on else self._bytes[_FLAGS] & ~bit
        if flags != self._bytes[_FLAGS]:
            self._bytes[_FLAGS] = flags
            self._save()
