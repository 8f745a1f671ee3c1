from kit import Chance, Digest
from walktall import frames

chance = Chance(9)
digest = Digest("frames")
stream = bytearray()
frame = bytearray(frames.MAX_FRAME)
out = bytearray(frames.MAX_ENCODED)
for _ in range(120):
    size = (0, 1, 13, 200, frames.MAX_BODY)[chance.below(5)]
    body = bytearray(size)
    for i in range(size):
        body[i] = (0, 0xFF, chance.below(256), 1)[chance.below(4)]
    frame[frames.HEADER_SIZE : frames.HEADER_SIZE + size] = body
    length = frames.frame_into(frame, size, 1 + chance.below(14), chance.below(30000))
    sent = bytes(out[: frames.stuff_into(frame, length, out, 0)])
    for byte in sent:
        digest.add(byte)
    stream += sent
    if chance.below(4) == 0:
        for _ in range(chance.below(400)):
            stream.append(chance.below(256))  # garbage between frames
    if chance.below(6) == 0:
        stream[-1 - chance.below(min(20, len(stream)))] = chance.below(256)
digest.tell()

decoder = frames.Decoder()
at = 0
ready = 0
while at < len(stream):
    end = min(len(stream), at + 1 + chance.below(70))
    while at < end:
        at = decoder.feed(stream, at, end)
        if decoder.size:
            ready += 1
            digest.add(decoder.frame[1])
            digest.add(decoder.frame[2] | decoder.frame[3] << 8)
            for byte in decoder.frame[frames.HEADER_SIZE : decoder.size - 4]:
                digest.add(byte)
digest.tell()
print(len(stream), ready, decoder.bad)

for size in (len(frame), 20, 19):  # stuffed into less room than it takes
    print(frames.stuff_into(frame, 17, bytearray(size), 0))
values = frames.HELLO_TABLE.new_values()
values[6] = "a board"
values[12] = 4 | 131072
print(frames.HELLO_TABLE.size, frames.HELLO_TABLE.pack_into(frame, 4, values), frames.LIVE_TABLE.size)
for k in range(4, 4 + frames.HELLO_TABLE.size):
    digest.add(frame[k])
digest.tell()
