"""Plain CNTK: the Trainer and minibatches of its tutorials 103 (MNIST). Prints the seconds."""

import argparse
import json
import time
import warnings

import numpy as np

warnings.simplefilter("ignore")  # CNTK's, of Linux distributions that it does not know

import cntk as C

parser = argparse.ArgumentParser()
parser.add_argument("data_folder", help="holds train_x.npy and test_x.npy (uint8 images), and train_y.npy")
parser.add_argument("workload", choices=["mlp", "cnn"])
parser.add_argument("epochs", type=int)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seed", type=int, default=1)
a = parser.parse_args()

C.cntk_py.set_max_num_cputhreads(a.threads)
C.try_set_default_device(C.cpu())
images = np.load(a.data_folder + "/train_x.npy").reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
test_images = np.load(a.data_folder + "/test_x.npy").reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
labels = np.eye(10, dtype=np.float32)[np.load(a.data_folder + "/train_y.npy")]
layers = {
    "mlp": [C.layers.Dense(100, C.tanh), C.layers.Dense(10)],
    "cnn": [
        C.layers.Convolution2D((5, 5), 8, C.relu),
        C.layers.MaxPooling((2, 2), (2, 2)),
        C.layers.Convolution2D((3, 3), 16, C.relu, pad=True),
        C.layers.MaxPooling((2, 2), (2, 2)),
        C.layers.Dense(10),
    ],
}
x, y = C.input_variable(images.shape[1:]), C.input_variable(10)
z = C.layers.Sequential(layers[a.workload])(x)
loss = C.cross_entropy_with_softmax(z, y)
rate, momentum = C.learning_parameter_schedule(0.01), C.momentum_schedule(0.9)
learner = C.nesterov(z.parameters, rate, momentum, unit_gain=False)
trainer = C.Trainer(z, (loss, None), [learner])

epoch_seconds = []
for epoch in range(a.epochs):
    order = np.random.RandomState([a.seed, epoch]).permutation(len(images))
    images_now, labels_now = images[order], labels[order]
    start = time.perf_counter()
    for first in range(0, len(images), 128):
        trainer.train_minibatch({x: images_now[first : first + 128], y: labels_now[first : first + 128]})
    epoch_seconds.append(time.perf_counter() - start)
predict_seconds = []
for _ in range(10):
    start = time.perf_counter()
    batches = [test_images[first : first + 512] for first in range(0, len(test_images), 512)]
    outputs = np.concatenate([z.eval({x: batch}) for batch in batches])
    predict_seconds.append(time.perf_counter() - start)
print(json.dumps({"epoch_seconds": epoch_seconds, "predict_seconds": predict_seconds}))
