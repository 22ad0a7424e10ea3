"""Plain TensorFlow: its guide's training step in a tf.function that loops over an epoch. Prints the seconds.

Mode ``eager``: the loop and the step in Python. Mode ``xla``: the loop calls the step compiled by XLA.
"""

import argparse
import json
import time

import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser()
parser.add_argument("data_folder", help="holds train_x.npy and test_x.npy (uint8 images), and train_y.npy")
parser.add_argument("workload", choices=["mlp", "cnn"])
parser.add_argument("epochs", type=int)
parser.add_argument("--mode", choices=["eager", "xla"])
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--seed", type=int, default=1)
a = parser.parse_args()

tf.config.threading.set_intra_op_parallelism_threads(a.threads)
tf.config.threading.set_inter_op_parallelism_threads(a.threads)
images = np.load(a.data_folder + "/train_x.npy").reshape(-1, 28, 28, 1).astype(np.float32) / np.float32(255)
test_images = np.load(a.data_folder + "/test_x.npy").reshape(-1, 28, 28, 1).astype(np.float32) / np.float32(255)
labels = np.load(a.data_folder + "/train_y.npy").astype(np.int64)
mlp, cnn = [(784, 100), (100,), (100, 10), (10,)], [(5, 5, 1, 8), (8,), (3, 3, 8, 16), (16,), (576, 10), (10,)]
weights = [tf.Variable(tf.random.normal(shape, stddev=0.05)) for shape in (mlp if a.workload == "mlp" else cnn)]
velocities = [tf.Variable(tf.zeros_like(w)) for w in weights]


def model(x):
    if a.workload == "mlp":
        return tf.tanh(tf.reshape(x, [-1, 784]) @ weights[0] + weights[1]) @ weights[2] + weights[3]
    for kernel, bias, padding in ((*weights[:2], "VALID"), (*weights[2:4], "SAME")):
        x = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(x, kernel, 1, padding) + bias), 2, 2, "VALID")
    return tf.reshape(x, [-1, 576]) @ weights[4] + weights[5]


def step(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x)))
    for w, v, d in zip(weights, velocities, tape.gradient(loss, weights)):
        update = tf.raw_ops.ResourceApplyKerasMomentum
        update(var=w.handle, accum=v.handle, lr=0.01, grad=d, momentum=0.9, use_nesterov=True)
    return loss


def epoch(x, y):
    loss = tf.constant(0.0)
    for start in tf.range(0, len(images), 128) if a.mode != "eager" else range(0, len(images), 128):
        loss = step(x[start : start + 128], y[start : start + 128])
    return loss


def predict(x):
    return tf.concat([logits(x[i : i + 512]) for i in range(0, len(test_images), 512)], 0)


logits = tf.function(model, jit_compile=True) if a.mode == "xla" else model
predict = predict if a.mode == "eager" else tf.function(predict)
step = tf.function(step, jit_compile=True) if a.mode == "xla" else step
epoch = epoch if a.mode == "eager" else tf.function(epoch)
epoch_seconds = []
for number in range(a.epochs):
    order = np.random.RandomState([a.seed, number]).permutation(len(images))
    x, y = tf.constant(images[order]), tf.constant(labels[order])
    start = time.perf_counter()
    float(epoch(x, y))
    epoch_seconds.append(time.perf_counter() - start)
tests = tf.constant(test_images)
predict_seconds = []
for _ in range(10):
    start = time.perf_counter()
    outputs = predict(tests).numpy()
    predict_seconds.append(time.perf_counter() - start)
print(json.dumps({"epoch_seconds": epoch_seconds, "predict_seconds": predict_seconds}))
