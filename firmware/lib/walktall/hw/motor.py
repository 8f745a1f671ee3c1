"""The vibration motor: a duty of 0..65535, by PWM on a MOSFET. It starts off and stays off after ``stop()``.

One behind a driver chip is in `haptic`.
"""

try:
    from micropython import const
except ImportError:

    def const(value):
        """MicroPython folds it, CPython does not know it."""
        return value


PWM_FREQUENCY_HZ = const(20000)  # beyond hearing; the coil averages it


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


class NoMotor:
    """A board without a motor: remembers the duty and does nothing."""

    missing = True
    duty_u16 = 0

    def stop(self):
        """Nothing to stop."""
        self.duty_u16 = 0
