"""hw.imu against a sensor of a few registers: what is drained from its FIFO, and what that costs in heap."""

import gc

from kit import Chance, Digest

from walktall.hw.imu import Imu

TRC = 0x6A
SOX = 0x6C


class Sensor:
    """Registers as memory, and a FIFO that makes its words as they are read. Reading allocates nothing."""

    def __init__(self, identity):
        self.identity = identity
        self.registers = bytearray(128)
        self.registers[0x0F] = identity
        self.level = 0
        self.n_out = 0
        self.word = 0
        self.chance = Chance(identity)
        self.data = 0x3E if identity == TRC else 0x78

    def offer(self, n_words):
        self.level += n_words

    def value(self):
        return self.chance.below(16384) ^ (self.chance.below(16384) << 2)

    def byte(self, position):
        """The next byte of the FIFO."""
        if self.identity == TRC:
            low_byte = position % 2 == 0
        elif position % 7 == 0:
            sensor = 1 + self.n_out % 2
            slot = self.n_out // 2 % 4
            return sensor << 3 | slot << 1
        else:
            low_byte = position % 7 % 2 == 1
        if low_byte:
            self.word = self.value()
            return self.word & 0xFF
        if self.identity == TRC or position % 7 == 6:
            self.level -= 1
            self.n_out += 1
        return self.word >> 8

    # The surface of busio.I2C.

    def try_lock(self):
        return True

    def unlock(self):
        pass

    def deinit(self):
        pass

    def writeto(self, address, buffer, *, start=0, end=None):
        if len(buffer) == 2 and buffer[0] != 0x0F:
            self.registers[buffer[0]] = buffer[1] & (0xFE if buffer[0] == 0x12 else 0xFF)

    def writeto_then_readfrom(
        self, address, out_buffer, in_buffer, *, out_start=0, out_end=None, in_start=0, in_end=None
    ):
        register = out_buffer[out_start]
        if in_end is None:
            in_end = len(in_buffer)
        registers = self.registers
        registers[0x3A] = self.level & 0xFF
        registers[0x3B] = self.level >> 8
        registers[0x3C] = self.n_out % 6
        for i in range(in_end - in_start):
            if register == self.data and self.identity == TRC:  # into an array of words
                in_buffer[in_start + i] = (self.byte(0) | self.byte(1) << 8 ^ 0x8000) - 0x8000
            elif register == self.data:
                in_buffer[in_start + i] = self.byte(i)
            else:
                in_buffer[in_start + i] = registers[register + i]

    # The surface of I2CDevice.

    def write_then_readinto(self, out_buffer, in_buffer, *, in_end):
        self.writeto_then_readfrom(0, out_buffer, in_buffer, in_end=in_end)

    def write(self, buffer):
        self.writeto(0, buffer)


class Driver:
    """As much of Adafruit's driver as hw.imu asks for."""

    def __init__(self, bus, address):
        self.i2c_device = bus
        self._bus = bus

    def _set(self, register, mask, value):
        self._bus.registers[register] = self._bus.registers[register] & ~mask | value

    accelerometer_range = gyro_range = accelerometer_data_rate = gyro_data_rate = 0


def no_sleep(seconds):
    pass


def make(identity, drivers=(Driver, Driver)):
    sensor = Sensor(identity)
    imu = Imu(lambda: sensor, sleep=no_sleep, drivers=drivers)
    imu.start()
    return sensor, imu


for identity in (TRC, SOX):
    sensor, imu = make(identity)
    per_sample = 6 if identity == TRC else 2
    digest = Digest("imu %x" % identity)
    chance = Chance(3)
    total = 0
    for _ in range(40):
        sensor.offer(per_sample * chance.below(50))
        while True:
            n = imu.drain()
            if not n:
                break
            for i in range(6 * n):
                digest.add(imu.counts[i])
            total += n
    digest.tell()
    print(total, imu.overrun, imu.n_bad_words)
    # While the motor plays: values that move, stand still, stand at their end, are nothing; a setting that was lost.
    told = []
    for value in (1, 2, 2, 3, 0x7FFF, 0x7FFE, 0x8000, 0x7FFF, 0, 5):
        sensor.registers[0x2A] = value & 0xFF
        sensor.registers[0x2B] = value >> 8
        told.append(imu.glance())
    sensor.registers[0x10] ^= 8
    told.append(imu.glance())
    sensor.registers[0x10] ^= 8
    sensor.registers[0x22] = 1
    told.append(imu.glance())
    print(told)
    # Waiting for motion: what is written, and what is told of stillness, motion, values that stand still, a reset.
    imu.doze()
    told = []
    for look in range(12):
        sensor.registers[0x28] = look if look < 8 else 8
        sensor.registers[0x1B] = 8 if look == 4 else 0
        told.append(imu.moved())
    sensor.registers[0x15] = 0
    told.append(imu.moved())
    print(told, [(hex(k), sensor.registers[k]) for k in range(128) if sensor.registers[k]])
    imu.wake()
    imu.restart_fifo()
    print(imu.check(), [(hex(k), sensor.registers[k]) for k in range(0x3A) if sensor.registers[k]])


def drains(identity, drivers=(Driver, Driver)):
    """Bytes of heap that bursts of every size and the checks in between take. Called on the device's machine only."""
    sensor, imu = make(identity, drivers)
    per_sample = 6 if identity == TRC else 2
    worst = 0
    for n in range(40):
        sensor.offer(per_sample * n)
        before = gc.mem_alloc()
        imu.drain()
        imu.drain()
        imu.check()
        after = gc.mem_alloc()
        worst = max(worst, after - before)
    for n in range(10):
        sensor.registers[0x28] = n
        before = gc.mem_alloc()
        imu.glance()
        after = gc.mem_alloc()
        worst = max(worst, after - before)
    imu.doze()
    for n in range(10):
        sensor.registers[0x28] = n
        before = gc.mem_alloc()
        imu.moved()
        after = gc.mem_alloc()
        worst = max(worst, after - before)
    print("heap", worst)


def adafruit(identity):
    """The same, with the unmodified Adafruit driver between."""
    from adafruit_lsm6ds.lsm6ds3trc import LSM6DS3TRC
    from adafruit_lsm6ds.lsm6dsox import LSM6DSOX

    drains(identity, (LSM6DS3TRC, LSM6DSOX))
