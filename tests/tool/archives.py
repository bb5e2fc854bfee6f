"""What the tests of rnn pack have in common: data, and archives taken apart."""

import random
import struct
import zlib

BLOCK = 65536
HEADER = 16

WORDS = ("cell state gate bias weight loss step input output layer head text byte block model learns keeps reads writes "
         "forgets predicts the a of and what that is was it").split()


def sample(size):
    """Something like text, the same everywhere."""
    draw = random.Random(7)
    text = b""
    while len(text) < size:
        sentence = " ".join(WORDS[int(draw.random() ** 2 * len(WORDS))] for _ in range(int(draw.random() * 9) + 3))
        text += sentence.capitalize().encode() + b".\n"
    return text[:size]


def blocks(archive):
    """Where its blocks begin, and its end."""
    starts = [HEADER]
    while True:
        plain, coded = struct.unpack_from("<II", archive, starts[-1])
        if plain == 0:
            return starts
        starts.append(starts[-1] + 12 + coded)


def with_header(archive, version=None, preset=None, options=None):
    """The archive with other fields in its header, whose checksum is right."""
    header = bytearray(archive[:HEADER - 4])
    for place, value in ((8, version), (9, preset), (10, options)):
        if value is not None:
            header[place] = value
    return bytes(header) + struct.pack("<I", zlib.crc32(header)) + archive[HEADER:]
