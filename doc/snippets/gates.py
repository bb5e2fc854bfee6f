import librnn
import numpy as np

x = np.random.default_rng(1).uniform(-1, 1, (1, 41, 1)).astype(np.float32)
networks = {"vanilla": {"cell": "vanilla"}, "GRU": {"cell": "gru"}, "LSTM": {"cell": "lstm"},
            "LSTM, forget bias 2": {"cell": "lstm", "forget_bias": 2}}

print(f"{'steps back':20}", *(f"{steps:8}" for steps in (0, 10, 20, 40)))
for name, options in networks.items():
    net = librnn.Network(1, 32, 1, seed=2, **options)
    tape = librnn.Tape(net)
    tape.forward(x, pooling="last")
    d_x, _ = tape.backward(np.ones((1, 1)))       # of the last output, by each input
    size = np.abs(d_x[0, ::-1, 0])
    print(f"{name:20}", *(f"{size[steps] / size[0]:8.1e}" for steps in (0, 10, 20, 40)))
