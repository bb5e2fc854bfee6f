import librnn
import numpy as np

# [data]
text = "hey how are you\ngood i am fine\nhave a nice day\n"
alphabet = sorted(set(text))
indices = np.array([alphabet.index(c) for c in text], np.int32)

net = librnn.Network(len(alphabet), hidden_size=24, output_size=len(alphabet), cell="gru", seed=1)
history = net.fit([indices[:-1]], [indices[1:]], epochs=60, learning_rate=0.02, clip_norm=1)
print(f"loss {history.loss[0]:.2f}, then {history.loss[-1]:.2f} nats a character")

# [probabilities]
logits = net([alphabet.index(c) for c in "\nha"])[-1]
p = np.exp(logits - logits.max())
p /= p.sum()
for i in p.argsort()[::-1][:3]:
    print(f"after a new line and 'ha': {alphabet[i]!r} {p[i]:.2f}")

# [generate]
for temperature in (0.2, 2):
    net.reset()
    drawn = net.generate([alphabet.index("h")], 40, temperature=temperature, seed=3, stop=alphabet.index("\n"))
    print(f"temperature {temperature}: h" + "".join(alphabet[i] for i in drawn).rstrip())
