"""Caffe: a training net and a prediction net from NetSpec, which share their weights, and one of Caffe's solvers."""

import os
import tempfile

os.environ.setdefault("GLOG_minloglevel", "2")  # read when Caffe is imported; else it logs every layer

import caffe
import numpy as np
from caffe import layers as L
from caffe import params as P

from . import caffe_layers as layers
from . import caffe_windows as windows
from .caffe_network import Graph, Network
from .caffe_solvers import Composed, Solver, native, write
from .worker import Unsupported, Worker


class CaffeWorker(Worker):
    layers = {
        "dense": layers.dense,
        "activation": layers.activation,
        "flatten": layers.flatten,
        "reshape": layers.reshape,
        "dropout": layers.dropout,
        "conv2d": windows.conv2d,
        "conv1d": windows.conv1d,
        "maxpool2d": windows.maxpool2d,
        "averagepool2d": windows.averagepool2d,
        "globalmaxpool1d": windows.globalmaxpool1d,
        "batchnorm": layers.batchnorm,
        "embedding": layers.embedding,
        "lstm": layers.lstm,
    }
    layout = "channels_first"
    staging = "streamed"
    composed = {
        "flatten": "of images: BatchReindex, or, in a dense kernel behind it, the rows in Caffe's order",
        "reshape": "from and to images: BatchReindex, since Caffe has no transpose",
        "conv2d": "same padding with more at one side: Concat of a row or column of zeros",
        "conv1d": "Convolution of an image as wide as the features are many; same padding as conv2d",
        "maxpool2d": "same padding that no rounding of Pooling gives: Concat of a row or column of -3e38",
        "averagepool2d": "same padding: Concat where one side has more, and Scale by what Pooling counts too often",
        "globalmaxpool1d": "Pooling over all steps",
        "batchnorm": "BatchNorm, its sum of weights at its limit from the first, and Scale",
        "lstm": "steps first: BatchReindex, where they are not so already; last output: Slice; bias False: a bias held "
        "at zero",
        "sgd": "velocity 'gradient' with momentum: a net of Eltwise and Scale over all parameters",
        "adam": "epsilon_form 'corrected': a net of Eltwise, Power and Scale over all parameters",
        "rmsprop": "epsilon_form 'inside': a net of Eltwise, Power and Scale over all parameters",
    }

    def versions(self):
        return {"caffe": caffe.__version__, "numpy": np.__version__}

    def open_device(self, device, threads):
        """The environment pins the threads of OpenBLAS; everything else runs in one."""
        if device == "gpu":
            raise Unsupported("Debian's Caffe is built for the CPU only")
        caffe.set_mode_cpu()

    def build(self, job, weights):
        if job.precision != "float32":
            raise Unsupported("pycaffe computes in float32 only")
        self.recipe = job.recipe
        folder = tempfile.TemporaryDirectory()
        trained = self.graph(job, job.recipe.batch_size)
        self.weight = add_loss(trained, job)
        self.updater = (Solver if native(job.recipe.optimiser) else Composed)(job.recipe, trained, folder.name)
        self.trainer = Network(trained, self.updater.net)
        self.tensors = trained.tensors
        for name, tensor in self.tensors.items():
            blob = self.trainer.parameter(tensor)
            blob.data[...] = np.reshape(tensor.to_caffe(weights[name]), blob.data.shape)
        for (layer, place), value in trained.constants.items():
            self.updater.net.params[layer][place].data[...] = value
        self.updater.start()
        graph = self.graph(job, job.recipe.evaluation_batch_size)
        net = caffe.Net(write(folder.name, "predict.prototxt", graph.spec.to_proto()), caffe.TEST)
        net.share_with(self.updater.net)
        self.predictor = Network(graph, net)
        folder.cleanup()
        caffe.set_random_seed(job.seed % 2**32)

    def graph(self, job, rows):
        graph = Graph(job, rows)
        for item in job.model.layers:
            self.layers[item.layer.kind](graph, item)
            graph.shape = item.output_shape
        if graph.form != "time":
            graph.to("rows")
        return graph

    def stage(self, inputs, targets):
        """Caffe gets its batches in the epoch; its numbers are float32, tokens and classes too."""
        return [np.ascontiguousarray(array, np.float32) for array in (*inputs.values(), targets)]

    def train_epoch(self, handle, rates):
        x, targets = handle
        size, total, loss = self.recipe.batch_size, 0.0, None
        for step, rate in enumerate(rates.tolist()):
            batch = slice(step * size, (step + 1) * size)
            self.trainer.feed(x[batch], targets[batch])
            self.updater.step(rate)
            self.trainer.keep_states()
            loss = self.updater.net.blobs["loss"].data
            total += float(loss) * len(x[batch])
        return self.weight * total / len(x)

    def predict(self, handle):
        x, size, outputs = handle[0], self.recipe.evaluation_batch_size, []
        network = self.predictor
        self.reset_unless_carried()
        for start in range(0, len(x), size):
            network.feed(x[start : start + size])
            network.net.forward()
            network.keep_states()
            outputs.append(network.outputs())
        self.reset_unless_carried()
        return np.concatenate(outputs)

    def reset_states(self):
        self.trainer.reset_states()
        self.predictor.reset_states()

    def parameters(self):
        values = {}
        for name, tensor in self.tensors.items():
            array = np.array(self.trainer.parameter(tensor).data)
            values[name] = np.array(tensor.to_spec(array), order="C")
        return values

    def synchronize(self):
        """Caffe's CPU mode has nothing in flight."""


def add_loss(graph, job):
    """Add the job's loss behind its outputs and return its weight: what Caffe's own, a mean, is short of."""
    loss, outputs = job.recipe.loss, job.model.layers[-1].output_shape
    shape = [graph.rows, *outputs]
    if loss.kind == "categorical_cross_entropy":
        shape.pop()
    axis = graph.rows_axis()
    if axis and len(shape) > 1:
        shape[:2] = shape[1::-1]
    targets, weight = graph.input("targets", shape, axis=axis), 1.0
    if loss.kind == "categorical_cross_entropy":
        weight = float(outputs[0]) if len(outputs) > 1 and loss.over_steps == "sum" else 1.0
        build, options = L.SoftmaxWithLoss, {"softmax_param": {"axis": len(outputs)}}
    else:
        build, options = L.SigmoidCrossEntropyLoss, {"loss_param": {"normalization": P.Loss.BATCH_SIZE}}
        if loss.kind == "mean_squared_error":
            build, options, weight = L.EuclideanLoss, {}, 2.0  # Caffe's is half of it, summed over the outputs
        if loss.over_outputs == "mean":
            weight /= outputs[-1]
    graph.put(build(graph.top, targets, loss_weight=weight, **options), "loss")
    return weight


WORKER = CaffeWorker
