"""A model of PyTorch with a recurrent layer of librnn inside: it learns to add two marked numbers of a sequence."""

import librnn
import librnn.torch
import torch


class Adder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.read = torch.nn.Linear(2, 8)
        self.cell = librnn.torch.Layer(librnn.Network(8, 24, cell="gru", seed=1), pooling="last")
        self.head = torch.nn.Linear(24, 1)

    def forward(self, x):
        y, _ = self.cell(torch.tanh(self.read(x)))
        return self.head(y)[:, 0]


def batch(count, steps):
    values, marks = torch.rand(count, steps), torch.zeros(count, steps)
    marks[torch.arange(count), torch.randint(0, steps // 2, (count,))] = 1
    marks[torch.arange(count), torch.randint(steps // 2, steps, (count,))] = 1
    return torch.stack([values, marks], 2), (values * marks).sum(1)


def main():
    torch.manual_seed(1)
    model = Adder()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for update in range(301):
        x, y = batch(64, 10)
        loss = torch.nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
        optimizer.step()
        if update % 100 == 0:
            print(f"update {update}: loss {loss.item():.4f}")
    x, y = batch(500, 10)
    with torch.no_grad():
        error = torch.nn.functional.mse_loss(model(x), y).item()
    print(f"error {error:.4f}; the mean of all sums has {y.var().item():.4f}")
    assert error < 0.2 * y.var().item()


main()
