"""Time of the pipeline, its parts and a poll, beside a reading by Adafruit's driver: processor time of this machine.

`step` is called from outside, once for each round: it runs all parts in turn and prints for each its name and the
microseconds of one. What takes less than another machine's whole minute says nothing; ratios of one run do. Transfers
are left out: the bus copies bytes that stand ready, and the time of the very same calls is taken off by `bench.device`.
"""

import gc
from array import array

import js
from adafruit_lsm6ds.lsm6ds3trc import LSM6DS3TRC
from kit import fifo, samples
from parts import Bank, Clock, Motor, NoPort, no_sleep, some_bytes
from walktall import events
from walktall import limits as settings
from walktall.chain import Chain
from walktall.device import Device
from walktall.gait import Gait
from walktall.hw.imu import Imu
from walktall.motion import take, views_of
from walktall.supply import Supply
from walktall.tilt import Tilt

BURST = 13
N_BURSTS = 400  # 100 s: standing, walking, a lean that buzzes, walking
N_READINGS = 600
N_SECONDS = 60
N_LABELS = 3
N_DOZED = 20
usage = js.process.cpuUsage


def now_us():
    u = usage()
    return u.user + u.system


counts = fifo(samples("walk"))
n_samples = N_BURSTS * BURST
STILL_FROM = 2  # of the bursts: nobody walks before the 20th
STILL_TO = 18


def burst(first):
    """The FIFO's words of 13 samples."""
    return array("h", counts[first * 6 : (first + BURST) * 6])


bursts = [burst(k * BURST) for k in range(N_BURSTS)]
views = [views_of(words) for words in bursts]
level = bytes((6 * BURST, 0, 0, 0))


class ReadyBus:
    """A bus whose bytes stand ready. Locking is built in, as on a board."""

    def __init__(self):
        self.registers = bytearray(128)
        self.registers[0x0F] = 0x6A
        self.registers[0x12] = 0x04
        self.next = 0
        self.begin = 0
        self.end = N_BURSTS
        self.try_lock = "1".isdigit  # True
        self.unlock = [].clear

    def deinit(self):
        pass

    def writeto(self, address, buffer, *, start=0, end=None):
        if len(buffer) >= 2:
            self.registers[buffer[0]] = buffer[1] & 0xFE if buffer[0] == 0x12 else buffer[1]

    def writeto_then_readfrom(self, address, out, into, *, out_start=0, out_end=None, in_start=0, in_end=None):
        register = out[0]
        if register == 0x3E:
            into[in_start:in_end] = bursts[self.next]
            self.next += 1
            if self.next >= self.end:
                self.next = self.begin
        elif register == 0x3A:
            into[in_start:in_end] = level
        else:
            self.registers[0x28] = self.registers[0x28] + 1 & 0xFF  # an accelerometer's values never stand still
            into[in_start:in_end] = self.registers[register : register + in_end - in_start]


def make_chain():
    chain = Chain(settings.Settings())
    chain.session.start(1, 1, 0, 0, 4000)
    chain.set_upright(0, 8197, 0, 0, 0, 0, 90)
    return chain


bus = ReadyBus()
imu = Imu(lambda: bus, sleep=no_sleep)
imu.start()
driver = LSM6DS3TRC(bus)
register = bytearray(1)
status = bytearray(4)
words = array("h", bytes(12 * BURST))
six = bytearray(7)


def reading():
    got = None
    begin = now_us()
    for _ in range(N_READINGS):
        got = driver.acceleration
        got = driver.gyro
    took = (now_us() - begin) / N_READINGS
    return took if got else 0


def transfer(register_address, buf, n, repeats):
    """Microseconds of one transfer's own calls."""
    register[0] = register_address
    begin = now_us()
    for _ in range(repeats):
        bus.try_lock()
        bus.writeto_then_readfrom(0x6A, register, buf, out_start=0, out_end=1, in_start=0, in_end=n)
        bus.unlock()
    return (now_us() - begin) / repeats


def reading_bus():
    return 2 * transfer(0x28, six, 6, N_READINGS)


def drain_bus():
    """Of one sample: status and burst."""
    return (transfer(0x3A, status, 4, N_BURSTS) + transfer(0x3E, words, 6 * BURST, N_BURSTS)) / BURST


def drain():
    bus.next = 0
    begin = now_us()
    for _ in range(N_BURSTS):
        imu.drain()
    return (now_us() - begin) / n_samples


