"""Plain JAX: the loop of its training cookbook, batches on the device, Optax. Prints the seconds."""

import argparse
import functools
import json
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

parser = argparse.ArgumentParser()
parser.add_argument("data_folder", help="holds train_x.npy and test_x.npy (uint8 images), and train_y.npy")
parser.add_argument("workload", choices=["mlp", "cnn"])
parser.add_argument("epochs", type=int)
parser.add_argument("--threads", type=int, help="for the record: NPROC sets them")
parser.add_argument("--seed", type=int, default=1)
a = parser.parse_args()

images = np.load(a.data_folder + "/train_x.npy").reshape(-1, 28, 28, 1).astype(np.float32) / np.float32(255)
test_images = np.load(a.data_folder + "/test_x.npy").reshape(-1, 28, 28, 1).astype(np.float32) / np.float32(255)
labels = np.load(a.data_folder + "/train_y.npy").astype(np.int32)
mlp, cnn = [(784, 100), (100,), (100, 10), (10,)], [(5, 5, 1, 8), (8,), (3, 3, 8, 16), (16,), (576, 10), (10,)]
shapes = mlp if a.workload == "mlp" else cnn
params = [
    0.05 * jax.random.normal(key, s) for key, s in zip(jax.random.split(jax.random.key(a.seed), len(shapes)), shapes)
]
optimiser = optax.sgd(0.01, momentum=0.9, nesterov=True)
opt_state = optimiser.init(params)


def model(params, x):
    if a.workload == "mlp":
        return jnp.tanh(x.reshape(len(x), 784) @ params[0] + params[1]) @ params[2] + params[3]
    for kernel, bias, padding in ((*params[:2], "VALID"), (*params[2:4], "SAME")):
        x = jax.lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = jax.lax.reduce_window(jax.nn.relu(x + bias), -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return x.reshape(len(x), 576) @ params[4] + params[5]


def mean_loss(params, x, y):
    return optax.softmax_cross_entropy_with_integer_labels(model(params, x), y).mean()


@functools.partial(jax.jit, donate_argnums=(0, 1))
def step(params, opt_state, x, y):
    loss, gradients = jax.value_and_grad(mean_loss)(params, x, y)
    updates, opt_state = optimiser.update(gradients, opt_state, params)
    return optax.apply_updates(params, updates), opt_state, loss


epoch_seconds = []
for epoch in range(a.epochs):
    order = np.random.RandomState([a.seed, epoch]).permutation(len(images))
    x, y = images[order], labels[order]
    batches = jax.device_put([(x[i : i + 128], y[i : i + 128]) for i in range(0, len(x), 128)])
    start = time.perf_counter()
    for xb, yb in batches:
        params, opt_state, loss = step(params, opt_state, xb, yb)
    float(loss)
    epoch_seconds.append(time.perf_counter() - start)
score = jax.jit(model)
batches = jax.device_put([test_images[i : i + 512] for i in range(0, len(test_images), 512)])
predict_seconds = []
for _ in range(10):
    start = time.perf_counter()
    outputs = np.concatenate(jax.device_get([score(params, batch) for batch in batches]))
    predict_seconds.append(time.perf_counter() - start)
print(json.dumps({"epoch_seconds": epoch_seconds, "predict_seconds": predict_seconds}))
