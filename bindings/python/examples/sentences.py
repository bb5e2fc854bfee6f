"""A character model: learn three sentences with 12 hidden units, then complete them."""

import librnn
import numpy as np

SENTENCES = ["hey how are you", "good i am fine", "have a nice day"]
END = "\n"
ALPHABET = sorted(set("".join(SENTENCES) + END))  # an index is a place in it


def encode(text):
    return np.array([ALPHABET.index(c) for c in text], np.int32)


def complete(net, start):
    net.reset()
    drawn = net.generate(encode(start), 64, greedy=True, stop=ALPHABET.index(END))
    return start + "".join(ALPHABET[i] for i in drawn).rstrip(END)


def main():
    net = librnn.Network(len(ALPHABET), 12, len(ALPHABET), seed=1)
    # Each character predicts the next.
    history = net.fit([encode(s) for s in SENTENCES], [encode(s[1:] + END) for s in SENTENCES], epochs=5000,
                      learning_rate=0.01, clip_norm=1, callback=lambda progress: progress.loss < 0.05)
    print(f"{len(history.loss)} updates, loss {history.loss[-1]:.3f}")
    for sentence in SENTENCES:
        print(complete(net, sentence[:4]))
        assert complete(net, sentence[:4]) == sentence


main()
