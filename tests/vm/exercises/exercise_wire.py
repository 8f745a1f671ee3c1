from kit import Chance, Digest
from walktall import wire

chance = Chance(9)
digest = Digest("wire")
stream = bytearray()
for _ in range(120):
    size = (0, 1, 13, 200, wire.MAX_BODY)[chance.below(5)]
    body = bytearray(size)
    for i in range(size):
        body[i] = (0, 0xFF, chance.below(256), 1)[chance.below(4)]
    sent = wire.encode(1 + chance.below(14), chance.below(30000), bytes(body))
    for byte in sent:
        digest.add(byte)
    stream += sent
    if chance.below(4) == 0:
        for _ in range(chance.below(400)):
            stream.append(chance.below(256))  # garbage between frames
    if chance.below(6) == 0:
        stream[-1 - chance.below(min(20, len(stream)))] = chance.below(256)
digest.tell()

decoder = wire.Decoder()
at = 0
ready = 0
while at < len(stream):
    end = min(len(stream), at + 1 + chance.below(70))
    while at < end:
        at = decoder.feed(stream, at, end)
        if decoder.size:
            ready += 1
            digest.add(wire.frame_kind(decoder.frame))
            digest.add(wire.frame_id(decoder.frame))
            for byte in wire.frame_body(decoder):
                digest.add(byte)
digest.tell()
print(len(stream), ready, decoder.bad)

values = {"index": 3, "value": -123456}
body = wire.pack(wire.SETTING_FIELDS, values)
told = wire.unpack(wire.SETTING_FIELDS, body)
print(body, sorted(told.items()))
print(wire.unpack_settings(bytes((28,)) + wire.pack_settings(((1, 10), (22, 5)))))
print(wire.crc_bytes((b"walk", b"tall")), wire.fields_size(wire.HELLO_FIELDS))
print(wire.error_text(wire.pack(wire.ERROR_FIELDS, (4, 7)) + b"no such\x00record"))
for size in (0, wire.MAX_BODY + 1):
    try:
        print(len(wire.encode(1, 1, bytes(size))))
    except ValueError as error:
        print("refused", error)
