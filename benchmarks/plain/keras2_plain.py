"""Plain Keras 2.3: Sequential, compile and fit; KERAS_BACKEND chooses what computes. Prints {"epoch_seconds", ...}."""

import argparse
import json
import os
import time
from glob import glob

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("data_folder", help="holds train_x.npy (uint8 images) and train_y.npy")
parser.add_argument("workload", choices=["mlp", "cnn"])
parser.add_argument("epochs", type=int)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seed", type=int, default=1)
a = parser.parse_args()  # threads of Theano: OMP_NUM_THREADS

if os.environ["KERAS_BACKEND"] == "theano":  # as Theano's documentation asks, a BLAS that it may link
    folder, name = os.path.split(glob(np.__path__[0] + ".libs/libopenblas*.so")[0])
    os.environ["THEANO_FLAGS"] = "floatX=float32,blas.ldflags=-L{} -l{}".format(folder, name[len("lib") : -len(".so")])

import keras
from keras import layers

images, tests = [
    np.load(a.data_folder + name).reshape(-1, 28, 28, 1).astype(np.float32) / np.float32(255)
    for name in ("/train_x.npy", "/test_x.npy")
]
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(a.threads)
    tf.config.threading.set_inter_op_parallelism_threads(a.threads)
else:
    keras.backend.set_image_data_format("channels_first")
    images, tests = [np.ascontiguousarray(x.transpose(0, 3, 1, 2)) for x in (images, tests)]
if keras.backend.backend() == "cntk":
    import cntk

    cntk.cntk_py.set_max_num_cputhreads(a.threads)
    cntk.logging.set_trace_level(cntk.logging.TraceLevel.Error)
labels = np.load(a.data_folder + "/train_y.npy").astype(np.int32)
conv = [
    layers.Conv2D(8, 5, activation="relu"), layers.MaxPooling2D(2),
    layers.Conv2D(16, 3, padding="same", activation="relu"), layers.MaxPooling2D(2),
]  # fmt: skip
dense = [layers.Dense(100, activation="tanh")] if a.workload == "mlp" else []
first = [layers.InputLayer(images.shape[1:])]
model = keras.Sequential([*first, *(conv if a.workload == "cnn" else []), layers.Flatten(), *dense, layers.Dense(10)])
model.compile(
    optimizer=keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)

epoch_seconds = []
for epoch in range(a.epochs):
    order = np.random.RandomState([a.seed, epoch]).permutation(len(images))
    x, y = images[order], labels[order]
    start = time.perf_counter()
    model.fit(x, y, batch_size=128, shuffle=False, verbose=0)
    epoch_seconds.append(time.perf_counter() - start)
predict_seconds = []
for _ in range(10):
    start = time.perf_counter()
    outputs = model.predict(tests, batch_size=512)
    predict_seconds.append(time.perf_counter() - start)
print(json.dumps({"epoch_seconds": epoch_seconds, "predict_seconds": predict_seconds}))
