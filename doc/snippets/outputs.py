import librnn
import numpy as np

x = np.random.default_rng(1).uniform(-1, 1, (5, 3)).astype(np.float32)  # a sequence of five steps
net = librnn.Network(input_size=3, hidden_size=16, output_size=2, cell="gru", seed=1)

# [per step]
y = net(x)
print("per step:  ", x.shape, "->", y.shape)

# [at the end]
last = net(x, pooling="last")
print("at the end:", x.shape, "->", last.shape, (last == y[-1]).all())

# [a sequence afterwards]
decoder = librnn.Network(input_size=2, hidden_size=16, output_size=2, cell="gru", seed=2)
_, state = net(x, return_state=True)    # the encoder reads all of its input
decoder.state = state                   # what it has kept is where the decoder starts
said = decoder.rollout([0, 0], 7)       # each output is the next input
print("afterwards:", x.shape, "->", said.shape)
