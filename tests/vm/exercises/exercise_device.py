from array import array

from kit import Chance, Digest, samples
from parts import Bank, Button, Clock, Motor, NoPort, some_bytes
from walktall import events
from walktall import limits as settings
from walktall.device import Device

chance = Chance(16)


class Imu:
    """Samples of a vector as time passes; fails when told to."""

    def __init__(self, name, clock):
        self.vector = samples(name)
        self.n = len(self.vector) // 6
        self.clock = clock
        self.counts = array("h", bytearray(2 * 6 * 32))
        self.overrun = False
        self.read_at = 0
        self.fed_ms = 0
        self.failing = 0
        self.starts = 0
        self.dozes = 0
        self.looks = 0

    def start(self):
        self.starts += 1
        if self.failing:
            raise OSError(19)

    def stop(self):
        pass

    def power_cycle(self):
        self.start()

    def check(self):
        return self.failing == 0

    def glance(self):
        if self.failing:
            raise OSError(5)
        return 1

    def feed(self, passed_ms):
        """Time passes; the FIFO holds what is due."""
        self.fed_ms += passed_ms

    def doze(self):
        if self.failing:
            raise OSError(5)
        self.dozes += 1
        self.looks = 0

    def moved(self):
        if self.failing:
            raise OSError(5)
        self.looks += 1
        self.read_at = self.fed_ms * 52 // 1000
        return 1 if self.looks > 3 else 0

    def wake(self):
        pass

    def restart_fifo(self):
        self.read_at = self.fed_ms * 52 // 1000

    def drain(self):
        if self.failing:
            raise OSError(5)
        due = self.fed_ms * 52 // 1000
        n = min(32, due - self.read_at, self.n - self.read_at)
        if n <= 0:
            return 0
        for i in range(6 * n):
            self.counts[i] = self.vector[6 * self.read_at + i]
        self.read_at += n
        return n


def run(name, changes, meddle):
    clock = Clock((1 << 29) - 40000)  # it wraps within the walk
    imu = Imu(name, clock)
    motor = Motor()
    banks = (Bank(), Bank())
    button = Button()
    held = settings.Settings()
    for key, value in changes:
        held.set(key, value)
    device = Device(imu, motor, banks, NoPort(), clock.ticks_ms, held, button=button, random_bytes=some_bytes)
    device.chain.set_upright(0, 8190, 60, 60, 20, -10, 90)
    digest = Digest("device", 400)
    duty = motor.duty
    polls = 0
    naps = [0]

    def sleep(seconds):
        # The button's script moves on with time, as the pin does.
        wait = int(seconds * 1000 + 0.5)
        naps[0] += 1
        clock.advance(wait)
        imu.feed(wait)
        if press[0] > 0:
            press[0] -= wait
            button.pressed = press[0] % 250 > 120

    press = [0]
    while imu.read_at < imu.n and polls < 20000:
        polls += 1
        device.rest(sleep)
        if naps[0] == 0 or device.wait_ms() == 0:
            sleep(0.001)
        if meddle:
            if press[0] <= 0 and chance.below(300) == 0:
                press[0] = 120 + 250 * chance.below(4)
            if chance.below(500) == 0:
                imu.failing = 12
            if imu.failing:
                imu.failing -= 1
                imu.read_at = imu.fed_ms * 52 // 1000  # nothing gathers while it is away
        device.poll()
        if motor.duty != duty:
            duty = motor.duty
            print(clock.now_ms, duty)
        while device.ring.take():
            ring = device.ring
            print(ring.sample, events.NAMES[ring.code], ring.fault, ring.label, ring.value)
        if polls % 10 == 0:
            digest.add(device.chain.n_samples)
            digest.add(device.chain.detector.pitch_cdeg)
            digest.add(device.uptime_s())
    digest.tell()
    print(device.end_session(), device.errors, device.last_error, imu.starts, banks[0].writes, banks[1].writes)
    print(polls, naps[0], imu.dozes, list(device.session.fields))


run("walk", (("spacing_s", 0),), False)
run("walk", (("hold_s", 5), ("spacing_s", 0)), True)
run("walk", (("doze_s", 2),), False)
