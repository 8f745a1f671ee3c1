"""Motion sensor: raw counts from the FIFO of an LSM6DS3TR-C or an LSM6DSOX, at 52 Hz, +-4 g, +-500 dps.

Adafruit's driver identifies and configures the chip at the first start. What it lacks is here: block data update (it
writes the wrong bit), the FIFO, raw counts, a bound on its wait for the reset, and a way to see that the chip has
quietly lost its settings. Once the chip is known, a restart writes the same registers by itself, so that the driver's
modules can be let go (`walktall.hw.let_go`): they take 12 KiB of heap.

``drain()`` fills ``counts`` with up to ``MAX_SAMPLES`` samples in the order gx gy gz ax ay az and allocates nothing;
call it again until it returns 0. It does not know what time it is: how many samples are missing after ``overrun`` is
for the caller to say, who knows when it last looked. It judges no value either: frozen or saturated samples pass
through.

`doze()` leaves the accelerometer alone on, at 26 Hz in low power, to wait for motion: the chip's wake-up function tells
by WAKE_UP_SRC when two samples in a row differ by more than 62 mg on an axis (its slope filter halves the difference).
`moved()` asks it; `wake()` and, when the gyroscope has settled, `restart_fifo()` lead back. `glance()` is the same look
for while the motor plays a pattern.

Scale: 1 g = 8197 counts (0.122 mg a count), 1 dps = 57.14 counts (17.5 mdps a count): datasheets, table 3.
Registers: ST's ``lsm6ds3tr-c_reg.h``, ``lsm6dsox_reg.h``.
"""

import time
from array import array

try:
    from micropython import const
except ImportError:

    def const(value):
        """MicroPython folds it, CPython does not know it."""
        return value


MAX_SAMPLES = 32

_ADDRESS = const(0x6A)
_ID_TRC = const(0x6A)
_ID_SOX = const(0x6C)

_WHO_AM_I = const(0x0F)
_CTRL1_XL = const(0x10)
_CTRL2_G = const(0x11)
_CTRL3_C = const(0x12)
_FIFO_CTRL = const(0x06)
_FIFO_MODE = const(0x0A)
_FIFO_STATUS = const(0x3A)
_FIFO_DATA_TRC = const(0x3E)

# CTRL1_XL 10h: ODR 0011 (52 Hz), FS 10 (+-4 g). CTRL2_G 11h: ODR 0011, FS 01 (+-500 dps).
# CTRL3_C 12h: BDU (bit 6), IF_INC (bit 2). With WHO_AM_I before them this is what 0Fh..12h must read.
_CTRL1 = const(0x38)
_CTRL2 = const(0x34)
_CTRL3 = const(0x44)
# FIFO_CTRL5 (TR-C) 0Ah: rate 0011 in bits 6:3, mode 110 (continuous). FIFO_CTRL4 (OX) 0Ah: mode 110.
_MODE_TRC = const(0x1E)
_MODE_SOX = const(0x06)
# FIFO_CTRL3: TR-C 08h no decimation (001) for both; OX 09h batch both at 52 Hz (0011).
_BATCH_TRC = const(0x09)
_BATCH_SOX = const(0x33)

# Flags in FIFO_STATUS2 3Bh: overrun is bit 6 in both.
_OVERRUN = const(0x40)
_WORDS_TRC = const(2048)
_NONE = const(4)  # no time slot: TAG_CNT is 0..3

# Waiting for motion: CTRL1_XL 26 Hz, +-2 g; CTRL6_C bit 4 XL_HM_MODE = 1: low power below 104 Hz; WAKE_UP_THS 1 of 64
# parts of 2 g; LIR keeps WU_IA until WAKE_UP_SRC is read. TAP_CFG of the TR-C (58h) and TAP_CFG2 of the OX hold
# INTERRUPTS_ENABLE in bit 7, LIR is bit 0 of 58h there and of TAP_CFG0 (56h) here. No pin is needed. Not seen on
# a board.
_CTRL6_C = const(0x15)
_CTRL1_DOZE = const(0x20)
_CTRL6_DOZE = const(0x10)
_TAP_CFG0_SOX = const(0x56)
_TAP_CFG = const(0x58)
_WAKE_UP_THS = const(0x5B)
_WAKE_UP_DUR = const(0x5C)
_LOOK_BYTES = const(31)  # WHO_AM_I 0Fh .. OUTZ_H_XL 2Dh in one burst
_LOOK_WAKE = const(0x1B - 0x0F)  # WAKE_UP_SRC; WU_IA is bit 3
_LOOK_GYRO = const(0x22 - 0x0F)
_LOOK_ACCEL = const(0x28 - 0x0F)
_STILL_LOOKS = const(3)

# SW_RESET takes 50 us; the poll waits 1 ms a turn.
_RESET_POLLS = const(20)


