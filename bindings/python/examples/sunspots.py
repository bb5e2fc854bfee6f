"""Forecast yearly sunspot numbers one year ahead: sunspots.py [FILE.csv], by default examples/sunspots.csv."""

import pathlib
import sys

import librnn
import numpy as np

DEFAULT = pathlib.Path(__file__).resolve().parents[3] / "examples/sunspots.csv"
TEST = 60  # the last years


def read(path):
    lines = [line for line in path.read_text().splitlines() if line[:1].isdigit()]
    return np.array([float(line.split(",")[1]) for line in lines], np.float32)


def main():
    numbers = read(pathlib.Path(sys.argv[1]) if sys.argv[1:] else DEFAULT)
    scale = numbers[:-TEST].max()
    series = numbers[:, None] / scale
    x, y = series[:-1], series[1:]
    known = len(x) - TEST

    net = librnn.Network(1, 16, 1, cell="gru", seed=1)
    net.fit(x[:known], y[:known], epochs=300, learning_rate=0.01, clip_norm=1)

    net(x[:known], stateful=True)  # the stream has read what is known
    forecast = net(x[known:], stateful=True)
    error = np.sqrt(np.mean((forecast - y[known:]) ** 2)) * scale
    same = np.sqrt(np.mean((x[known:] - y[known:]) ** 2)) * scale
    print(f"error of the forecast {error:.1f}, of last year's number {same:.1f}")
    assert error < same


main()
