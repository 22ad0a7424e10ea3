"""Plain Chainer: the custom loop of its MNIST example, over arrays. Prints the seconds."""

import argparse
import json
import time

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("data_folder", help="holds train_x.npy and test_x.npy (uint8 images), and train_y.npy")
parser.add_argument("workload", choices=["mlp", "cnn"])
parser.add_argument("epochs", type=int)
parser.add_argument("--threads", type=int, help="for the record: OMP_NUM_THREADS sets them")
parser.add_argument("--seed", type=int, default=1)
a = parser.parse_args()


class NesterovRule(chainer.optimizers.momentum_sgd.MomentumSGDRule):
    """Nesterov's momentum as Keras has it; Chainer's NesterovAG is another."""

    def update_core(self, param):
        v, step = self.state["v"], self.hyperparam.lr * param.grad
        v *= self.hyperparam.momentum
        v -= step
        param.array += self.hyperparam.momentum * v - step


class Nesterov(chainer.optimizers.MomentumSGD):
    def create_update_rule(self):
        return NesterovRule(self.hyperparam)


def pool(x):
    return F.max_pooling_2d(x, 2, cover_all=False)


chainer.global_config.type_check = False  # as Chainer's page on performance advises
images = np.load(a.data_folder + "/train_x.npy").reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
test_images = np.load(a.data_folder + "/test_x.npy").reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
labels = np.load(a.data_folder + "/train_y.npy").astype(np.int32)
layers = {
    "mlp": [L.Linear(784, 100), F.tanh, L.Linear(100, 10)],
    "cnn": [L.Convolution2D(1, 8, 5), F.relu, pool, L.Convolution2D(8, 16, 3, pad=1), F.relu, pool, L.Linear(576, 10)],
}
model = chainer.Sequential(*layers[a.workload])
optimiser = Nesterov(0.01, 0.9).setup(model)

epoch_seconds = []
for epoch in range(a.epochs):
    order = np.random.RandomState([a.seed, epoch]).permutation(len(images))
    x, y = images[order], labels[order]
    start = time.perf_counter()
    for first in range(0, len(x), 128):
        loss = F.softmax_cross_entropy(model(x[first : first + 128]), y[first : first + 128])
        model.cleargrads()
        loss.backward()
        optimiser.update()
    epoch_seconds.append(time.perf_counter() - start)
predict_seconds = []
for _ in range(10):
    start = time.perf_counter()
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        batches = [test_images[first : first + 512] for first in range(0, len(test_images), 512)]
        outputs = np.concatenate([model(batch).array for batch in batches])
    predict_seconds.append(time.perf_counter() - start)
print(json.dumps({"epoch_seconds": epoch_seconds, "predict_seconds": predict_seconds}))
