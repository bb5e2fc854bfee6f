import librnn
import numpy as np

net = librnn.Network(input_size=3, hidden_size=4, output_size=2, cell="vanilla", seed=1)
W_ih, W_hh, b_h = (net.parameters[name] for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"))
W_ho, b_o = net.parameters["head.weight"], net.parameters["head.bias"]

h = np.zeros(4)
for x in np.float32([[1, 0, 0], [0, 1, 0], [1, 0, 0]]):
    h = np.tanh(W_ih @ x + W_hh @ h + b_h)  # the state: what the network keeps
    y = W_ho @ h + b_o                      # the output: what it says
    print("by hand", y.round(4), "librnn", net.step(x).round(4))
