"""The vibration motor behind a DRV2605L: a duty of 0..65535, and the bus that it may share with the sensor.

It drives Adafruit's ``adafruit_drv2605`` in real-time playback, so that patterns stay ours; it writes to the I2C bus
only when the duty changes. It starts off and stays off after ``stop()``. Imported where ``settings.toml`` says
``drv2605``, and nowhere else.
"""

try:
    from micropython import const
except ImportError:

    def const(value):
        """MicroPython folds it, CPython does not know it."""
        return value


_MODE_INTERNAL = const(0x00)
_MODE_REALTIME = const(0x05)  # DRV2605L MODE (01h): real-time playback


class HapticMotor:
    """A motor behind a DRV2605L.

    :param drv: ``adafruit_drv2605.DRV2605``
    """

    missing = False

    def __init__(self, drv):
        self._drv = drv
        self._duty_u16 = 0
        drv.use_ERM()
        drv.realtime_value = 0
        drv.mode = _MODE_REALTIME

    @property
    def duty_u16(self):
        """Drive, 0 (off) .. 65535; the chip resolves 127 steps."""
        return self._duty_u16

    @duty_u16.setter
    def duty_u16(self, duty_u16):
        if duty_u16 == self._duty_u16:
            return
        self._duty_u16 = -1  # a write that fails may have arrived or not: the next one is written, whatever it is
        # RTP (02h) is signed: 0..127 drives forward.
        self._drv.realtime_value = duty_u16 >> 9
        self._duty_u16 = duty_u16

    def stop(self):
        """Off and out of playback."""
        self._duty_u16 = -1
        self._drv.realtime_value = 0
        self._drv.mode = _MODE_INTERNAL
        self._duty_u16 = 0


class SharedBus:
    """One I2C for the sensor and the motor's driver chip: the sensor may not close it."""

    def __init__(self, bus):
        self._bus = bus
        self.try_lock = bus.try_lock
        self.unlock = bus.unlock
        self.scan = bus.scan
        self.writeto = bus.writeto
        self.readfrom_into = bus.readfrom_into
        self.writeto_then_readfrom = bus.writeto_then_readfrom

    def deinit(self):
        pass
