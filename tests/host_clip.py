"""A clip for the host's tests: the device's own link and journal behind a port in memory, a socket or a pty.

The protocol is not written a second time here: bytes go to and come from :class:`tests.desk_device.Desk`.
"""

import contextlib
import os
import select
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from functools import cache

from walktall_host.errors import ConnectionLost
from walktall_host.store import Store

from tests.desk_device import Desk


@cache
def _empty_store() -> bytes:
    with Store(None) as store:
        return bytes(store._db.serialize())


def store_in_memory() -> Store:
    """An empty store, as `Store(None)` makes one, in a tenth of the time: a copy of one."""
    store = Store.__new__(Store)
    store.path = None
    store._db = sqlite3.connect(":memory:", isolation_level=None)
    store._db.deserialize(_empty_store())
    store._db.execute("PRAGMA foreign_keys = ON")
    return store


class DirectPort:
    """The host's end of a port whose other end is a desk device, polled while the host reads.

    :param mangle: what the line does to the bytes that the clip sends
    """

    def __init__(self, desk: Desk, mangle: Callable[[bytes], bytes] = bytes) -> None:
        self.desk = desk
        self.name = "memory"
        self.mangle = mangle
        #: Bytes of the clip that still come through before the line breaks; None = all.
        self.breaks_after: int | None = None
        self.sent = bytearray()
        self.received = 0
        self.closed = False

    def read(self, timeout_s: float) -> bytes:
        for _ in range(30):
            self.desk.poll()
            if self.desk.port.from_device:
                break
        data = self.mangle(bytes(self.desk.port.from_device))
        self.desk.port.from_device.clear()
        if self.breaks_after is not None:
            if self.breaks_after <= 0:
                raise ConnectionLost("the line is cut")
            data = data[: self.breaks_after]
            self.breaks_after -= len(data)
        self.received += len(data)
        return data

    def write(self, data: bytes) -> None:
        self.sent += data
        self.desk.port.to_device += data

    def close(self) -> None:
        self.closed = True


class FakeTime:
    """Monotonic time that passes by itself, a little each time somebody looks: time-outs need no waiting."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        self.s += 0.05
        return self.s


@contextlib.contextmanager
def on_socket(desk: Desk) -> Iterator[str]:
    """The desk device on a TCP port of this machine; yields ``socket://...``."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.02)

    def run() -> None:
        while not stop.is_set():
            try:
                peer, _ = listener.accept()
            except TimeoutError:
                continue
            with peer, contextlib.suppress(OSError):
                desk.port.connected = True
                serve(desk, peer.fileno(), stop)
            desk.port.connected = False
            desk.link.poll(desk.now_ms)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"socket://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        thread.join()
        listener.close()


@contextlib.contextmanager
def on_pty(desk: Desk) -> Iterator[str]:
    """The desk device on a pty; yields the path that the host opens."""
    import tty

    stop = threading.Event()
    master, slave = os.openpty()
    tty.setraw(slave)
    # The slave end stays open here: else the master reads EIO whenever the host closes.
    thread = threading.Thread(target=serve, args=(desk, master, stop))
    thread.start()
    try:
        yield os.ttyname(slave)
    finally:
        stop.set()
        thread.join()
        os.close(master)
        os.close(slave)


def serve(desk: Desk, fd: int, stop: threading.Event) -> None:
    """Bytes to and fro until told to stop, or the other end closes."""
    while not stop.is_set():
        readable, _, _ = select.select([fd], [], [], 0.002)
        if readable:
            data = os.read(fd, 4096)
            if not data:
                return
            desk.port.to_device += data
        desk.poll(2)
        if desk.port.from_device:
            sent = os.write(fd, desk.port.from_device[:512])
            del desk.port.from_device[:sent]
