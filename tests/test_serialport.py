"""The virtual serial port: in memory, on a pty, on a socket, and what can happen to bytes on their way."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest
import serial
from walktall_sim.clock import VirtualClock
from walktall_sim.serialport import BUFFER_BYTES, Fault, MemoryPort, PtyPort, TcpPort


class Echo:
    """A device that sends back what it gets, one turn a millisecond."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.port = MemoryPort(self.clock, self.turn)
        self.waiting = bytearray()
        self.got = bytearray()
        self.deaf = False

    def turn(self) -> None:
        self.clock.advance_us(1000)
        if self.deaf:
            return
        buf = bytearray(64)
        n = self.port.readinto(buf)
        self.got += buf[:n]
        self.waiting += buf[:n]
        sent = self.port.write(bytes(self.waiting[:64]))
        del self.waiting[:sent]


def opened() -> Echo:
    echo = Echo()
    echo.port.host.open()
    return echo


def test_bytes_go_through_both_ways() -> None:
    echo = opened()
    data = bytes(range(256)) * 20
    done = bytearray()
    for i in range(0, len(data), 500):
        echo.port.host.write(data[i : i + 500])
        done += echo.port.host.read(500)
    assert bytes(done) == data
    assert echo.port.connected


def test_a_read_waits_for_its_time_out_on_the_boards_clock_and_not_on_the_wall() -> None:
    echo = opened()
    echo.deaf = True
    echo.port.host.timeout = 3.0
    wall = time.monotonic()
    assert echo.port.host.read(10) == b""
    assert 3_000_000 <= echo.clock.now_us < 3_010_000
    assert time.monotonic() - wall < 1


def test_a_device_that_takes_nothing_makes_the_write_time_out() -> None:
    echo = opened()
    echo.deaf = True
    with pytest.raises(serial.SerialTimeoutException):
        echo.port.host.write(bytes(BUFFER_BYTES + 1))


def test_the_devices_write_takes_no_more_than_its_buffer_holds() -> None:
    echo = opened()
    assert echo.port.write(bytes(3000)) == BUFFER_BYTES
    assert echo.port.write(b"x") == 0
    echo.port.host.read(10)
    assert echo.port.write(bytes(100)) == 10


def test_without_dtr_bytes_are_taken_and_the_oldest_overwritten() -> None:
    echo = Echo()
    assert not echo.port.connected
    assert echo.port.write(b"a" * 1000) == 1000
    assert echo.port.write(b"b" * 1000) == 1000
    echo.port.host.open()
    echo.deaf = True
    assert echo.port.host.read(2000) == b"a" * 24 + b"b" * 1000


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("drop", b"abdef"), ("duplicate", b"abccdef"), ("corrupt", b"ab\x9cdef"), ("delay", b"abcdef")],
)
@pytest.mark.parametrize("direction", ["to_device", "to_host"])
def test_a_fault_strikes_the_byte_that_it_was_planned_for(direction: str, kind: str, expected: bytes) -> None:
    echo = opened()
    echo.port.inject(Fault(direction, 2, kind))  # type: ignore[arg-type]
    echo.port.host.write(b"abcdef")
    echo.port.host.timeout = 0.5
    assert echo.port.host.read(10) == expected
    assert bytes(echo.got) == (expected if direction == "to_device" else b"abcdef")


def test_a_delayed_byte_holds_back_all_behind_it_and_nothing_before() -> None:
    echo = opened()
    echo.port.inject(Fault("to_host", 2, "delay", delay_us=300_000))
    echo.port.host.write(b"abcdef")
    echo.port.host.timeout = 0.1
    assert echo.port.host.read(10) == b"ab"
    echo.port.host.write(b"gh")
    echo.port.host.timeout = 0.5
    assert echo.port.host.read(10) == b"cdefgh"


@pytest.mark.parametrize("direction", ["to_device", "to_host"])
def test_a_cut_ends_the_connection_until_the_cable_is_put_in_again(direction: str) -> None:
    echo = opened()
    echo.port.inject(Fault(direction, 3, "cut"))  # type: ignore[arg-type]
    with pytest.raises(serial.SerialException):
        echo.port.host.write(b"abcdef")
        echo.port.host.read(10)
    assert not echo.port.connected
    echo.port.plug()
    echo.got.clear()
    echo.waiting.clear()
    echo.port.host.open()
    echo.port.host.write(b"again")
    assert echo.port.host.read(5) == b"again"