def run(chain):
    bus.next = 0
    samples = views_of(imu.counts)
    begin = now_us()
    for _ in range(N_BURSTS):
        n = imu.drain()
        at = 0
        while n:
            taken = chain.burst(samples, at, n)
            at += taken
            n -= taken
        if chain.buzz_request:
            chain.buzz_request = 0
    return (now_us() - begin) / n_samples


def pipeline():
    """FIFO's bytes to events: decode, tilt, gait, ticks and seconds."""
    return run(make_chain())


def motion():
    """Gravity and gait of samples, nothing judged."""
    tilt = Tilt()
    tilt.seed(0, 8197, 0)
    gait = Gait()
    gait.still = 0
    begin = now_us()
    for k in range(N_BURSTS):
        take(tilt, gait, views[k], 0, BURST, 1)
        tilt.drop_tick()  # as each tick does: sums that only grow would soon be no small ints
    return (now_us() - begin) / n_samples


def believe():
    supply = Supply()
    begin = now_us()
    for k in range(N_BURSTS):
        supply.believe(counts, 6 * BURST * k, BURST)
    return (now_us() - begin) / n_samples


# At the buzz: what the detector knew when it had to label.
at_buzz = make_chain()
for k in range(N_BURSTS):
    at_buzz.burst(views[k], 0, BURST)
    if at_buzz.buzz_request:
        break


def samples_alone():
    """The pipeline with its ticks left out: what they gather is thrown away."""
    chain = make_chain()
    tilt = chain.tilt
    gait = chain.gait

    gait.still = 0

    def forget():
        tilt.drop_tick()
        return 0

    chain._tick = forget
    return run(chain)


def label():
    begin = now_us()
    for _ in range(N_LABELS):
        at_buzz.detector._label()
    return (now_us() - begin) / N_LABELS


clock = Clock(1000)
clip_bus = ReadyBus()
clip = Device(
    Imu(lambda: clip_bus, sleep=no_sleep), Motor(), (Bank(), Bank()), NoPort(), clock.ticks_ms, random_bytes=some_bytes
)
clip.poll()
clip.chain.set_upright(0, 8197, 0, 0, 0, 0, 90)


naps = Clock(1000)
nap_bus = ReadyBus()
nap_bus.begin = nap_bus.next = STILL_FROM
nap_bus.end = STILL_TO
napper = Device(
    Imu(lambda: nap_bus, sleep=no_sleep), Motor(), (Bank(), Bank()), NoPort(), naps.ticks_ms, random_bytes=some_bytes
)
napper.poll()
napper.chain.set_upright(0, 8197, 0, 0, 0, 0, 90)
while not napper._dozing and napper.uptime_s() < 300:
    naps.advance(napper.wait_ms() or 1)
    napper.poll()


def turns(begin, end):
    """Microseconds of a turn of the device with a burst of 13 samples, from `begin` to `end` of the walk, again and
    again. Turns while the motor runs are not counted."""
    clip_bus.begin = begin
    clip_bus.end = end
    clip_bus.next = begin
    total = 0
    n = 0
    while n < N_BURSTS // 4:
        clock.advance(clip.wait_ms() or 1)  # as the loop does: a burst that is looked at too early would be a gap
        before = clip.chain.n_samples
        begin = now_us()
        clip.poll()
        took = now_us() - begin
        if clip.chain.n_samples == before + BURST:
            total += took
            n += 1
    return total / n


def poll():
    return turns(0, N_BURSTS)


def poll_still():
    return turns(STILL_FROM, STILL_TO)


def poll_clock():
    """What reading the processor's time itself takes, in `poll`."""
    total = 0
    for _ in range(200):
        begin = now_us()
        total += now_us() - begin
    return total / 200


def doze_second():
    """A second in which nobody walks and the sensor waits for motion by itself, turns and all."""
    end_s = napper.uptime_s() + N_DOZED
    begin = now_us()
    while napper.uptime_s() < end_s:
        naps.advance(napper.wait_ms() or 1)
        napper.poll()
    return (now_us() - begin) / N_DOZED


def second():
    """What the device and the session do once a second."""
    session = clip.session
    begin = now_us()
    for _ in range(N_SECONDS):
        clip._each_second(clock.now_ms)
        session.second(events.CLASS_GOOD, 300, -100, 112, 1, session.fields[0])
    return (now_us() - begin) / N_SECONDS


PARTS = (
    reading,
    reading_bus,
    pipeline,
    drain,
    drain_bus,
    motion,
    believe,
    samples_alone,
    poll,
    poll_still,
    poll_clock,
    doze_second,
    second,
    label,
)


def step():
    for part in PARTS:
        print(part.__name__, part())
    gc.collect()
