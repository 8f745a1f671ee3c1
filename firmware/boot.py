"""Runs once at power-on and reset, before USB: a second serial port for the host, and who may write the drive.

Worn, Python writes the drive and the computer sees it read-only. The maintenance way gives it to the computer for one
boot: the button held while the board starts, or asked for over serial (`walktall install`).

It prints nothing: any change of what is printed would rewrite `boot_out.txt` in the drive's root, and a write there can
cost the drive when the power fails. Should anything here fail, the drive stays with the computer, to be mended.
"""

import storage
import usb_cdc


def _button_held():
    import os

    import board
    import digitalio
    from walktall import boards

    profile = boards.select(board.board_id, os.getenv, board)
    pin = boards.pin(board, profile.button_pin) if profile is not None else None
    if pin is None:
        return False
    button = digitalio.DigitalInOut(pin)
    button.switch_to_input(pull=digitalio.Pull.UP)
    # The pull-up needs a moment against the wiring's capacitance; reading ten times is moment enough.
    held = True
    for _ in range(10):
        held = held and not button.value
    button.deinit()
    return held


def _maintenance_asked():
    import alarm
    from walktall.retained import Retained

    return Retained(alarm.sleep_memory).take_maintenance()


def _no_keyboard():
    """Neither keyboard nor MIDI: the clip is none, no computer shall ask, and their endpoints are free."""
    import usb_hid
    import usb_midi

    usb_hid.disable()
    usb_midi.disable()


def _no_radio():
    """No files over Bluetooth: a reset in the second in which it is offered would show the recordings to the street."""
    import supervisor

    supervisor.runtime.ble_workflow = False


def main():
    try:
        _no_radio()
    except (AttributeError, NotImplementedError):
        pass  # a board without
    try:
        _no_keyboard()
    except (ImportError, RuntimeError):
        pass
    usb_cdc.enable(console=True, data=True)
    # Both are looked at: a flag left over must not wait for the boot after this one.
    asked = _maintenance_asked()
    if not (_button_held() or asked):
        storage.remount("/", readonly=False)


try:
    main()
except Exception:
    pass