def test_an_unplugged_cable_is_an_error_for_the_host_and_no_connection_for_the_device() -> None:
    echo = opened()
    echo.port.write(b"lost")
    echo.port.unplug()
    assert not echo.port.connected
    with pytest.raises(serial.SerialException):
        echo.port.host.read(1)
    with pytest.raises(serial.SerialException):
        echo.port.host.open()


def test_a_lossy_line_is_the_same_for_the_same_seed() -> None:
    outcomes = []
    for seed in (4, 4, 5):
        echo = opened()
        echo.port.be_lossy(seed, drop=0.05, duplicate=0.05, corrupt=0.05)
        echo.port.host.timeout = 0.2
        done = bytearray()
        for _ in range(10):
            echo.port.host.write(bytes(100))
            done += echo.port.host.read(200)
        outcomes.append(bytes(done))
    assert outcomes[0] == outcomes[1] != outcomes[2]
    assert outcomes[0] != bytes(1000)


def test_a_wait_that_nobody_would_end_is_an_error() -> None:
    port = MemoryPort(VirtualClock())
    port.host.open()
    port.host.timeout = None
    with pytest.raises(serial.SerialException, match="for ever"):
        port.host.read(1)


def exchange(port: PtyPort | TcpPort, host: serial.SerialBase, out: bytes) -> bytes:
    """Send ``out`` to the device, which echoes it, and read it back."""
    host.write(out)
    buf = bytearray(64)
    back = bytearray()
    waiting = bytearray()
    deadline = time.monotonic() + 5
    while len(back) < len(out) and time.monotonic() < deadline:
        n = port.readinto(buf)
        waiting += buf[:n]
        sent = port.write(bytes(waiting))
        del waiting[:sent]
        back += host.read(len(out) - len(back))
    return bytes(back)


def test_a_pty_carries_every_byte_value_and_survives_the_host_closing() -> None:
    with PtyPort() as port:
        for _ in range(2):
            with serial.Serial(port.path, timeout=0.02) as host:
                assert exchange(port, host, bytes(range(256))) == bytes(range(256))
            assert port.in_waiting == 0


def test_a_pty_takes_what_its_buffer_holds_and_never_waits() -> None:
    with PtyPort() as port:
        taken = 0
        for _ in range(200):
            taken += port.write(bytes(1000))
        assert 0 < taken < 200_000


def test_the_link_to_a_pty_comes_and_goes_with_it(tmp_path: Path) -> None:
    link = tmp_path / "clip"
    link.symlink_to("/dev/null")
    with PtyPort(link) as port:
        assert os.readlink(link) == port.path
    assert not link.is_symlink()
    plain = tmp_path / "file"
    plain.write_text("mine")
    with pytest.raises(OSError):
        PtyPort(plain)
    assert plain.read_text() == "mine"


def test_a_socket_serves_one_client_after_the_other() -> None:
    with TcpPort() as port:
        assert not port.connected
        for _ in range(2):
            with serial.serial_for_url(port.path, timeout=0.02) as host:
                time.sleep(0.02)
                assert port.connected
                assert exchange(port, host, bytes(range(256))) == bytes(range(256))
            time.sleep(0.02)
            assert not port.connected
            assert port.write(b"nobody") == 6


def test_a_taken_tcp_port_is_one_clear_error() -> None:
    with TcpPort() as port, pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port.port}"):
        TcpPort(port.port)
    with pytest.raises(OSError, match="cannot listen"):
        TcpPort(99999)


def test_a_fault_cuts_a_socket_for_real() -> None:
    with TcpPort() as port:
        client = socket.create_connection((port.host, port.port))
        client.settimeout(2)
        time.sleep(0.02)
        assert port.connected
        port.inject(Fault("to_host", 3, "cut"))
        port.write(b"abcdef")
        got = b""
        while piece := client.recv(10):
            got += piece
        assert got == b"abc"[: len(got)]
        assert not port.connected
        client.close()
