import librnn
import numpy as np

x = np.random.default_rng(1).uniform(-1, 1, (64, 20, 1)).astype(np.float32)
y = np.cumsum(x, axis=1) / 4

# [checkpoint]
net = librnn.Network(1, 16, 1, cell="gru", seed=1)
trainer = librnn.Trainer(net, epochs=10, learning_rate=0.01, callback=lambda progress: progress.update == 7)
trainer.run(x, y)                      # stopped after seven of 20 updates
trainer.save("run.checkpoint")

again = librnn.Trainer(librnn.Network(1, 16, 1, cell="gru"), epochs=10, learning_rate=0.01)
again.load("run.checkpoint")
again.run(x, y)                        # the other thirteen

whole = librnn.Trainer(librnn.Network(1, 16, 1, cell="gru", seed=1), epochs=10, learning_rate=0.01)
whole.run(x, y)
same = all((a == b).all() for a, b in zip(again.network().parameters.values(), whole.network().parameters.values()))
print("the same weights as in one run:", same)

# [more]
model = again.network()
model.save("model.safetensors")
model = librnn.load("model.safetensors")     # weights without the optimizer's state: a new training from there
before = model.evaluate(x, y).loss
model.fit(x, y, epochs=20, learning_rate=0.002)
print("lower loss:", model.evaluate(x, y).loss < before)
