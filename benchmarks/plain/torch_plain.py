"""Plain PyTorch: the loop of its tutorial "What is torch.nn really?". Prints the seconds."""

import argparse
import json
import time

import numpy as np
import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("data_folder", help="holds train_x.npy and test_x.npy (uint8 images), and train_y.npy")
parser.add_argument("workload", choices=["mlp", "cnn"])
parser.add_argument("epochs", type=int)
parser.add_argument("--mode", choices=["compile"])
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seed", type=int, default=1)
a = parser.parse_args()

torch.set_num_threads(a.threads)
images = np.load(a.data_folder + "/train_x.npy").reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
test_images = np.load(a.data_folder + "/test_x.npy").reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
labels = np.load(a.data_folder + "/train_y.npy").astype(np.int64)
conv = nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2)
layers = {
    "mlp": [nn.Flatten(), nn.Linear(784, 100), nn.Tanh(), nn.Linear(100, 10)],
    "cnn": [*conv, nn.Flatten(), nn.Linear(576, 10)],
}
model = nn.Sequential(*layers[a.workload])
if a.mode == "compile":
    model = torch.compile(model)
optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)

epoch_seconds = []
for epoch in range(a.epochs):
    order = np.random.RandomState([a.seed, epoch]).permutation(len(images))
    x, y = torch.from_numpy(images[order]), torch.from_numpy(labels[order])
    start = time.perf_counter()
    for xb, yb in zip(x.split(128), y.split(128)):
        loss = nn.functional.cross_entropy(model(xb), yb)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    loss.item()
    epoch_seconds.append(time.perf_counter() - start)
model.eval()
tests = torch.from_numpy(test_images)
predict_seconds = []
for _ in range(10):
    start = time.perf_counter()
    with torch.inference_mode():
        outputs = torch.cat([model(batch) for batch in tests.split(512)]).numpy()
    predict_seconds.append(time.perf_counter() - start)
print(json.dumps({"epoch_seconds": epoch_seconds, "predict_seconds": predict_seconds}))
