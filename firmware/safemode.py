"""Runs when CircuitPython has fallen into safe mode: resets, so that a clip on a collar comes back by itself.

After a watchdog's reset with USB power, or a brown-out, CircuitPython stays in safe mode and `code.py` does not run.
Those, and the faults of the VM itself, get a reset, at most `SAFE_RESETS_MAX` of them until the device has run well for
ten minutes (`code.py` clears the counter). A fault that a reset cannot mend (no drive, a USB set-up that does not fit)
is left for a person to see; so is safe mode entered by hand, which does not run this file at all.
"""

import time

import microcontroller
import supervisor


def _reason_number(reason):
    """Its number for `info`, 0 for a reason that a reset would not mend."""
    names = (
        "WATCHDOG",
        "BROWNOUT",
        "HARD_FAULT",
        "NLR_JUMP_FAIL",
        "INTERRUPT_ERROR",
        "STACK_OVERFLOW",
        "GC_ALLOC_OUTSIDE_VM",
        "SDK_FATAL_ERROR",
        "FLASH_WRITE_FAIL",
        "NO_HEAP",
    )
    for index in range(len(names)):
        if reason == getattr(supervisor.SafeModeReason, names[index], None):
            return index + 1
    return 0


def main():
    number = _reason_number(supervisor.runtime.safe_mode_reason)
    if not number:
        return
    try:
        import alarm
        from walktall.retained import SAFE_RESETS_MAX, Retained

        count = Retained(alarm.sleep_memory).note_safe_mode(number)
        if count > SAFE_RESETS_MAX:
            return
    except (ImportError, AttributeError, NotImplementedError):
        # Without the counter a reset would be unbounded.
        return
    # A battery that sagged under the motor recovers in a moment; each further try waits longer.
    time.sleep(count)
    microcontroller.reset()


main()
