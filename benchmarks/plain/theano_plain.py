"""Plain Theano: its deep-learning tutorial's compiled step over shared data. Prints the seconds."""

import argparse
import json
import os
import time
from glob import glob

import numpy as np

# As Theano's documentation asks, a BLAS that it may link: the OpenBLAS of NumPy's wheel.
blas = glob(os.path.join(os.path.dirname(np.__path__[0]), "numpy.libs", "libopenblas*.so"))[0]
folder, name = os.path.split(blas)
os.environ["THEANO_FLAGS"] = "floatX=float32,blas__ldflags=-L{} -l{}".format(folder, name[len("lib") : -len(".so")])

import theano
import theano.tensor as T
from theano.tensor.signal.pool import pool_2d

parser = argparse.ArgumentParser()
parser.add_argument("data_folder", help="holds train_x.npy and test_x.npy (uint8 images), and train_y.npy")
parser.add_argument("workload", choices=["mlp", "cnn"])
parser.add_argument("epochs", type=int)
parser.add_argument("--threads", type=int, help="for the record: OMP_NUM_THREADS sets them")
parser.add_argument("--seed", type=int, default=1)
a = parser.parse_args()

images = np.load(a.data_folder + "/train_x.npy").reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
test_images = np.load(a.data_folder + "/test_x.npy").reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
labels = np.load(a.data_folder + "/train_y.npy").astype(np.int32)
shapes = {
    "mlp": [(784, 100), (100,), (100, 10), (10,)],
    "cnn": [(8, 1, 5, 5), (8,), (16, 8, 3, 3), (16,), (576, 10), (10,)],
}
random = np.random.RandomState(a.seed)
weights = [theano.shared(random.normal(0, 0.05, shape).astype(np.float32)) for shape in shapes[a.workload]]
data_x, data_y = theano.shared(images, borrow=True), theano.shared(labels, borrow=True)

start, stop = T.lscalars("start", "stop")
x, y = data_x[start:stop], data_y[start:stop]
if a.workload == "cnn":
    for kernel, bias, mode in ((*weights[:2], "valid"), (*weights[2:4], "half")):
        x = T.nnet.conv2d(x, kernel, border_mode=mode, filter_shape=kernel.get_value().shape, filter_flip=False)
        x = x + bias.dimshuffle("x", 0, "x", "x")
        x = pool_2d(x * (x > 0), (2, 2), ignore_border=True)  # its gradient is cheaper than that of T.nnet.relu
else:
    x = T.tanh(T.dot(x.flatten(2), weights[0]) + weights[1])
logits = T.dot(x.flatten(2), weights[-2]) + weights[-1]
loss = T.nnet.categorical_crossentropy(T.nnet.softmax(logits), y).mean()
rate, momentum, updates = np.float32(0.01), np.float32(0.9), []
for w, d in zip(weights, T.grad(loss, weights)):
    v = theano.shared(np.zeros_like(w.get_value()))
    step = momentum * v - rate * d
    updates += [(v, step), (w, w + momentum * step - rate * d)]
train = theano.function([start, stop], loss, updates=updates)
predict = theano.function([start, stop], logits)

epoch_seconds = []
for epoch in range(a.epochs):
    order = np.random.RandomState([a.seed, epoch]).permutation(len(images))
    data_x.set_value(images[order], borrow=True)
    data_y.set_value(labels[order], borrow=True)
    begin = time.perf_counter()
    for first in range(0, len(images), 128):
        train(first, min(first + 128, len(images)))
    epoch_seconds.append(time.perf_counter() - begin)
data_x.set_value(test_images, borrow=True)
rows, predict_seconds = len(test_images), []
for _ in range(10):
    begin = time.perf_counter()
    outputs = np.concatenate([predict(first, min(first + 512, rows)) for first in range(0, rows, 512)])
    predict_seconds.append(time.perf_counter() - begin)
print(json.dumps({"epoch_seconds": epoch_seconds, "predict_seconds": predict_seconds}))
