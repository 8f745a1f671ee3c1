from walktall import boards


class Pin:
    pass


class Board:
    """Some pins of the reference board, two of them by two names, and what is no pin."""

    D0 = A0 = Pin()
    D1 = Pin()
    D2 = Pin()
    IMU_SDA = Pin()
    IMU_SCL = Pin()
    IMU_PWR = Pin()
    LED_BLUE = Pin()
    VBATT = Pin()
    READ_BATT_ENABLE = Pin()
    CHARGE_STATUS = Pin()
    board_id = "a board"


GIVEN = (
    {},
    {"MOTOR_PIN": "D2", "LED_ACTIVE_LOW": 0, "IMU_ADDRESS": "0x6B"},
    {"MOTOR_PIN": "D1", "BUTTON_PIN": "D0"},
    {"MOTOR_PIN": "D1", "BUTTON_PIN": "D99"},
    {"MOTOR_PIN": "D2", "BUTTON_PIN": "D2", "LED_PIN": "D2"},
    {"BUTTON_PIN": "A0", "LED_PIN": "", "IMU_SDA": "", "IMU_SCL": "board_id", "BATTERY_PIN": 7},
    {"MOTOR": "drv2605", "BUTTON_PIN": "D0", "LED_ACTIVE_LOW": "true", "IMU_ADDRESS": 5},
    {"MOTOR": "pmw", "LED_ACTIVE_LOW": True, "IMU_POWER_PIN": "CHARGE_STATUS"},
)
for given in GIVEN:
    for board in (Board, None):
        told = {"WALKTALL_" + key: value for key, value in given.items()}
        profile = boards.select(boards.REFERENCE, told.get, board)
        print(profile.refused)
        for field in boards.SETTABLE.split():
            print(field, getattr(profile, field), end=" ")
        print()
