"""From the FIFO's bytes to the motor's duty nothing allocates: shown by the board's own virtual machine."""

from tests.vm.machine import Machine


def test_draining_the_fifo_takes_no_heap_on_either_chip(machine: Machine) -> None:
    plain, tagged = (line.split() for line in machine.micropython("heap_imu", driver=True).splitlines())
    assert (plain[0], tagged[0]) == ("106", "108")
    assert int(plain[1]) >= 13 * 50
    assert (plain[2], tagged[2]) == ("0", "0")
    # One of the two formats is tagged, both carry the same counts; a word in flight may wait at the end.
    assert plain[1:] == tagged[1:]
