"""From the FIFO's bytes to the motor's duty nothing allocates: shown by the board's own virtual machine, with our files
as they lie on the drive."""

from tests.vm.machine import Machine


def test_draining_the_fifo_takes_no_heap_on_either_chip(machine: Machine) -> None:
    plain, tagged = (line.split() for line in machine.micropython("heap_imu", driver=True, compact=True).splitlines())
    assert (plain[0], tagged[0]) == ("106", "108")
    assert int(plain[1]) >= 13 * 50
    assert (plain[2], tagged[2]) == ("0", "0")
    # One of the two formats is tagged, both carry the same counts; a word in flight may wait at the end.
    assert plain[1:] == tagged[1:]


def test_no_heap_from_fifo_bytes_to_motor_duty(machine: Machine) -> None:
    told = machine.micropython("heap_walk", driver=True, heap_bytes=512 * 1024, compact=True)
    lines = [line.split() for line in told.splitlines()]
    assert [line[0] for line in lines] == ["walk", "extreme", "corners"]
    for name, n_samples, used, most, duties, _, buzzed in lines:
        assert int(n_samples) > 700
        assert (used, most) == ("0", "0"), f"{name}: {used} bytes"
        if name == "walk":
            assert buzzed == "1"
            assert int(duties) > 0


def test_measuring_heap_sees_an_allocation_and_the_lock_refuses_it(machine: Machine) -> None:
    lines = machine.micropython("heap_self").splitlines()
    assert lines == ["seen 32", "small 0", "big True", "refused 1"]


def test_no_turn_of_the_device_takes_heap_in_a_walk(machine: Machine) -> None:
    told = machine.micropython("heap_device", driver=True, heap_bytes=1024 * 1024, compact=True)
    lines = [line.split() for line in told.splitlines()]
    assert len(lines) == 2
    for _, n_samples, polls, used, most, edges, buzzed, errors, blocks, block_most in lines:
        assert int(n_samples) > 10000
        assert int(polls) > 800
        assert (used, most) == ("0", "0"), f"{used} bytes, {most} in one turn"
        assert (buzzed, errors) == ("1", "0")
        assert int(edges) >= 6
        # Twice a minute a block of the trace is sealed and written: some big integers of its CRC are all it takes.
        assert int(blocks) >= 3
        assert int(block_most) <= 1024


def test_code_driver_and_journal_fit_the_reference_boards_memory(machine: Machine) -> None:
    """The least free heap that was found told of a board of the kind is 123 KiB (docs/benchmarks/device.md)."""
    told = machine.micropython(
        "heap_footprint", driver=True, heap_bytes=1024 * 1024, call="step()", times=4, docstrings=False, compact=True
    )
    used = int(told.splitlines()[-1])
    print(f"{used} bytes")
    assert used < 123 * 1024


def test_a_hundred_visits_of_a_computer_leave_the_heap_as_it_was(machine: Machine) -> None:
    """What answers it is loaded each time anew, and let go."""
    told = machine.micropython(
        "heap_visits", heap_bytes=4 << 20, call="step()", times=103, docstrings=False, compact=True
    )
    rows = [line.split() for line in told.splitlines()]
    # The first visit brings names that stay.
    assert len(rows) == 103 and all(row[2:] == ["True", "False"] and int(row[1]) > 100 for row in rows[1:])
    used = [int(row[0]) for row in rows[2:]]
    assert max(used) - min(used) <= 64, used
