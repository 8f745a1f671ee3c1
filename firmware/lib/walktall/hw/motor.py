"""The vibration motor: a duty of 0..65535, by PWM on a MOSFET or by a DRV2605L.

``PwmMotor`` is the usual one. ``HapticMotor`` drives Adafruit's ``adafruit_drv2605`` in real-time playback, so that
patterns stay ours; it writes to the I2C bus only when the duty changes. Both start off and stay off after ``stop()``.
"""

try:
    from micropython import const
except ImportError:

    def const(value):
        """MicroPython folds it, CPython does not know it."""
        return value


PWM_FREQUENCY_HZ = const(20000)  # beyond hearing; the coil averages it
_MODE_INTERNAL = const(0x00)
_MODE_REALTIME = const(0x05)  # DRV2605L MODE (01h): real-time playback


class PwmMotor:
    """A coin motor on a PWM pin.

    :param pwm: ``pwmio.PWMOut`` or anything with ``duty_cycle``
    """

    def __init__(self, pwm):
        self._pwm = pwm
        pwm.duty_cycle = 0

    @property
    def duty_u16(self):
        """Drive, 0 (off) .. 65535."""
        return self._pwm.duty_cycle

    @duty_u16.setter
    def duty_u16(self, duty_u16):
        if self._pwm.duty_cycle != duty_u16:
            self._pwm.duty_cycle = duty_u16

    def stop(self):
        """Off, whatever was playing."""
        self._pwm.duty_cycle = 0


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


class NoMotor:
    """A board without a motor: remembers the duty and does nothing."""

    missing = True
    duty_u16 = 0

    def stop(self):
        """Nothing to stop."""
        self.duty_u16 = 0
