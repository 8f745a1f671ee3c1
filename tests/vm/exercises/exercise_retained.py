from walktall.retained import CRASHES_MAX, SAFE_RESETS_MAX, Retained

memory = bytearray(b"\xa5" * 256)
first = Retained(memory)
print(first.safe_resets, first.crashes, first.error, first.take_maintenance())
for error in range(CRASHES_MAX):
    print(first.note_crash(OSError(5) if error % 2 else MemoryError()), first.crash_loop)
first.ask_maintenance()
print(SAFE_RESETS_MAX, first.note_safe_mode(2), bytes(memory[:8]))
again = Retained(memory)
print(again.safe_resets, again.crashes, again.error, again.reason, again.take_maintenance(), again.take_maintenance())
again.note_well()
print(Retained(memory).crashes, Retained(memory).error)
memory[3] ^= 1
print(Retained(memory).error, Retained(None).note_crash(StopIteration()))
