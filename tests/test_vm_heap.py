"""From the FIFO's bytes to the motor's duty nothing allocates: shown by the board's own virtual machine."""

from tests.vm.machine import Machine


def test_draining_the_fifo_takes_no_heap_on_either_chip(machine: Machine) -> None:
    plain, tagged = (line.split() for line in machine.micropython("heap_imu", driver=True).splitlines())
    assert (plain[0], tagged[0]) == ("106", "108")
    assert int(plain[1]) >= 13 * 50
    assert (plain[2], tagged[2]) == ("0", "0")
    # One of the two formats is tagged, both carry the same counts; a word in flight may wait at the end.
    assert plain[1:] == tagged[1:]


def test_no_heap_from_fifo_bytes_to_motor_duty(machine: Machine) -> None:
    lines = [line.split() for line in machine.micropython("heap_walk", driver=True, heap_bytes=512 * 1024).splitlines()]
    assert [line[0] for line in lines] == ["walk", "walk", "extreme", "corners"]
    for name, n_samples, used, most, duties, _, buzzed in lines:
        assert int(n_samples) > 700
        assert (used, most) == ("0", "0"), f"{name}: {used} bytes"
        if name == "walk":
            assert buzzed == "1"
            assert int(duties) > 0


def test_measuring_heap_sees_an_allocation_and_the_lock_refuses_it(machine: Machine) -> None:
    lines = machine.micropython("heap_self").splitlines()
    assert lines == ["seen 32", "small 0", "big True", "refused 1"]
