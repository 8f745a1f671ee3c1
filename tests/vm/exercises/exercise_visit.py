from kit import Chance, Digest
from parts import Bank, Clock, File, Motor, Nobody, NoPort, no_sleep, some_bytes
from walktall import wire
from walktall.device import Device
from walktall.hw.imu import Imu

chance = Chance(77)


class Port(NoPort):
    """A computer that comes and goes."""

    def __init__(self):
        self.connected = False
        self.to_device = bytearray()
        self.from_device = bytearray()

    @property
    def in_waiting(self):
        return len(self.to_device)

    def readinto(self, buf):
        n = min(len(buf), len(self.to_device))
        for i in range(n):
            buf[i] = self.to_device[i]
        self.to_device = self.to_device[n:]
        return n

    def write(self, buf):
        self.from_device.extend(buf)
        return len(buf)


class Driver:
    """Sets nothing: the chip is nobody."""

    def __init__(self, bus, address):
        pass


clock = Clock(1000)
port = Port()
device = Device(
    Imu(Nobody, sleep=no_sleep, drivers=(Driver, Driver)),
    Motor(),
    (Bank(), Bank()),
    port,
    clock.ticks_ms,
    random_bytes=some_bytes,
    trace_file=File(1024),
    may_restart=True,
    board_name="exercise",
    drive_kib=(2000, 700),
)
digest = Digest("visit", 2000)


def turns(n, ms):
    for _ in range(n):
        clock.advance(ms)
        device.poll()


for visit in range(8):
    port.connected = True
    turns(7, 20)
    assert device.visit is not None
    for kind, body in (
        (wire.HELLO, b""),
        (wire.CLOCK, (200000000 + visit).to_bytes(4, "little")),
        (wire.SETTINGS_SET, wire.pack_settings(((22, visit % 6), (17, 5 + visit)))),
        (wire.LIVE, b"\x01"),
        (wire.IDENTIFY, b""),
        (wire.CALIBRATE, b"\x01"),
        (wire.CALIBRATE, b"\x02"),
        (wire.MARK, b""),
        (wire.RAW, bytes((chance.below(3),))),
        (wire.RAW, b"\xff"),
        (wire.FETCH_TRACE, bytes(8)),
        (wire.MAINTENANCE, b""),
    ):
        port.to_device.extend(wire.encode(kind, 20 * visit + kind, body))
        turns(20, 35)
    device.visit.push_live()
    turns(2, 20)
    port.connected = False
    turns(40 + 400 * (visit % 2), 30)
    print(visit, device.visit is None, len(port.from_device), device.errors, device.last_error, device.restart_wanted)
    for byte in port.from_device:
        digest.add(byte)
    port.from_device = bytearray()
digest.tell()
print(device.utc_s(), list(device.settings.values), list(device.journal.calibration))
