"""The supported boards: a row of pin names and a choice of banks for each. Names only, nothing is opened here.

``select(board_id, getenv, board)`` gives the profile of a board with what ``settings.toml`` on the drive says laid over
it; ``pin`` looks a name up on CircuitPython's ``board`` module, which is handed in.

============================== ================================================= ===========================
key in ``settings.toml``       value                                             replaces
============================== ================================================= ===========================
``WALKTALL_MOTOR``             ``pwm``, ``drv2605`` or ``none``                  ``motor``
``WALKTALL_MOTOR_PIN``         pin name; empty for none                          ``motor_pin``
``WALKTALL_BUTTON_PIN``        pin name; empty for none                          ``button_pin``
``WALKTALL_LED_PIN``           pin name; empty for none                          ``led_pin``
``WALKTALL_LED_ACTIVE_LOW``    0 or 1                                            ``led_active_low``
``WALKTALL_IMU_SDA``           pin name                                          ``imu_sda``
``WALKTALL_IMU_SCL``           pin name                                          ``imu_scl``
``WALKTALL_IMU_POWER_PIN``     pin name; empty for none                          ``imu_power_pin``
``WALKTALL_IMU_ADDRESS``       106 or 107 (6A, 6B)                               ``imu_address``
``WALKTALL_BATTERY_PIN``       pin name; empty for none                          ``battery_pin``
============================== ================================================= ===========================

A key that is absent changes nothing. Nor does one of the wrong kind, one that names a pin which this board lacks, or
one whose pin another part has: it is named in ``Profile.refused``. Bad settings never stop the device. Pin names are
CircuitPython's, as ``dir(board)`` prints them.

Sources: CircuitPython's ``pins.c`` of each board, facts/hardware.md. Not seen on physical boards.
"""

# Banks. NVM has two pages on nRF; on RP2040 one sector, the other bank is part of a file in a subdirectory.
BANK_NVM0 = "nvm:0"
BANK_NVM1 = "nvm:1"
BANK_FILE = "/data/journal.bin"
TRACE_FILE = "/data/trace.bin"

MOTORS = ("pwm", "drv2605", "none")

# A row is words, because a string takes a fraction of what attributes one by one do: text, numbers from a digit on.
# What a board does not say otherwise:
_USUAL = (
    "imu_sda=SDA imu_scl=SCL imu_power_pin= imu_int_pin= imu_address=0x6A chips=lsm6ds3trc,lsm6dsox "
    "motor=pwm motor_pin= button_pin= led_pin= led_active_low=0 "
    "battery_pin= battery_enable_pin= battery_num=1 battery_den=1 charge_pin= "
    # Two, with a comma between.
    "banks=nvm:0,/data/journal.bin "
    # Blocks of 512 bytes; how a write reaches the flash: 1 external, 2 the RP2040's own (`trace`).
    "trace_file=/data/trace.bin trace_blocks=976 trace_parts=2 "
)

#: The boards, each by its `board.board_id` and its row; the reference board first, then in their order.
_ROWS = (
    "Seeed_XIAO_nRF52840_Sense",
    # The sensor has a bus of its own; its supply pin feeds the pull-ups too.
    "imu_sda=IMU_SDA imu_scl=IMU_SCL imu_power_pin=IMU_PWR imu_int_pin=IMU_INT1 chips=lsm6ds3trc "
    "motor_pin=D0 button_pin=D1 led_pin=LED_BLUE led_active_low=1 "
    # VBATT through 1 Mohm over 510 kohm; READ_BATT_ENABLE is held LOW, else the pin sees too much while charging.
    "battery_pin=VBATT battery_enable_pin=READ_BATT_ENABLE battery_num=151 battery_den=51 charge_pin=CHARGE_STATUS "
    # Of the trace: 1 of the drive's 2 MiB.
    "banks=nvm:0,nvm:1 trace_blocks=2048 trace_parts=1 usb_vid=0x2886 usb_pid=0x0045",
    "arduino_nano_rp2040_connect",
    "trace_blocks=4096 chips=lsm6dsox imu_int_pin=INT1 motor_pin=D2 button_pin=D3 led_pin=LED "
    "usb_vid=0x239A usb_pid=0x00CF",
    "raspberry_pi_pico",
    "imu_sda=GP4 imu_scl=GP5 motor_pin=GP15 button_pin=GP14 led_pin=LED "
    # VSYS through 200 kohm over 100 kohm.
    "battery_pin=VOLTAGE_MONITOR battery_num=3 battery_den=1 usb_vid=0x239A usb_pid=0x80F4",
)
REFERENCE = "Seeed_XIAO_nRF52840_Sense"

