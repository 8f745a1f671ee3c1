"""The board's light: one LED, or the three of an RGB one.

`set(colour)` takes bits of colour: 1 red, 2 green, 4 blue; 0 is dark. A single LED shows any colour as light.
"""


class Light:
    """
    :param pins: digital outputs with ``value``: one, or red, green and blue
    :param active_low: true where the LED shines at a low level
    """

    def __init__(self, pins, active_low):
        self._pins = pins
        self._on = not active_low
        self._colour = -1
        self.set(0)

    def set(self, colour):
        """Show `colour`."""
        if colour == self._colour:
            return
        self._colour = colour
        if len(self._pins) == 1:
            self._pins[0].value = self._on if colour else not self._on
            return
        for index in range(3):
            self._pins[index].value = self._on if colour & (1 << index) else not self._on
