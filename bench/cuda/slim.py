"""ONNX Runtime's CUDA provider without machine code of other chips: same size, same offsets, zeros in its place.

    python3 slim.py PROVIDER OUT ARCHITECTURE        90 for an H100 or H200
"""
import struct, sys

source, out, keep = sys.argv[1], sys.argv[2], int(sys.argv[3])
FATBIN = 0xBA55ED50
data = bytearray(open(source, "rb").read())
table, = struct.unpack_from("<Q", data, 0x28)
_, count, names = struct.unpack_from("<HHH", data, 0x3A)
sections = [struct.unpack_from("<IIQQQQIIQQ", data, table + i * 64) for i in range(count)]


def name(section):
    start = sections[names][4] + section[0]
    return bytes(data[start:data.index(0, start)]).decode()


def entries(at, end):
    """Each image of a fat binary: where it starts, its length, its architecture."""
    while at < end - 16:
        _, _, header, size = struct.unpack_from("<HHIQ", data, at)
        if header == 0:
            return
        yield at + header, size, struct.unpack_from("<I", data, at + 28)[0]
        at += header + size


kept = zeroed = 0
for section in sections:
    if name(section) != ".nv_fatbin":
        continue
    at, end = section[4], section[4] + section[5]
    while at < end - 16:
        magic, _, header, size = struct.unpack_from("<IHHQ", data, at)
        if magic != FATBIN:
            at += 8
            continue
        images = list(entries(at + header, at + header + size))
        if any(architecture == keep for _, _, architecture in images):
            for start, length, architecture in images:
                if architecture == keep:
                    kept += length
                else:
                    data[start:start + length] = bytes(length)
                    zeroed += length
        at += header + size
open(out, "wb").write(data)
print(f"provider: {kept} bytes of machine code kept, {zeroed} zeroed", file=sys.stderr)
