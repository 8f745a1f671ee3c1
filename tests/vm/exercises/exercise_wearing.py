from kit import samples
from parts import Bank, Button, Clock, File, Motor, Nobody, NoPort, no_sleep, some_bytes
from walktall.device import Device
from walktall.hw.imu import Imu

vector = samples("walk")
n_vector = len(vector) // 6


class Power:
    battery_mv = 3900
    charging = False
    usb = False


class Light:
    def __init__(self):
        self.colours = []

    def set(self, colour):
        self.colours.append(colour)


clock = Clock(1000)
power = Power()
light = Light()
banks = (Bank(), Bank())
device = Device(
    Imu(Nobody, sleep=no_sleep),
    Motor(),
    banks,
    NoPort(),
    clock.ticks_ms,
    button=Button(),
    power=power,
    led=light,
    random_bytes=some_bytes,
    trace_file=File(1024),
)


def wear(seconds):
    for k in range(52 * seconds):
        at = 6 * (k % n_vector)
        closed = device.chain.sample(
            vector[at + 3], vector[at + 4], vector[at + 5], vector[at], vector[at + 1], vector[at + 2]
        )
        if closed & 2:
            clock.advance(1000)
            device._now_ms = clock.now_ms
            device._uptime_s += 1
            device._each_worn_second()
            device._let_expire(clock.now_ms)
            device._show(device._kept_in())
            device._blink(clock.now_ms)
            if device._calibrating:
                device._look_at_calibration(clock.now_ms)
            if device._bowing:
                device._look_at_bow(clock.now_ms)


def tell(what):
    detector = device.chain.detector
    print(what, device.session.open, device.off, device.buzzing, detector.snoozed, detector.hill, device._may_take_back)
    print(list(device.journal.calibration), device._calibration_state, device.journal.unsaved, banks[0].writes)
    print(light.colours, device.errors, device.last_error)
    light.colours.clear()


device.sensor_ok = True
device._open_session()
wear(100)
tell("worn")
device._snooze()
wear(3)
tell("snoozed")
device._snooze()
device._hill()
wear(3)
tell("hill")
for value in (0, 1):
    device.settings.set("bow", value)
    print(device.begin_calibration())
    wear(25)
    tell("calibrated")
    device._take_back()
    wear(2)
    tell("taken back")
print(device.end_session(0, True), list(device.session.fields))
wear(200)
power.battery_mv = 3390
for _ in range(4):
    device._look_at_battery()
tell("low")
power.charging = True
device._switch_on()
wear(2)
tell("on")
print(device.end_session(), device.journal.count, banks[0].writes, banks[1].writes)
