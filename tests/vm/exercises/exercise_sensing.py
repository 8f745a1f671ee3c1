from array import array

from kit import Chance, Digest, samples
from parts import Bank, Clock, Motor, NoPort, some_bytes
from walktall.device import Device

chance = Chance(5)
vector = samples("walk")
n_vector = len(vector) // 6


class Imu:
    """Hands over what lies in the FIFO, as much as chance has it; fails, overruns and dozes when told to."""

    who_am_i = 0x6A

    def __init__(self):
        self.counts = array("h", bytearray(2 * 6 * 33))
        self.overrun = False
        self.read_at = 0
        self.held = 0
        self.failing = 0
        self._told = []

    def start(self):
        if self.failing:
            raise OSError(19)
        self.held = 0

    def power_cycle(self):
        self._told.append("cycle")
        self.start()

    def check(self):
        return self.failing != 2

    def glance(self):
        if self.failing == 1:
            raise OSError(5)
        return 1 if not self.failing else -1

    def doze(self):
        self._told.append("doze")

    def moved(self):
        return chance.below(8) == 0

    def wake(self):
        self._told.append("wake")

    def restart_fifo(self):
        self.held = 0

    def switch_off(self):
        pass

    def drain(self):
        if self.failing == 1:
            raise OSError(5)
        n = min(32, self.held)
        self.held -= n
        for k in range(n):
            at = 6 * (self.read_at % n_vector)
            for i in range(6):
                self.counts[6 * k + i] = vector[at + i]
            self.read_at += 1
        return n


clock = Clock(2000)
imu = Imu()
device = Device(imu, Motor(), (Bank(), Bank()), NoPort(), clock.ticks_ms, random_bytes=some_bytes)
device.chain.set_upright(0, 8190, 60, 60, 20, -10, 90)
device.settings.set("doze_s", 5)
device.chain.configure(device.settings)
digest = Digest("sensing", 500)
due = 0
for _ in range(6000):
    wait = min(device.wait_ms() or 1, 300)
    if chance.below(400) == 0:
        wait = 7000  # nobody looked for longer than the FIFO holds
        imu.overrun = True
    clock.advance(wait)
    due += 52 * wait
    imu.held = min(341, imu.held + due // 1000)
    due %= 1000
    if chance.below(300) == 0:
        imu.failing = chance.below(4)
    elif imu.failing and chance.below(9) == 0:
        imu.failing = 0
    if chance.below(250) == 0:
        device._play(chance.below(5) + 1)
    device.poll()
    for figure in (device.chain.n_samples, device._gap, device._owed, device._dozing, device._duty_u16):
        digest.add(figure)
digest.tell()
print(imu._told, device.errors, device.last_error, device.sensor_ok, device.uptime_s(), list(device.session.fields))
