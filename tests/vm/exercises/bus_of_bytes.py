"""A motion sensor of bytes, just enough for `hw.imu` and Adafruit's driver to start, that gives bursts from a vector.

It answers reads from a register file, and the FIFO's registers from a row of samples, without allocating: what is
measured around it is then the firmware's own. Both chips; the simulator's virtual chips are the ones that are true to
the datasheet, but they need CPython.
"""

from kit import samples

WHO_AM_I = 0x0F
CTRL3_C = 0x12
LEVEL = 0x3A


class BusOfBytes:
    """The surface of `busio.I2C` that driver and firmware use.

    :param bool tagged: an LSM6DSOX (tagged FIFO words), else an LSM6DS3TR-C
    :param str name: the vector whose counts come out of the FIFO
    """

    def __init__(self, tagged, name):
        self.registers = bytearray(128)
        self.registers[WHO_AM_I] = 0x6C if tagged else 0x6A
        self.registers[CTRL3_C] = 0x04
        self.tagged = tagged
        self.counts = samples(name)
        self.n_samples = len(self.counts) // 6
        self.next = 0  # the sample that the FIFO gives next
        self.level = 0  # samples waiting
        self.half = 0  # 1 when a tagged sample's gyroscope word has been read and its accelerometer word has not
        self.locked = False

    def try_lock(self):
        self.locked = True
        return True

    def unlock(self):
        self.locked = False

    def deinit(self):
        pass

    def more(self, n):
        """Let `n` samples gather in the FIFO; False at the vector's end."""
        if self.next + self.level + n > self.n_samples:
            return False
        self.level += n
        return True

    def writeto(self, address, buffer, *, start=0, end=None):
        if end is None:
            end = len(buffer)
        if end - start >= 2:
            value = buffer[start + 1]
            register = buffer[start]
            if register == CTRL3_C:
                value &= 0xFE  # SW_RESET clears itself
            self.registers[register] = value

    def writeto_then_readfrom(
        self, address, out_buffer, in_buffer, *, out_start=0, out_end=None, in_start=0, in_end=None
    ):
        if in_end is None:
            in_end = len(in_buffer)
        register = out_buffer[out_start]
        if register == WHO_AM_I:
            # Output registers of a sensor that feels are never still.
            self.registers[0x28] = (self.registers[0x28] * 5 + 37) & 0xFF
        if register == LEVEL:
            words = self.level * 2 - self.half if self.tagged else self.level * 6
            self.registers[LEVEL] = words & 0xFF
            self.registers[LEVEL + 1] = words >> 8
            self.registers[LEVEL + 2] = 0
            self.registers[LEVEL + 3] = 0
        if self.tagged and register == 0x78:
            self._tagged_into(in_buffer, in_start, in_end)
        elif not self.tagged and register == 0x3E:
            self._plain_into(in_buffer, in_start, in_end)
        else:
            for i in range(in_end - in_start):
                in_buffer[in_start + i] = self.registers[register + i]

    def _plain_into(self, buf, start, end):
        # Gx Gy Gz Ax Ay Az into an array of words.
        counts = self.counts
        while start + 6 <= end:
            at = self.next * 6
            for axis in range(6):
                buf[start] = counts[at + (axis + 3) % 6]
                start += 1
            self.next += 1
            self.level -= 1

    def _tagged_into(self, buf, start, end):
        # A tag byte (sensor << 3 | slot << 1) and three words; gyroscope, then accelerometer.
        counts = self.counts
        half = self.half
        while start + 7 <= end:
            at = self.next * 6 + (0 if half else 3)
            buf[start] = (2 if half else 1) << 3 | (self.next & 3) << 1
            for axis in range(3):
                value = counts[at + axis]
                buf[start + 1 + 2 * axis] = value & 0xFF
                buf[start + 2 + 2 * axis] = (value >> 8) & 0xFF
            start += 7
            if half:
                self.next += 1
                self.level -= 1
            half ^= 1
        self.half = half
