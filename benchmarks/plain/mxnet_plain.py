"""Plain MXNet: the loop of its Gluon tutorials over hybridised blocks. Prints the seconds."""

import argparse
import json
import time

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon
from mxnet.gluon import nn

parser = argparse.ArgumentParser()
parser.add_argument("data_folder", help="holds train_x.npy and test_x.npy (uint8 images), and train_y.npy")
parser.add_argument("workload", choices=["mlp", "cnn"])
parser.add_argument("epochs", type=int)
parser.add_argument("--mode", choices=["imperative"])
parser.add_argument("--threads", type=int, help="for the record: MXNET_OMP_MAX_THREADS sets them")
parser.add_argument("--seed", type=int, default=1)
a = parser.parse_args()

images = np.load(a.data_folder + "/train_x.npy").reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
test_images = np.load(a.data_folder + "/test_x.npy").reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
labels = np.load(a.data_folder + "/train_y.npy").astype(np.int32)
net = nn.HybridSequential()
if a.workload == "cnn":
    net.add(nn.Conv2D(8, 5, activation="relu"), nn.MaxPool2D(2))
    net.add(nn.Conv2D(16, 3, padding=1, activation="relu"), nn.MaxPool2D(2))
else:
    net.add(nn.Dense(100, activation="tanh"))
net.add(nn.Dense(10))
mx.random.seed(a.seed)
net.initialize(mx.init.Xavier())
compute_loss = gluon.loss.SoftmaxCrossEntropyLoss()
if a.mode is None:
    net.hybridize(static_alloc=True, static_shape=True)
    compute_loss.hybridize(static_alloc=True, static_shape=True)
trainer = gluon.Trainer(net.collect_params(), "nag", {"learning_rate": 0.01, "momentum": 0.9})

epoch_seconds = []
for epoch in range(a.epochs):
    order = np.random.RandomState([a.seed, epoch]).permutation(len(images))
    x, y = mx.nd.array(images[order]), mx.nd.array(labels[order], dtype="int32")
    mx.nd.waitall()
    start = time.perf_counter()
    for first in range(0, len(images), 128):
        xb, yb = x[first : first + 128], y[first : first + 128]
        with autograd.record():
            loss = compute_loss(net(xb), yb)
        loss.backward()
        trainer.step(len(xb))
    mx.nd.waitall()
    epoch_seconds.append(time.perf_counter() - start)
tests = mx.nd.array(test_images)
predict_seconds = []
for _ in range(10):
    start = time.perf_counter()
    outputs = mx.nd.concat(*[net(tests[i : i + 512]) for i in range(0, len(tests), 512)], dim=0).asnumpy()
    predict_seconds.append(time.perf_counter() - start)
print(json.dumps({"epoch_seconds": epoch_seconds, "predict_seconds": predict_seconds}))
