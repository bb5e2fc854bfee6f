import librnn
import numpy as np

# [data]
# Say at each step what the input was three steps ago.
x = np.random.default_rng(1).uniform(-1, 1, (64, 20, 1)).astype(np.float32)
y = np.zeros_like(x)
y[:, 3:] = x[:, :-3]

net = librnn.Network(input_size=1, hidden_size=16, output_size=1, seed=1)
tape = librnn.Tape(net)
error = tape.forward(x) - y               # runs all steps, and keeps what the way back needs
tape.backward(2 * error / error.size)     # the gradient of the mean of error ** 2 by the outputs
gradient = tape.gradients["weight_hh_l0"][0, 0]


def loss(change):
    changed = net.clone()
    weights = changed.parameters["weight_hh_l0"].copy()
    weights[0, 0] += change
    changed.parameters["weight_hh_l0"] = weights
    return np.mean((changed(x) - y).astype(np.float64) ** 2)


difference = (loss(1e-2) - loss(-1e-2)) / 2e-2
print(f"by backpropagation {gradient:.4f}, by a small change {difference:.4f}")

# [fit]
history = net.fit(x, y, epochs=150, learning_rate=0.01, clip_norm=1)
print(f"loss {history.loss[0]:.3f}, after {len(history.loss)} updates {history.loss[-1]:.4f}")
