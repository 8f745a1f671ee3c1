"""The supported boards: a row of pin names and a choice of banks for each. Names only, nothing is opened here.

``select(board_id, getenv)`` gives the profile of a board with what ``settings.toml`` on the drive says laid over it;
``pin`` looks a name up on CircuitPython's ``board`` module, which is handed in.

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

A key that is absent or of the wrong kind changes nothing and is named in ``Profile.refused``: bad settings never stop
the device. Pin names are CircuitPython's, as ``dir(board)`` prints them.

Sources: CircuitPython's ``pins.c`` of each board, facts/hardware.md. Not seen on physical boards.
"""

# Banks. NVM has two pages on nRF; on RP2040 one sector, the other bank is part of a file in a subdirectory.
BANK_NVM0 = "nvm:0"
BANK_NVM1 = "nvm:1"
BANK_FILE = "/data/journal.bin"
TRACE_FILE = "/data/trace.bin"

MOTORS = ("pwm", "drv2605", "none")


class Profile:
    """One board. All pins are names on ``board``; an empty name says that there is none."""

    def __init__(self):
        self.board_id = ""
        self.imu_sda = "SDA"
        self.imu_scl = "SCL"
        self.imu_power_pin = ""
        self.imu_int_pin = ""
        self.imu_address = 0x6A
        self.chips = ("lsm6ds3trc", "lsm6dsox")  # type: tuple[str, ...]
        self.motor = "pwm"
        self.motor_pin = ""
        self.button_pin = ""
        self.led_pin = ""
        self.led_active_low = 0
        self.battery_pin = ""
        self.battery_enable_pin = ""
        self.battery_num = 1
        self.battery_den = 1
        self.charge_pin = ""
        self.banks = (BANK_NVM0, BANK_FILE)
        # Blocks of 512 bytes; how a write reaches the flash: 1 external, 2 the RP2040's own (`trace`).
        self.trace_file = TRACE_FILE
        self.trace_blocks = 976
        self.trace_parts = 2
        self.usb_vid = 0
        self.usb_pid = 0
        self.refused = ()


def _xiao_sense():
    p = Profile()
    p.board_id = "Seeed_XIAO_nRF52840_Sense"
    # The sensor has a bus of its own; its supply pin feeds the pull-ups too.
    p.imu_sda = "IMU_SDA"
    p.imu_scl = "IMU_SCL"
    p.imu_power_pin = "IMU_PWR"
    p.imu_int_pin = "IMU_INT1"
    p.chips = ("lsm6ds3trc",)
    p.motor_pin = "D0"
    p.button_pin = "D1"
    p.led_pin = "LED_BLUE"
    p.led_active_low = 1
    # VBATT through 1 Mohm over 510 kohm; READ_BATT_ENABLE is held LOW, else the pin sees too much while charging.
    p.battery_pin = "VBATT"
    p.battery_enable_pin = "READ_BATT_ENABLE"
    p.battery_num = 151
    p.battery_den = 51
    p.charge_pin = "CHARGE_STATUS"
    p.banks = (BANK_NVM0, BANK_NVM1)
    p.trace_blocks = 2048  # 1 of the drive's 2 MiB
    p.trace_parts = 1
    p.usb_vid = 0x2886
    p.usb_pid = 0x0045
    return p


def _nano_connect():
    p = Profile()
    p.board_id = "arduino_nano_rp2040_connect"
    p.trace_blocks = 4096
    p.chips = ("lsm6dsox",)
    p.imu_int_pin = "INT1"
    p.motor_pin = "D2"
    p.button_pin = "D3"
    p.led_pin = "LED"
    p.usb_vid = 0x239A
    p.usb_pid = 0x00CF
    return p


def _pico():
    p = Profile()
    p.board_id = "raspberry_pi_pico"
    p.imu_sda = "GP4"
    p.imu_scl = "GP5"
    p.motor_pin = "GP15"
    p.button_pin = "GP14"
    p.led_pin = "LED"
    # VSYS through 200 kohm over 100 kohm.
    p.battery_pin = "VOLTAGE_MONITOR"
    p.battery_num = 3
    p.battery_den = 1
    p.usb_vid = 0x239A
    p.usb_pid = 0x80F4
    return p


_MAKERS = {
    "Seeed_XIAO_nRF52840_Sense": _xiao_sense,
    "arduino_nano_rp2040_connect": _nano_connect,
    "raspberry_pi_pico": _pico,
}
REFERENCE = "Seeed_XIAO_nRF52840_Sense"

_TEXT_KEYS = (
    ("WALKTALL_MOTOR_PIN", "motor_pin", True),
    ("WALKTALL_BUTTON_PIN", "button_pin", True),
    ("WALKTALL_LED_PIN", "led_pin", True),
    ("WALKTALL_IMU_SDA", "imu_sda", False),
    ("WALKTALL_IMU_SCL", "imu_scl", False),
    ("WALKTALL_IMU_POWER_PIN", "imu_power_pin", True),
    ("WALKTALL_BATTERY_PIN", "battery_pin", True),
)


def names():
    """The ids of the supported boards, the reference board first."""
    rest = sorted(name for name in _MAKERS if name != REFERENCE)
    return (REFERENCE,) + tuple(rest)  # the board has no unpacking in displays


def select(board_id, getenv=None):
    """The profile of a board, or None if it is not supported.

    :param str board_id: ``board.board_id``
    :param getenv: ``os.getenv``; None leaves the profile as it is. It parses the file anew at each call: call this
        once.
    """
    maker = _MAKERS.get(board_id)
    if maker is None:
        return None
    profile = maker()
    if getenv is not None:
        _lay_over(profile, getenv)
    return profile


def _lay_over(profile, raw_getenv):
    refused = []

    def getenv(key):
        # It raises for a line that it cannot read, `true` or a missing quote: such a line is refused like the rest.
        try:
            return raw_getenv(key)
        except (ValueError, OSError, RuntimeError):
            refused.append(key)
            return None

    for key, field, may_be_empty in _TEXT_KEYS:
        value = getenv(key)
        if value is None:
            continue
        if isinstance(value, str) and (value or may_be_empty):
            setattr(profile, field, value)
        else:
            refused.append(key)
    value = getenv("WALKTALL_MOTOR")
    if value is not None:
        if value in MOTORS:
            profile.motor = value
        else:
            refused.append("WALKTALL_MOTOR")
    value = getenv("WALKTALL_LED_ACTIVE_LOW")
    if value is not None:
        if value in (0, 1):
            profile.led_active_low = value
        else:
            refused.append("WALKTALL_LED_ACTIVE_LOW")
    value = getenv("WALKTALL_IMU_ADDRESS")
    if value is not None:
        if value in (0x6A, 0x6B):
            profile.imu_address = value
        else:
            refused.append("WALKTALL_IMU_ADDRESS")
    profile.refused = tuple(refused)


def pin(board, name):
    """The pin ``name`` of ``board``; None for an empty name or one that this board does not have.

    :param board: CircuitPython's ``board`` module
    :param str name: as in a profile
    """
    if not name:
        return None
    return getattr(board, name, None)
