"""Bytes to and from a clip: a serial port, a pty or a socket, all by pyserial's ``serial_for_url``.

It turns the many ways in which a port can fail to open or break into the few errors that a walker can act upon. It
knows no frames (``client`` does) and does not search for ports (``ports`` does).
"""

import errno
import os
import re
import sys
import time
import urllib.parse
from types import TracebackType
from typing import Protocol

import serial

from .errors import BadInput, ConnectionLost, NoDevice, NoSuchPort, PortForbidden, PortTaken
from .terminal import safe

# USB serial has no bit rate of its own; the figure only matters behind a real UART.
_BAUD = 115200
_WRITE_TIMEOUT_S = 2.0
# How long one read waits for the first byte: short, so that Ctrl-C is felt at once on every system.
_READ_SLICE_S = 0.05


class Port(Protocol):
    """What the client needs of a port; tests hand in one that lives in memory."""

    @property
    def name(self) -> str:
        """How the walker knows it."""

    def read(self, timeout_s: float) -> bytes:
        """What has come, waiting for the first byte at most so long; empty when nothing came.

        :raises ConnectionLost: the port broke
        """

    def write(self, data: bytes) -> None:
        """Send all of it.

        :raises ConnectionLost: the port broke, or takes nothing
        """

    def close(self) -> None:
        """Give the port back; never raises."""


class SerialPort:
    """A port that is open, by pyserial."""

    def __init__(self, name: str) -> None:
        """Open it.

        :param name: a device path, ``COM7``, ``socket://HOST:PORT`` or another URL that pyserial knows
        :raises NoDevice: it cannot be opened, and why
        :raises BadInput: the name is none
        """
        self._name = name
        try:
            self._serial = serial.serial_for_url(name, do_not_open=True)
            self._serial.baudrate = _BAUD
            self._serial.timeout = _READ_SLICE_S
            self._serial.write_timeout = _WRITE_TIMEOUT_S
            if sys.platform != "win32" and "://" not in name:  # Windows opens exclusively anyway
                self._serial.exclusive = True
            self._serial.open()
            # Old bytes in the buffers belong to whoever had the port before.
            self._serial.reset_input_buffer()
        except (OSError, ValueError, AttributeError, TypeError) as fault:
            raise _why_not_open(name, fault) from fault

    @property
    def name(self) -> str:
        return self._name

    def read(self, timeout_s: float) -> bytes:
        end_s = time.monotonic() + timeout_s
        try:
            while True:
                data = bytes(self._serial.read(max(1, self._serial.in_waiting)))
                if data or time.monotonic() >= end_s:
                    return data
        except (OSError, TypeError) as fault:  # TypeError: pyserial, when the port is closed under it
            raise ConnectionLost(f"the connection on {safe(self._name)} broke off") from fault

    def write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except serial.SerialTimeoutException as fault:
            raise ConnectionLost(f"what is on {safe(self._name)} takes no data") from fault
        except (OSError, TypeError) as fault:
            raise ConnectionLost(f"the connection on {safe(self._name)} broke off") from fault

    def close(self) -> None:
        try:
            self._serial.close()
        except (OSError, TypeError):
            pass  # it is gone already: nothing to give back

    def __enter__(self) -> "SerialPort":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _errno_of(fault: BaseException) -> int:
    """The system's error number behind pyserial's exception, 0 where there is none."""
    number = getattr(fault, "errno", None)
    if isinstance(number, int):
        return number
    # Windows and the socket handler tell it in the text alone: "PermissionError(13, ...", "[Errno 111] ...".
    found = re.search(r"(?:Error\(|\[Errno )(\d+)", str(fault))
    return int(found.group(1)) if found else 0


def _why_not_open(name: str, fault: Exception) -> Exception:
    """The error that tells the walker why the port did not open, and what helps."""
    shown = safe(name)
    number = _errno_of(fault)
    if name.startswith("socket://"):
        if not _is_socket_url(name):
            return BadInput(f"{shown}: write it as socket://HOST:PORT, for example socket://localhost:7700")
        return NoSuchPort(f"nobody answers at {shown}: is the other program running, and is the port right?")
    if isinstance(fault, ValueError) and "://" in name:
        return BadInput(f"{shown}: this kind of port is not known; a device path or socket://HOST:PORT is")
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV) or (sys.platform == "win32" and number == 2):
        return NoSuchPort(f"there is no port {shown}: 'walktall ports' lists those that are there")
    if sys.platform == "win32" and number in (5, errno.EACCES):
        return PortTaken(f"{shown} is in use by another program: close it (a serial monitor, an editor) and try again")
    if number in (errno.EACCES, errno.EPERM):
        return PortForbidden(f"you may not open {shown}{_who_may(name)}")
    if number in (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK):
        program = _who_locks(name) or _who_holds(name)
        if program == "ModemManager":
            return PortTaken(
                f"{shown} is in use by ModemManager for half a minute: wait; the rule that 'walktall ports --udev' "
                "prints keeps it away"
            )
        which = f"by {safe(program)}" if program else "by another program"
        return PortTaken(f"{shown} is in use {which}: close it (a serial monitor, an editor) and try again")
    if os.path.exists(name):
        return BadInput(f"{shown} is not a serial port")
    return NoDevice(f"{shown} cannot be opened: {safe(str(fault).splitlines()[0] if str(fault) else 'unknown reason')}")


def _is_socket_url(name: str) -> bool:
    """True for ``socket://HOST:PORT``."""
    try:
        parts = urllib.parse.urlsplit(name)
        return bool(parts.hostname) and parts.port is not None
    except ValueError:  # a port that is no number
        return False


def _who_may(name: str) -> str:
    """On systems with groups: which group may open the port, and how to join it."""
    if sys.platform != "linux":
        return ": another user's?"
    import grp

    try:
        group = grp.getgrgid(os.stat(name).st_gid).gr_name
    except (OSError, KeyError):
        return ""
    if group == "root":
        return ": only root may"
    join = f"'sudo usermod -aG {safe(group)} $USER', then log in again"
    return f": group '{safe(group)}' may; {join}; or the rule that 'walktall ports --udev' prints"


def _who_locks(name: str) -> str:
    """On Linux: the program that locked the port, as this tool does too; '' where none did.

    Another may have it open besides: the one that made a virtual clip's port.
    """
    try:
        at = os.stat(name)
        wanted = f"{os.major(at.st_dev):02x}:{os.minor(at.st_dev):02x}:{at.st_ino}"
        with open("/proc/locks", encoding="ascii", errors="replace") as file:
            for line in file:
                # 1: FLOCK  ADVISORY  WRITE 2764 00:18:5 0 EOF
                words = line.split()
                if len(words) > 5 and words[1] == "FLOCK" and words[5] == wanted and int(words[4]) != os.getpid():
                    return _name_of(words[4])
    except (OSError, ValueError, AttributeError):
        pass
    return ""


def _name_of(process: str) -> str:
    with open(f"/proc/{process}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().strip()


def _who_holds(name: str) -> str:
    """On Linux: the program that has the port open, as far as this user may see; '' where it is not known."""
    try:
        wanted = os.path.realpath(name)
        for entry in os.scandir("/proc"):
            if entry.name.isdigit() and int(entry.name) != os.getpid() and _has_open(entry.path, wanted):
                return _name_of(entry.name)
    except OSError:
        pass
    return ""


def _has_open(process: str, wanted: str) -> bool:
    """Whether a process holds a file."""
    try:
        return any(os.readlink(f"{process}/fd/{fd}") == wanted for fd in os.listdir(f"{process}/fd"))
    except OSError:  # another user's process, or one that has just ended
        return False
