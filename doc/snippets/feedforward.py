import librnn

Layer = librnn.Layer
feedforward = librnn.Network(1, layers=[Layer("dense", 8, activation="tanh"), Layer("dense", 1)], seed=1)
recurrent = librnn.Network(1, layers=[Layer("vanilla", 8), Layer("dense", 1)], seed=1)

print("input  feed-forward  recurrent")
for x in [1, 0, 1, 1]:
    print(f"{x:5}  {feedforward.step([x])[0]:12.4f}  {recurrent.step([x])[0]:9.4f}")
