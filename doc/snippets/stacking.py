import librnn

net = librnn.Network(input_size=3, hidden_size=16, output_size=2, cell="gru", num_layers=2)
for name, values in net.parameters.items():
    print(f"{name:13} {values.shape}")
print("floats of state:", net.state.size)
