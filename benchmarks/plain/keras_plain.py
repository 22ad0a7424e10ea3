"""Plain Keras: a Sequential model, compile and fit; KERAS_BACKEND chooses what computes. Prints the seconds."""

import argparse
import json
import time

import keras
import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("data_folder", help="holds train_x.npy and test_x.npy (uint8 images), and train_y.npy")
parser.add_argument("workload", choices=["mlp", "cnn"])
parser.add_argument("epochs", type=int)
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seed", type=int, default=1)
a = parser.parse_args()  # threads of JAX: NPROC

if keras.config.backend() == "torch":
    import torch

    torch.set_num_threads(a.threads)
    if torch.get_num_interop_threads() != 1:  # may be set once per process
        torch.set_num_interop_threads(1)
    keras.config.set_image_data_format("channels_first")  # PyTorch's own: no transposing around every convolution
if keras.config.backend() == "tensorflow":
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(a.threads)
    tf.config.threading.set_inter_op_parallelism_threads(a.threads)
images = np.load(a.data_folder + "/train_x.npy").reshape(-1, 28, 28, 1).astype(np.float32) / np.float32(255)
test_images = np.load(a.data_folder + "/test_x.npy").reshape(-1, 28, 28, 1).astype(np.float32) / np.float32(255)
labels = np.load(a.data_folder + "/train_y.npy").astype(np.int32)
if keras.config.image_data_format() == "channels_first":  # of one channel: the same bytes
    images, test_images = images.reshape(-1, 1, 28, 28), test_images.reshape(-1, 1, 28, 28)
layers = keras.layers
conv = [
    layers.Conv2D(8, 5, activation="relu"), layers.MaxPooling2D(2),
    layers.Conv2D(16, 3, padding="same", activation="relu"), layers.MaxPooling2D(2),
]  # fmt: skip
dense = [layers.Dense(100, activation="tanh")] if a.workload == "mlp" else []
flatten = layers.Flatten("channels_last")  # as it lies in memory: there is nothing to turn over
model = keras.Sequential([*(conv if a.workload == "cnn" else []), flatten, *dense, layers.Dense(10)])
model.compile(
    optimizer=keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)


def rows(size, *arrays):
    """Return what fit and predict take: for TensorFlow a tf.data pipeline, as its guides have it. With AUTOTUNE, the
    end of an epoch on one CPU waits for the tuning's thread, which sleeps for twice as long each time."""
    if keras.config.backend() == "tensorflow":
        data = tf.data.Dataset.from_tensor_slices(arrays if len(arrays) > 1 else arrays[0])
        options = tf.data.Options()
        options.autotune.enabled = False
        return {"x": data.batch(size).prefetch(2).with_options(options)}
    as_tensor = torch.from_numpy if keras.config.backend() == "torch" else np.asarray
    return {**dict(zip("xy", map(as_tensor, arrays))), "batch_size": size}


epoch_seconds = []
for epoch in range(a.epochs):
    order = np.random.RandomState([a.seed, epoch]).permutation(len(images))
    batches = rows(128, images[order], labels[order])
    start = time.perf_counter()
    model.fit(**batches, shuffle=False, verbose=0)
    epoch_seconds.append(time.perf_counter() - start)
batches, predict_seconds = rows(512, test_images), []
for _ in range(10):
    start = time.perf_counter()
    outputs = model.predict(**batches, verbose=0)
    predict_seconds.append(time.perf_counter() - start)
print(json.dumps({"epoch_seconds": epoch_seconds, "predict_seconds": predict_seconds}))