class Imu:
    """A motion sensor on an I2C bus.

    :param open_bus: returns a ``busio.I2C``; called again after a power cycle, because a bus whose pull-ups were
        switched off with the chip has to be made anew
    :param int address: 0x6A, or 0x6B where SDO is high
    :param power: digital output with ``.value`` that feeds chip and pull-ups, or None
    :param sleep: seconds to wait, as ``time.sleep``
    :param tuple drivers: classes for WHO_AM_I 6A and 6C; Adafruit's if None
    """

    def __init__(self, open_bus, address=_ADDRESS, power=None, sleep=time.sleep, drivers=None):
        self._open_bus = open_bus
        self._address = address
        self._power = power
        self._sleep = sleep
        self._drivers = drivers
        self._bus = None
        self.who_am_i = 0
        #: True when the driver has configured this chip once: it is no longer needed.
        self.known = False
        # One more than is handed out: half a sample may wait behind the last whole one.
        self.counts = array("h", bytes(2 * 6 * (MAX_SAMPLES + 1)))
        self.max_samples = MAX_SAMPLES
        self.overrun = False
        self.n_bad_words = 0
        self._tagged = False
        self._torn = False  # a burst was begun and not brought to its end
        # Standing buffers. The views are cut once: a slice costs heap.
        self._reg = bytearray(1)
        self._two = bytearray(2)
        self._status = bytearray(4)
        self._control = bytearray(5)
        self._words = bytearray()  # the OX's tagged words
        self._drain_tagged = None  # and what reads them: `tagged.drain`
        # Half a sample of the OX waiting for its other half, with its time slot.
        self._slot_gyro = _NONE
        self._slot_accel = _NONE
        self._n_last = 0
        self._look = bytearray(_LOOK_BYTES)
        self._looks_alike = 0
        self._at_end = False  # at the last glance

    def start(self):
        """Find, reset and configure the chip, and start its FIFO.

        :raises OSError: nobody answers, or the bus is stuck
        :raises RuntimeError: another chip, or one that does not come out of its reset
        """
        self.stop()
        self.overrun = False
        if self._power is not None and not self._power.value:
            self._power.value = True
            self._sleep(0.05)
        self._bus = self._open_bus()
        try:
            who_am_i = self._probe()
            if who_am_i != self.who_am_i:
                self.known = False
                self.who_am_i = who_am_i
            self._configure()
        except (OSError, RuntimeError, ValueError):
            self.stop()
            raise

    def stop(self):
        """Close the bus and forget the chip. Safe at any time."""
        bus = self._bus
        self._bus = None
        if bus is not None:
            try:
                bus.unlock()
            except (OSError, ValueError, RuntimeError):
                pass
            bus.deinit()

    def switch_off(self):
        """Let the chip draw as little as can be: its supply off, or, where that is not ours, both sensors powered down.

        :raises OSError: the chip does not answer
        """
        try:
            if self._power is None and self._bus is not None:
                self._write(_CTRL1_XL, 0)
                self._write(_CTRL2_G, 0)
        finally:
            self.stop()
            if self._power is not None:
                self._power.value = False

    def power_cycle(self):
        """Take the chip's power away for 50 ms and start again; without a power pin only start again.

        :raises OSError: as ``start``
        :raises RuntimeError: as ``start``
        """
        self.stop()
        if self._power is not None:
            self._power.value = False
            self._sleep(0.05)
            self._power.value = True
            self._sleep(0.05)
        self.start()

    def _probe(self):
        """WHO_AM_I, after a reset that is known to end.

        The driver polls SW_RESET without a bound, and takes the lock without one: both are tried here first.
        """
        if not self._bus.try_lock():
            raise OSError(16)  # EBUSY
        try:
            self._reg[0] = _WHO_AM_I
            self._bus.writeto_then_readfrom(self._address, self._reg, self._two, in_end=1)
            who_am_i = self._two[0]
            if who_am_i != _ID_TRC and who_am_i != _ID_SOX:
                raise RuntimeError("motion sensor: unknown WHO_AM_I " + hex(who_am_i))
            self._two[0] = _CTRL3_C
            self._two[1] = 0x05
            self._bus.writeto(self._address, self._two)
            self._reg[0] = _CTRL3_C
            for _ in range(_RESET_POLLS):
                self._sleep(0.005)  # less may be for long on nRF: see `device._NAP_MS`
                self._bus.writeto_then_readfrom(self._address, self._reg, self._two, in_end=1)
                if not self._two[0] & 1:
                    return who_am_i
        finally:
            self._bus.unlock()
        raise RuntimeError("motion sensor: stays in reset")

    def _driver_class(self, who_am_i):
        if self._drivers is not None:
            return self._drivers[0 if who_am_i == _ID_TRC else 1]
        if who_am_i == _ID_TRC:
            from adafruit_lsm6ds.lsm6ds3trc import LSM6DS3TRC

            return LSM6DS3TRC
        from adafruit_lsm6ds.lsm6dsox import LSM6DSOX

        return LSM6DSOX

    def _configure(self):
        self._tagged = self.who_am_i == _ID_SOX
        if self._tagged and not self._words:
            # Only where there is such a chip: it takes half a KiB.
            from .tagged import drain

            self._drain_tagged = drain
            self._words = bytearray(14 * MAX_SAMPLES)
        if self.known:
            self._write(_CTRL1_XL, _CTRL1)
            self._write(_CTRL2_G, _CTRL2)
            self._sleep(0.1)  # the gyroscope's turn-on time is 70 ms (datasheet, table 3)
        else:
            driver = self._driver_class(self.who_am_i)(self._bus, self._address)
            # Adafruit's codes: rate 3 = 52 Hz, accelerometer range 2 = 4 g, gyroscope range 1 = 500 dps.
            driver.accelerometer_range = 2
            driver.gyro_range = 1
            driver.accelerometer_data_rate = 3
            driver.gyro_data_rate = 3
        # The driver means to set BDU; whatever it wrote, this is the whole register.
        self._write(_CTRL3_C, _CTRL3)
        self.restart_fifo()
        self.known = True

    def restart_fifo(self):
        """Empty the FIFO and let it run in continuous mode.

        :raises OSError: the chip does not answer
        """
        self._write(_FIFO_MODE, 0)
        if self._tagged:
            self._write(0x07, 0)
            self._write(0x08, 0)
            self._write(0x09, _BATCH_SOX)
            self._write(_FIFO_MODE, _MODE_SOX)
        else:
            self._write(0x06, 0)
            self._write(0x07, 0)
            self._write(0x08, _BATCH_TRC)
            self._write(0x09, 0)
            self._write(_FIFO_MODE, _MODE_TRC)
        self._torn = False
        self._slot_gyro = _NONE
        self._slot_accel = _NONE

    def check(self):
        """Whether the chip still holds what was written: WHO_AM_I, CTRL1, CTRL2, CTRL3 and the FIFO's registers.

        False after a silent reset. Allocates nothing.

        :raises OSError: the chip does not answer
        """
        self._read(_WHO_AM_I, self._status, 4)
        status = self._status
        if status[0] != self.who_am_i or status[1] != _CTRL1 or status[2] != _CTRL2 or status[3] != _CTRL3:
            return False
        self._read(_FIFO_CTRL, self._control, 5)
        control = self._control
        if self._tagged:
            return control[3] == _BATCH_SOX and control[4] == _MODE_SOX
        return control[2] == _BATCH_TRC and control[4] == _MODE_TRC

    def doze(self):
        """Gyroscope and FIFO off; the accelerometer waits for motion.

        :raises OSError: the chip does not answer
        """
        self._write(_FIFO_MODE, 0)
        self._write(_CTRL2_G, 0)
        self._write(_CTRL6_C, _CTRL6_DOZE)
        self._write(_CTRL1_XL, _CTRL1_DOZE)
        self._write(_WAKE_UP_DUR, 0)
        self._write(_WAKE_UP_THS, 1)
        if self._tagged:
            self._write(_TAP_CFG0_SOX, 1)
            self._write(_TAP_CFG, 0x80)
        else:
            self._write(_TAP_CFG, 0x81)
        self._looks_alike = 0

    def moved(self):
        """Since `doze` or the last call: 1 something moved, 0 nothing did, -1 the chip has lost what was written, or
        its values stand still, which an accelerometer's never do. Allocates nothing.

        :raises OSError: the chip does not answer
        """
        look = self._look
        accel = self._status  # the low bytes of the last look, and one of the high ones
        before = accel[0] | accel[1] << 8 | accel[2] << 16
        self._read(_WHO_AM_I, look, _LOOK_BYTES)
        accel[0] = look[_LOOK_ACCEL]
        accel[1] = look[_LOOK_ACCEL + 2]
        accel[2] = look[_LOOK_ACCEL + 4]
        if (
            look[0] != self.who_am_i
            or look[1] != _CTRL1_DOZE
            or look[2]
            or look[3] != _CTRL3
            or look[_CTRL6_C - 0x0F] != _CTRL6_DOZE
        ):
            return -1
        if before == accel[0] | accel[1] << 8 | accel[2] << 16:
            self._looks_alike += 1
            if self._looks_alike >= _STILL_LOOKS:
                return -1
        else:
            self._looks_alike = 0
        return look[_LOOK_WAKE] >> 3 & 1

    def wake(self):
        """Both sensors on again as `start` leaves them. The gyroscope takes 70 ms, and its filter three samples (ST's
        AN5130, turn-on and samples to discard): wait 7 samples, then `restart_fifo`.

        :raises OSError: the chip does not answer
        """
        self._write(_TAP_CFG, 0)
        self._write(_CTRL6_C, 0)
        self._write(_CTRL1_XL, _CTRL1)
        self._write(_CTRL2_G, _CTRL2)

    def glance(self):
        """While a pattern of the motor plays: 1 all is well, 0 the values are the last glance's, or an axis of the
        accelerometer stands at its end as one did then, or all its axes read nothing; -1 the chip has lost what was
        written. The FIFO is left as it is. Allocates nothing.

        :raises OSError: the chip does not answer
        """
        look = self._look
        gyro = look[_LOOK_GYRO] | look[_LOOK_GYRO + 2] << 8 | look[_LOOK_GYRO + 4] << 16
        accel = look[_LOOK_ACCEL] | look[_LOOK_ACCEL + 2] << 8 | look[_LOOK_ACCEL + 4] << 16
        self._read(_WHO_AM_I, look, _LOOK_BYTES)
        if look[0] != self.who_am_i or look[1] != _CTRL1 or look[2] != _CTRL2 or look[3] != _CTRL3:
            return -1
        before = self._at_end
        at_end = False
        nothing = True
        for at in range(_LOOK_ACCEL, _LOOK_BYTES, 2):
            value = look[at] | look[at + 1] << 8
            if value:
                nothing = False
            if value == 0x7FFF or value == 0x8000:
                at_end = True
        self._at_end = at_end
        if nothing or (at_end and before):
            return 0
        if gyro != look[_LOOK_GYRO] | look[_LOOK_GYRO + 2] << 8 | look[_LOOK_GYRO + 4] << 16:
            return 1
        return 1 if accel != look[_LOOK_ACCEL] | look[_LOOK_ACCEL + 2] << 8 | look[_LOOK_ACCEL + 4] << 16 else 0

    def drain(self):
        """Read up to ``MAX_SAMPLES`` samples into ``counts``: how many there are now, 0 when the FIFO is empty.

        Sets ``overrun`` when samples were lost; the caller clears it. Allocates nothing.

        :raises OSError: the chip does not answer
        """
        if self._tagged:
            return self._drain_tagged(self)  # type: ignore[misc]
        status = self._status
        self._read(_FIFO_STATUS, status, 4)
        n_words = status[0] | (status[1] & 7) << 8
        if status[1] & _OVERRUN:
            self.overrun = True
            if n_words == 0:
                # All 2048 words are taken: DIFF_FIFO has 11 bits and reads 0.
                n_words = _WORDS_TRC
        pattern = status[2]
        if pattern:
            # The next word is not a Gx: the rest of a torn sample comes first. That is so after an overrun (2048 is no
            # multiple of 6) and after a burst that was broken off. A pattern that moved without either is not believed:
            # users report chips whose counter slips while they are read, and words taken for their neighbours would be
            # posture out of nothing. Then the FIFO starts anew, and what was in it is a gap.
            believed = self._torn or status[1] & _OVERRUN
            self._torn = False
            self.overrun = True
            n_skip = 6 - pattern
            if not believed or pattern > 5 or n_words < n_skip:
                self.restart_fifo()
                return 0
            self._read(_FIFO_DATA_TRC, self.counts, n_skip)
            n_words -= n_skip
        n = n_words // 6
        if n == 0:
            return 0
        if n > MAX_SAMPLES:
            n = MAX_SAMPLES
        # Gx Gy Gz Ax Ay Az, low byte first: as they lie in an array of a little-endian machine, which all boards are.
        self._torn = True
        self._read(_FIFO_DATA_TRC, self.counts, 6 * n)
        self._torn = False
        return n

    # Both chips.

    def _read(self, register, buf, n):
        """Burst of ``n`` elements of ``buf`` from ``register``. Locks the bus by itself: ``with`` would cost heap.

        CircuitPython counts in elements where an array has wider ones (shared-bindings/busio/I2C.c: "Compute bounds in
        terms of elements, not bytes", since 8.0).
        """
        bus = self._bus
        if bus is None:
            raise OSError(19)  # ENODEV: not started
        self._reg[0] = register
        if not bus.try_lock():
            raise OSError(16)  # EBUSY
        try:
            bus.writeto_then_readfrom(self._address, self._reg, buf, in_end=n)
        finally:
            bus.unlock()

    def _write(self, register, value):
        bus = self._bus
        if bus is None:
            raise OSError(19)  # ENODEV
        self._two[0] = register
        self._two[1] = value
        if not bus.try_lock():
            raise OSError(16)  # EBUSY
        try:
            bus.writeto(self._address, self._two)
        finally:
            bus.unlock()
