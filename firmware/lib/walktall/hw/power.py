"""Battery voltage, charger and USB, as far as the board has them.

Reading the battery takes a conversion and no heap. The divider costs current all the time on the XIAO: its enable pin
must be held LOW while charging (else the ADC pin sees more than 3.3 V), so it is held low for good.
"""


class Power:
    """What the supply says.

    :param adc: ``analogio.AnalogIn`` behind the divider, or None
    :param int divider_num: battery volts = pin volts * num / den
    :param int divider_den: see above
    :param int reference_mv: the pin's full scale
    :param charging_pin: digital input that is low while the cell is charged, or None
    :param runtime: ``supervisor.runtime``, whose ``usb_connected`` says whether a computer is there, or None
    :param enable: the output that holds the divider's enable pin low, or None; kept, that it goes on doing so
    """

    def __init__(
        self, adc=None, divider_num=1, divider_den=1, reference_mv=3300, charging_pin=None, runtime=None, enable=None
    ):
        self._adc = adc
        self._num = divider_num
        self._den = divider_den
        self._reference_mv = reference_mv
        self._charging_pin = charging_pin
        self._runtime = runtime
        self._enable = enable

    @property
    def battery_mv(self):
        """Battery voltage, millivolts; 0 where it cannot be measured."""
        if self._adc is None:
            return 0
        # A divider of 1 Mohm fills the converter's capacitor slowly, so that a single conversion reads low, the first
        # one most (field reports; not measured): the greatest of four.
        value = self._adc.value
        for _ in range(3):
            again = self._adc.value
            if again > value:
                value = again
        # 16 bits * 3600 < 2^28; the divider's terms are kept below 4096.
        return ((value * self._reference_mv) >> 16) * self._num // self._den

    @property
    def charging(self):
        """Whether the charger charges; False where it cannot be seen."""
        return self._charging_pin is not None and not self._charging_pin.value

    @property
    def usb(self):
        """Whether a computer is there; False where it cannot be seen."""
        return self._runtime is not None and bool(self._runtime.usb_connected)
