"""Plain Caffe: a net from NetSpec, a solver, a step for each batch. Prints {"epoch_seconds": [...]}."""

import argparse
import json
import os
import tempfile
import time

os.environ.setdefault("GLOG_minloglevel", "2")
import caffe
import numpy as np
from caffe import layers as L
from caffe import params as P

parser = argparse.ArgumentParser()
parser.add_argument("data_folder", help="holds train_x.npy (uint8 images) and train_y.npy")
parser.add_argument("workload", choices=["mlp", "cnn"])
parser.add_argument("epochs", type=int)
parser.add_argument("--threads", type=int, help="for the record: OPENBLAS_NUM_THREADS sets them")
parser.add_argument("--seed", type=int, default=1)
a = parser.parse_args()

FILLED = {"weight_filler": {"type": "xavier"}}
POOL = {"pool": P.Pooling.MAX, "kernel_size": 2, "stride": 2}
images = np.load(a.data_folder + "/train_x.npy").reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
tests = np.load(a.data_folder + "/test_x.npy").reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
labels = np.load(a.data_folder + "/train_y.npy").astype(np.float32)

net = caffe.NetSpec()
net.data, net.label = [L.Input(shape={"dim": shape}) for shape in ([128, 1, 28, 28], [128])]
top = net.data
if a.workload == "mlp":
    top = L.TanH(L.InnerProduct(top, num_output=100, **FILLED), in_place=True)
else:
    top = L.ReLU(L.Convolution(top, num_output=8, kernel_size=5, **FILLED), in_place=True)
    top = L.Pooling(top, **POOL)
    top = L.ReLU(L.Convolution(top, num_output=16, kernel_size=3, pad=1, **FILLED), in_place=True)
    top = L.Pooling(top, **POOL)
net.scores = L.InnerProduct(top, num_output=10, **FILLED)
scoring = str(net.to_proto())
net.loss = L.SoftmaxWithLoss(net.scores, net.label)

caffe.set_mode_cpu()
caffe.set_random_seed(a.seed)
with tempfile.TemporaryDirectory() as folder:
    with open(folder + "/net.prototxt", "w") as file:
        file.write(str(net.to_proto()))
    with open(folder + "/solver.prototxt", "w") as file:
        file.write('type: "Nesterov" base_lr: 0.01 momentum: 0.9 lr_policy: "fixed" solver_mode: CPU ')
        file.write(f'train_net: "{folder}/net.prototxt"')
    with open(folder + "/scoring.prototxt", "w") as file:
        file.write(scoring)
    solver = caffe.get_solver(folder + "/solver.prototxt")
    scorer = caffe.Net(folder + "/scoring.prototxt", caffe.TEST)
data, label = solver.net.blobs["data"], solver.net.blobs["label"]

epoch_seconds = []
for epoch in range(a.epochs):
    order = np.random.RandomState([a.seed, epoch]).permutation(len(images))
    x, y = images[order], labels[order]
    start = time.perf_counter()
    for first in range(0, len(x), 128):
        rows = min(128, len(x) - first)
        if rows != data.shape[0]:
            data.reshape(rows, 1, 28, 28)
            label.reshape(rows)
            solver.net.reshape()
        data.data[...] = x[first : first + rows]
        label.data[...] = y[first : first + rows]
        solver.step(1)
    epoch_seconds.append(time.perf_counter() - start)
scorer.share_with(solver.net)
predict_seconds = []
for _ in range(10):
    start, outputs = time.perf_counter(), []
    for first in range(0, len(tests), 512):
        batch = tests[first : first + 512]
        scorer.blobs["data"].reshape(*batch.shape)
        scorer.blobs["data"].data[...] = batch
        outputs.append(scorer.forward()["scores"].copy())
    outputs = np.concatenate(outputs)
    predict_seconds.append(time.perf_counter() - start)
print(json.dumps({"epoch_seconds": epoch_seconds, "predict_seconds": predict_seconds}))
