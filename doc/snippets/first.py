# Learn a sentence letter by letter, then say it.
import librnn
import numpy as np

text = "the cell keeps what it has seen\n"
letters = np.frombuffer(text.encode(), np.uint8).astype(np.int32)

net = librnn.Network(input_size=128, hidden_size=32, output_size=128)
net.fit([letters[:-1]], [letters[1:]], learning_rate=0.01, epochs=200)

said = net.generate(letters[:1], 80, greedy=True, stop=ord("\n"))
print("t" + "".join(map(chr, said)), end="")
