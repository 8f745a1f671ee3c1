from walktall import events

ring = events.EventRing()
print(ring.take(), len(ring))
for i in range(100):
    ring.put(i * 1000, 1 + i % 13, 1 << i % 3, i % 4, -i)
print(len(ring), ring.lost)
while ring.take():
    print(ring.sample, events.NAMES[ring.code], events.FAULT_NAMES[ring.fault], ring.label, ring.value)
print(events.CLASS_NAMES)
