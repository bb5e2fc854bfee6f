import librnn
import numpy as np
import torch


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = torch.nn.LSTM(3, 16, num_layers=2, batch_first=True)
        self.head = torch.nn.Linear(16, 2)

    def forward(self, x):
        return self.head(self.cell(x)[0])


model = Model()                                  # ... trained by PyTorch
torch.save(model.state_dict(), "model.pt")

net = librnn.load("model.pt")
x = torch.rand(1, 10, 3)
print(np.abs(net(x.numpy()) - model(x).detach().numpy()).max() < 1e-6)