#: What settings.toml may say: in capitals, with WALKTALL_ before it.
SETTABLE = "motor_pin button_pin led_pin imu_sda imu_scl imu_power_pin battery_pin motor led_active_low imu_address"
# The pins among them, and what else is opened.
_PINS = "motor_pin button_pin led_pin imu_sda imu_scl imu_power_pin battery_pin battery_enable_pin charge_pin"


class Profile:
    """One board. All pins are names on ``board``; an empty name says that there is none."""

    def __init__(self, board_id, row):
        self.board_id = board_id
        self.refused = ()
        for word in (_USUAL + row).split():
            field, value = word.split("=")
            if value[:1].isdigit():
                value = int(value, 0)
            elif "," in value or field == "chips":
                value = tuple(value.split(","))
            setattr(self, field, value)


def names():
    """The ids of the supported boards, the reference board first."""
    return _ROWS[::2]


def select(board_id, getenv=None, board=None):
    """The profile of a board, or None if it is not supported.

    :param str board_id: ``board.board_id``
    :param getenv: ``os.getenv``; None leaves the profile as it is. It parses the file anew at each call: call this
        once.
    :param board: CircuitPython's ``board`` module, which knows the pins; None believes their names
    """
    for k in range(0, len(_ROWS), 2):
        if _ROWS[k] == board_id:
            profile = Profile(board_id, _ROWS[k + 1])
            if getenv is not None:
                _lay_over(profile, getenv, board)
            return profile
    return None


def _lay_over(profile, getenv, board):
    refused = []
    own = {}
    # Not all that `board` has is a pin. Without it all of this is None, and any name will do.
    kind = type(pin(board, profile.imu_sda))
    for field in SETTABLE.split():
        key = "WALKTALL_" + field.upper()
        before = getattr(profile, field)
        try:
            value = getenv(key)
            if value is not None and isinstance(before, int):
                # From CircuitPython 10.2 on a number comes as text, as it stands there.
                value = int(str(value), 0)
        except (ValueError, OSError, RuntimeError):
            # It raises for a line that it cannot read, `true` or a missing quote: such a line is refused like the rest.
            refused.append(key)
            continue
        if value is None or value == before:
            continue
        if field == "motor":
            fits = value in MOTORS
        elif field == "led_active_low":
            fits = value in (0, 1)
        elif field == "imu_address":
            fits = value in (0x6A, 0x6B)
        elif value == "":
            fits = field.endswith("_pin")
        else:
            fits = isinstance(value, str) and type(pin(board, value)) is kind
        if fits:
            own[field] = before
            setattr(profile, field, value)
        else:
            refused.append(key)
    if profile.motor != "pwm":
        profile.motor_pin = ""
    # One that is taken back may meet another: look until none is left.
    field = _shared(profile, own, board)
    while field:
        setattr(profile, field, own.pop(field))
        refused.append("WALKTALL_" + field.upper())
        field = _shared(profile, own, board)
    profile.refused = tuple(refused)


def _shared(profile, changed, board):
    """A field, of those that are changed, whose pin another part has as well; None where there is none."""
    for field in _PINS.split():
        for other in _PINS.split():
            if field in changed and field != other:
                name = getattr(profile, field)
                taken = getattr(profile, other)
                # A pin may have several names.
                if name and (pin(board, name) or name) == (pin(board, taken) or taken):
                    return field
    return None


def pin(board, name):
    """The pin ``name`` of ``board``; None for an empty name or one that this board does not have.

    :param board: CircuitPython's ``board`` module
    :param str name: as in a profile
    """
    if not name:
        return None
    return getattr(board, name, None)
