"""A network as a layer of a PyTorch model."""

import copy
import importlib.util
import unittest
import warnings

import librnn
import numpy as np

HAVE_TORCH = importlib.util.find_spec("torch") is not None
if HAVE_TORCH:
    import librnn.torch
    import torch
else:
    print("skipped: the layer of PyTorch; torch is missing (Debian: python3-torch)")


@unittest.skipUnless(HAVE_TORCH, "torch is missing (Debian: python3-torch)")
class TorchLayer(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        self.net = librnn.Network(3, 5, 2, cell="lstm", seed=1)
        self.layer = librnn.torch.Layer(self.net)
        self.x, self.state = torch.randn(2, 4, 3), torch.randn(2, 10)

    def check_gradients(self, layer, x, state):
        """float32: large steps and tolerances."""
        names = [name for name, _ in layer.named_parameters()]

        def run(x, state, *values):
            return librnn.torch._Pass.apply(layer, x, state, *values)

        inputs = [x.requires_grad_(x.is_floating_point()), state.requires_grad_(),
                  *(getattr(layer, name) for name in names)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the inputs are not double
            self.assertTrue(torch.autograd.gradcheck(run, inputs, eps=1e-2, atol=5e-3, rtol=1e-2, nondet_tol=0))

    def test_gradcheck(self):
        self.check_gradients(self.layer, self.x, self.state)

    def test_gradcheck_of_pooling_and_indices(self):
        self.check_gradients(librnn.torch.Layer(self.net, pooling="mean"), self.x, self.state)
        embedded = librnn.Network(7, 5, 2, cell="gru", embedding_size=3)
        self.check_gradients(librnn.torch.Layer(embedded), torch.tensor([[0, 3, 6], [1, 1, 2]]), torch.randn(2, 5))

    def test_outputs_and_gradients_are_those_of_torch(self):
        theirs = torch.nn.LSTM(3, 5, batch_first=True)
        net = librnn.Network(3, 5, cell="lstm")
        values = {name: p.detach().numpy() for name, p in theirs.named_parameters()}
        values["bias_ih_l0"] = values["bias_ih_l0"] + values.pop("bias_hh_l0")
        net.parameters = values
        layer = librnn.torch.Layer(net)
        y, (h, c) = theirs(self.x)
        ours, state = layer(self.x)
        torch.testing.assert_close(ours, y, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(state, torch.cat([h[0], c[0]], 1), atol=1e-5, rtol=1e-5)
        y.pow(2).sum().backward()
        ours.pow(2).sum().backward()
        torch.testing.assert_close(layer.weight_hh_l0.grad, theirs.weight_hh_l0.grad, atol=1e-5, rtol=1e-4)

    def test_a_model_learns(self):
        model = torch.nn.Sequential(torch.nn.Linear(2, 3), librnn.torch.Layer(self.net, pooling="last"))
        head = torch.nn.Linear(2, 1)
        x = torch.rand(32, 6, 2)
        y = x.sum((1, 2))
        optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], 0.02)
        losses = []
        for _ in range(60):
            optimizer.zero_grad()
            loss = (head(model(x)[0])[:, 0] - y).pow(2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        self.assertLess(losses[-1], 0.2 * losses[0])
        with torch.no_grad():
            np.testing.assert_array_equal(model[1].network(model[0](x).numpy(), pooling="last"), model(x)[0].numpy())

    def test_two_passes_before_one_backward(self):
        first, state = self.layer(self.x)
        second, _ = self.layer(self.x, state)
        (first.sum() + second.sum()).backward()
        joined = copy.deepcopy(self.layer)
        joined.zero_grad()
        joined(torch.cat([self.x, self.x], 1))[0].sum().backward()
        torch.testing.assert_close(self.layer.weight_ih_l0.grad, joined.weight_ih_l0.grad, atol=1e-5, rtol=1e-4)

    def test_state_dicts_and_doubles(self):
        other = librnn.torch.Layer(librnn.Network(3, 5, 2, cell="lstm", seed=2))
        other.load_state_dict(self.layer.state_dict())
        x = self.x.double().requires_grad_()
        y, _ = other(x)
        torch.testing.assert_close(y, self.layer(self.x)[0])
        y.sum().backward()
        self.assertEqual(x.grad.dtype, torch.float64)

    def test_a_pass_goes_back_twice_with_the_weights_that_it_had(self):
        y, _ = self.layer(self.x)
        y.sum().backward(retain_graph=True)
        once = self.layer.weight_ih_l0.grad.clone()
        with torch.no_grad():
            self.layer.weight_ih_l0.mul_(2)
        self.layer(self.x)
        y.sum().backward()
        torch.testing.assert_close(self.layer.weight_ih_l0.grad, 2 * once, atol=0, rtol=0)
