from kit import samples
from parts import Bank, Clock, File, Motor, Nobody, NoPort, no_sleep, some_bytes
from walktall.device import Device
from walktall.hw.imu import Imu
from walktall.rows import H_WALK

# A walk that a cut ends, at several moments, and what the next start makes of it: at once, and after a day without
# power, with a reset's reason and without.
vector = samples("walk")
n_vector = len(vector) // 6


class Rtc:
    utc_s = 200000000


def start(reset_reason):
    device = Device(
        Imu(Nobody, sleep=no_sleep),
        Motor(),
        banks,
        NoPort(),
        Clock(5).ticks_ms,
        rtc=rtc,
        random_bytes=some_bytes,
        reset_reason=reset_reason,
        trace_file=file,
    )
    fields = list(device.session.fields)
    print(device.session.open, device.journal.count, device.journal.boot, device.trace.walk, device.errors)
    print(device.trace.next_block, device.trace.rows.buf[H_WALK], fields)
    return device


for cut_s, away_s, reason in ((70, 0, 3), (70, 30, 1), (130, 90000, 1), (200, 5, 0), (185, 700, 6), (130, -300, 5)):
    banks = (Bank(), Bank())
    file = File(1024)
    rtc = Rtc()
    device = start(1)
    for _ in range(2):
        device.chain.set_upright(0, 8190, 60, 60, 20, -10, 90)
        device._open_session()
        for k in range(52 * cut_s):
            at = 6 * (k % n_vector)
            closed = device.chain.sample(
                vector[at + 3], vector[at + 4], vector[at + 5], vector[at], vector[at + 1], vector[at + 2]
            )
            if closed & 2:
                device._uptime_s += 1
                rtc.utc_s += 1
                device._each_worn_second()
        rtc.utc_s += away_s
        device = start(reason)
