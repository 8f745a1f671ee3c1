"""The two places where the journal lives, each written whole: a page of ``microcontroller.nvm``, or part of a file.

Neither write is atomic: power lost in the middle leaves a torn bank. The journal writes them by turns, so that the
other one is whole. What is done here is to keep them apart: no write of one bank ever erases a sector that the other
lies in.

A bank has ``size``, ``read_into(offset, buf)`` and ``write(buf)``.
"""

try:
    from micropython import const
except ImportError:

    def const(value):
        """MicroPython folds it, CPython does not know it."""
        return value


PAGE_SIZE = const(4096)
BLOCK_SIZE = const(512)
# Wherever a file of three sectors lies, its middle third shares no sector with another file.
FILE_SIZE = const(12288)

# Slices of nvm cost heap; this much at a time.
_CHUNK = const(64)


class NvmBank:
    """A 4 KiB page of ``microcontroller.nvm``; on nRF each of the two is erased and rewritten by itself.

    :param nvm: ``microcontroller.nvm``
    :param int page: 0 or 1
    """

    def __init__(self, nvm, page):
        self.size = PAGE_SIZE
        self._nvm = nvm
        self._start = page * PAGE_SIZE
        if self._start + PAGE_SIZE > len(nvm):
            raise ValueError("nvm has no page " + str(page))

    def read_into(self, offset, buf):
        """Fill ``buf`` from ``offset`` on."""
        start = self._start + offset
        n = len(buf)
        i = 0
        while i < n:
            step = n - i
            if step > _CHUNK:
                step = _CHUNK
            buf[i : i + step] = self._nvm[start + i : start + i + step]
            i += step

    def write(self, buf):
        """Write ``buf`` from the page's start on: one assignment, one erase.

        :raises ValueError: larger than the page
        """
        if len(buf) > PAGE_SIZE:
            raise ValueError("bank is full")
        self._nvm[self._start : self._start + len(buf)] = buf


class FileBank:
    """The middle 4 KiB of a file of 12 KiB that was laid out beforehand, in a subdirectory, and is held open.

    Saving a file in the drive's root, or letting the directory be rewritten, can wipe the drive when the power fails:
    so the file is never flushed, closed or grown, and only whole aligned blocks are written. Reading back afterwards
    makes the RP2040 write its cache at once and not a second later.

    :param str path: of a file that ``create_file`` has made
    :param open_file: as ``open``
    :raises OSError: there is no such file, or it is too short
    """

    def __init__(self, path, open_file=open):
        self.size = PAGE_SIZE
        self._file = open_file(path, "r+b")
        self._block = bytearray(BLOCK_SIZE)
        if self._file.seek(0, 2) < FILE_SIZE:
            raise OSError(22)  # EINVAL: not ours

    def read_into(self, offset, buf):
        """Fill ``buf`` from ``offset`` on."""
        self._file.seek(PAGE_SIZE + offset)
        self._file.readinto(buf)

    def write(self, buf):
        """Write ``buf`` from the bank's start on, padded with FF to whole blocks, in one call.

        :raises ValueError: larger than the bank
        """
        n = len(buf)
        if n > PAGE_SIZE:
            raise ValueError("bank is full")
        rest = n % BLOCK_SIZE
        if rest:
            # One write call is one erase on the RP2040: the padding has to go with the rest.
            padded = bytearray(b"\xff") * (n + BLOCK_SIZE - rest)
            padded[:n] = buf
            buf = padded
        self._file.seek(PAGE_SIZE)
        self._file.write(buf)
        self._file.seek(PAGE_SIZE)
        self._file.readinto(self._block)


def create_file(path, open_file=open, size=FILE_SIZE, begun=0, each=None):
    """Lay out a file of FF: that of a ``FileBank``, or the trace's.

    It writes the directory, so do it at the first start or in maintenance and not when worn. The directory is told
    every 64 KiB: of a layout that the power ends, that much is there, and it can go on.

    :param str path: in a subdirectory, not in the drive's root
    :param int size: whole pages
    :param int begun: bytes that are there already, whole pages; what they hold stays
    :param each: called with each page, or None
    """
    # A page at a time: on the RP2040 each call ends in an erase.
    page = bytearray(b"\xff") * PAGE_SIZE
    with open_file(path, "ab" if begun else "wb") as file:
        for k in range((size - begun) // PAGE_SIZE):
            file.write(page)
            if k & 15 == 15:
                file.flush()
            if each is not None:
                each()
