import json

import librnn

# What RTNeural's and AIDA-X's tools write: layers with Keras' shapes.
model = {
    "in_shape": [None, None, 1],
    "layers": [
        {"type": "gru", "activation": "tanh", "shape": [None, None, 2],
         "weights": [[[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]],
                     [[0.1, 0.0, 0.2, 0.0, 0.3, 0.0], [0.0, 0.1, 0.0, 0.2, 0.0, 0.3]],
                     [[0.0] * 6, [0.0] * 6]]},
        {"type": "dense", "activation": "", "shape": [None, None, 1], "weights": [[[1.0], [-0.5]], [0.25]]}],
    "in_gain": 3, "samplerate": 48000}
with open("amp.json", "w") as file:
    json.dump(model, file)

net = librnn.load("amp.json")
print(net)
print(dict(net.metadata))
print(net.step([1]).round(4))
net.save("amp.safetensors")      # loads faster, and with a probe
