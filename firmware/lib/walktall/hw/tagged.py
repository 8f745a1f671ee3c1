"""The FIFO of an LSM6DSOX, whose words carry a tag: which sensor's they are, and of which time slot. Part of `imu`.

Registers: ST's ``lsm6dsox_reg.h``.
"""

try:
    from micropython import const
except ImportError:

    def const(value):
        """MicroPython folds it, CPython does not know it."""
        return value


# As `imu` has them.
_FIFO_STATUS = const(0x3A)
_OVERRUN = const(0x40)
_NONE = const(4)  # no time slot: TAG_CNT is 0..3

_FIFO_DATA = const(0x78)
_TAG_GYRO = const(1)
_TAG_ACCEL = const(2)


def drain(imu):
    """`Imu.drain` of such a chip."""
    status = imu._status
    imu._read(_FIFO_STATUS, status, 2)
    n_words = status[0] | (status[1] & 3) << 8
    if status[1] & _OVERRUN:
        imu.overrun = True
    if n_words == 0:
        return 0
    if n_words > 2 * imu.max_samples - 1:
        # One less: a half that waits from the last burst may complete one more sample.
        n_words = 2 * imu.max_samples - 1
    words = imu._words
    imu._read(_FIFO_DATA, words, 7 * n_words)
    counts = imu.counts
    slot_gyro = imu._slot_gyro
    slot_accel = imu._slot_accel
    if slot_gyro != slot_accel:
        # A half that waited behind the last burst's samples goes to the front.
        src = 6 * imu._n_last
        for i in range(6):
            counts[i] = counts[src + i]
    n = 0
    src = 0
    dst = 0
    # Two words with the same time slot (tag bits 2:1) are one sample, in either order. The parity bit is not
    # judged: its sense has not been seen on a chip, and a torn sample shows in the slots.
    for _ in range(n_words):
        sensor = words[src] >> 3
        slot = (words[src] >> 1) & 3
        if sensor == _TAG_GYRO:
            if slot_gyro != _NONE or (slot_accel != _NONE and slot_accel != slot):
                slot_accel = _NONE  # the older half has lost its partner
                imu.overrun = True
            slot_gyro = slot
            # (v ^ 0x8000) - 0x8000 extends the sign.
            counts[dst] = ((words[src + 1] | words[src + 2] << 8) ^ 0x8000) - 0x8000
            counts[dst + 1] = ((words[src + 3] | words[src + 4] << 8) ^ 0x8000) - 0x8000
            counts[dst + 2] = ((words[src + 5] | words[src + 6] << 8) ^ 0x8000) - 0x8000
        elif sensor == _TAG_ACCEL:
            if slot_accel != _NONE or (slot_gyro != _NONE and slot_gyro != slot):
                slot_gyro = _NONE
                imu.overrun = True
            slot_accel = slot
            counts[dst + 3] = ((words[src + 1] | words[src + 2] << 8) ^ 0x8000) - 0x8000
            counts[dst + 4] = ((words[src + 3] | words[src + 4] << 8) ^ 0x8000) - 0x8000
            counts[dst + 5] = ((words[src + 5] | words[src + 6] << 8) ^ 0x8000) - 0x8000
        else:
            imu.n_bad_words += 1
        src += 7
        if slot_gyro == slot_accel and slot_gyro != _NONE:
            slot_gyro = _NONE
            slot_accel = _NONE
            n += 1
            dst += 6
    imu._slot_gyro = slot_gyro
    imu._slot_accel = slot_accel
    imu._n_last = n
    return n
