"""Torch7: nn's modules and optim's optimisers, driven in Lua, which runs in this process (lupa on LuaJIT).

A call into Lua trains an epoch; no array crosses during it.
"""

from collections import namedtuple

import numpy as np

from . import torch7_layers as layers
from . import torch7_lua
from .torch7_layers import from_spec, modules, to_spec
from .torch7_lua import call, load, lua, nn, to_numpy, to_tensor, torch
from .worker import Unsupported, Worker, decayed, trainable

Handle = namedtuple("Handle", "x targets rows")
Tensor = namedtuple("Tensor", "value gradient layer shape")
training = load("torch7_training.lua")
TYPES = {"float32": "torch.FloatTensor", "float64": "torch.DoubleTensor"}


class Torch7Worker(Worker):
    layers = {
        "dense": layers.dense,
        "activation": layers.activation,
        "flatten": layers.flatten,
        "reshape": layers.reshape,
        "dropout": layers.dropout,
        "conv2d": layers.conv2d,
        "conv1d": layers.conv1d,
        "maxpool2d": layers.maxpool2d,
        "averagepool2d": layers.averagepool2d,
        "globalmaxpool1d": layers.globalmaxpool1d,
        "batchnorm": layers.batchnorm,
        "embedding": layers.embedding,
        "lstm": layers.lstm,
    }
    layout = "channels_first"
    composed = {
        "flatten": "of several channels: nn.Transpose before nn.View",
        "reshape": "of several channels: nn.Transpose to the spec's order, or from it",
        "conv2d": "same padding with more at one side: nn.SpatialZeroPadding before the convolution",
        "conv1d": "same padding: nn.SpatialZeroPadding; bias False: its bias at zero, untrained",
        "maxpool2d": "same padding with more at one side at a stride of 1: as much at both, and its outputs cut off",
        "averagepool2d": "as maxpool2d",
        "batchnorm": "a training batch of one row, for which nn takes the running statistics: its positions as rows, "
        "or the row twice",
        "lstm": "nn.SeqLSTM of the package rnn; bias False: its bias at zero, untrained; stateful: remember('both'), "
        "and of the kept state the first rows where a batch has fewer",
        "binary_cross_entropy": "of logits, from tensor operations, since nn.BCECriterion clips probabilities",
        "clip_norm": "the gradient's norm and a scale",
        "sgd": "velocity 'step': optim.sgd, its momentum buffer rescaled when the rate changes",
        "adam": "epsilon_form 'corrected': optim.adam, its epsilon set anew in each step",
        "adadelta": "tensor operations, since optim.adadelta has no learning rate",
        "rmsprop": "epsilon_form 'inside': tensor operations",
    }

    def versions(self):
        return torch7_lua.versions()

    def open_device(self, device, threads):
        """OpenBLAS has its threads from the environment."""
        if device == "gpu":
            raise Unsupported("the worker's Torch7 computes on the CPU only")
        torch.setnumthreads(threads)

    def build(self, job, weights):
        self.recipe, self.precision = job.recipe, job.precision
        torch.setdefaulttensortype(TYPES[job.precision])
        front, body, holders = nn.Sequential(), nn.Sequential(), []
        self.stateful = []
        for item in job.model.layers:
            for module in self.layers[item.layer.kind](item):
                if item.parameters and module.weight is not None:
                    holders.append((item, module))
                call(body if holders else front, "add", module)
            if getattr(item.layer, "stateful", False):
                self.stateful.append(holders[-1][1])
        modules.without_input_gradient(body)
        settings = [lua.table_from(part.model_dump()) for part in (self.recipe.optimiser, self.recipe.loss)]
        self.training = training.new(front, body, *settings, self.recipe.batch_size, self.recipe.clip_norm)
        self.tensors = {
            item.name + "/" + role: Tensor(value, gradient, item.layer, item.parameters[role])
            for item, holder in holders
            for role, (value, gradient) in layers.tensors(item, holder).items()
        }
        for name, tensor in self.tensors.items():
            value = np.asarray(from_spec(tensor.layer, weights[name]), self.precision)
            call(tensor.value, "copy", to_tensor(value))
        self.set_decayed()
        self.reset_states()
        torch.manualSeed(job.seed)  # after the modules' initialisers have drawn from the stream

    def set_decayed(self):
        """Mark the parameters that decay, in the order in which Torch7 has made one vector of all."""
        o, gradients = self.recipe.optimiser, self.training.gradients
        if o.weight_decay == 0 or o.weight_decay_on == "all":
            return
        call(gradients, "zero")
        for name, tensor in self.tensors.items():
            if trainable(name) and decayed(o, name):
                call(tensor.gradient, "fill", 1)
        call(self.training, "set_decayed", call(gradients, "clone"))

    def stage(self, inputs, targets):
        lua.globals().collectgarbage()  # which does not see how large a tensor is
        (x,) = inputs.values()
        return Handle(self.tensor(x), self.tensor(targets), len(x))

    def tensor(self, array):
        """Return a copy as a tensor; tokens and classes count from 1."""
        return to_tensor(array.astype(self.precision) if array.dtype.kind == "f" else array.astype(np.int64) + 1)

    def train_epoch(self, handle, rates):
        return call(self.training, "epoch", handle.x, handle.targets, to_tensor(rates)) / handle.rows

    def predict(self, handle):
        self.reset_unless_carried()
        outputs = call(self.training, "predict", handle.x, self.recipe.evaluation_batch_size)
        self.reset_unless_carried()
        return to_numpy(outputs)

    def reset_states(self):
        for lstm in self.stateful:
            call(lstm, "forget")

    def parameters(self):
        return {
            name: np.array(to_spec(tensor.layer, to_numpy(tensor.value), tensor.shape), order="C")
            for name, tensor in self.tensors.items()
        }

    def trace_foreign_lines(self, note):
        torch7_lua.trace_lines(note)


WORKER = Torch7Worker
