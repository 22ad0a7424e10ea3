"""PyTorch: native modules and optimisers in a plain eager loop over rows that lie on the device.

Mode ``compile``: the same loop over ``torch.compile(model)``, compiled for each size of batch.
"""

import re

import numpy as np
import torch
from torch import nn

from . import torch_layers as layers
from .flattening import folded, in_order, in_spec_order
from .torch_optimisers import clip, loss_function, make_optimiser
from .worker import Unsupported, Worker, batch_sizes, checked_mode

MODES = (None, "compile")


class TorchWorker(Worker):
    layers = {
        "dense": lambda item: [nn.Linear(item.input_shape[-1], item.layer.units, bias=item.layer.bias)],
        "activation": layers.activation,
        "flatten": layers.flatten,
        "reshape": lambda item: [layers.Reshape(item.input_shape, item.output_shape)],
        "dropout": lambda item: [nn.Dropout(item.layer.rate)],
        "conv2d": layers.conv2d,
        "conv1d": layers.conv1d,
        "maxpool2d": layers.maxpool2d,
        "averagepool2d": layers.averagepool2d,
        "globalmaxpool1d": lambda item: [layers.GlobalMaxPool1d()],
        "batchnorm": layers.batchnorm,
        "embedding": lambda item: [nn.Embedding(item.layer.vocabulary_size, item.layer.units)],
        "lstm": lambda item: [layers.LSTM(item)],
    }
    layout = "channels_first"
    composed = {
        "flatten": "of several channels: nn.Flatten, and the next dense layer's kernel in that order, or index_select",
        "conv2d": "same padding with more at one side: explicit padding before the convolution",
        "conv1d": "nn.Conv1d's tensors in functional.conv2d, images of height 1; same padding as conv2d",
        "maxpool2d": "same padding with more at one side at a stride of 1: as much at both, and its outputs cut off",
        "averagepool2d": "as maxpool2d",
        "reshape": "of several channels: permuted to the spec's order, or from it",
        "batchnorm": "of one number per feature, which nn.BatchNorm1d refuses in training: of that number twice",
        "lstm": "one bias: nn.LSTM's second bias is zero and frozen",
        "clip_norm": "norms and a scale on the device, without the 1e-6 of clip_grad_norm_",
        "sgd": "velocity 'step': optim.SGD, its momentum buffers rescaled when the rate changes",
        "adam": "epsilon_form 'uncorrected': optim.Adam, its epsilon set anew in each step",
        "rmsprop": "epsilon_form 'inside': an optim.RMSprop with a step of its own",
    }
    composed_in_mode = {
        "compile": {"lstm": "one bias: as without a mode; torch.compile leaves nn.LSTM to eager PyTorch"},
    }

    def versions(self):
        found = {"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
        for name, pattern in [("mkl", r"Math Kernel Library Version ([\d.]+)"), ("onednn", r"MKL-DNN v([\d.]+)")]:
            found.update((name, version) for version in re.findall(pattern, torch.__config__.show()))
        return {name: str(version) for name, version in found.items() if version is not None}

    def open_device(self, device, threads):
        torch.set_num_threads(threads)
        if torch.get_num_interop_threads() != 1:  # may be set once per process; a plain loop uses none of them
            torch.set_num_interop_threads(1)
        if device == "gpu" and not torch.cuda.is_available():
            raise Unsupported("torch {} finds no GPU and driver that it can use".format(torch.__version__))
        torch.backends.cudnn.allow_tf32 = False  # float32 is float32
        if hasattr(torch.backends.cuda, "matmul"):  # from 1.7; before it, nothing used TF32
            torch.backends.cuda.matmul.allow_tf32 = False
        self.device = torch.device("cuda" if device == "gpu" else "cpu")

    def build(self, job, weights):
        mode = checked_mode(job, MODES)
        self.composed = dict(TorchWorker.composed, **self.composed_in_mode.get(mode or "", {}))
        self.recipe = job.recipe
        self.dtype = getattr(torch, job.precision)
        modules, self.tensors = [], {}
        flattens, self.orders = folded(job.model.layers)
        for item in job.model.layers:
            own = self.layers[item.layer.kind](item)
            if item.name in flattens:
                own = [nn.Flatten()]
            modules += [module.to(self.device, self.dtype) for module in own]
            for role in item.parameters:
                name, parameter = item.name + "/" + role, getattr(modules[-1], layers.attribute(item.layer.kind, role))
                self.tensors[name] = (parameter, item.layer, modules[-1])
        self.model = nn.Sequential(*modules)
        self.optimiser = make_optimiser(self.recipe, self.tensors)
        self.steps = 0
        self.forward = self.compiled(job) if mode == "compile" else self.model
        for name, (parameter, layer, _) in self.tensors.items():  # after what compiling does to running means
            parameter.data.copy_(torch.tensor(layers.from_spec(layer, in_order(name, weights[name], self.orders))))
        self.reset_states()
        torch.manual_seed(job.seed)  # after the modules' initialisers have drawn from the stream

    def compiled(self, job):
        """Return the model, compiled forward and backward for every size of batch that the job has."""
        import torch._inductor.config

        torch._dynamo.reset()  # an earlier build's models count as recompilations of this one
        torch._dynamo.config.fail_on_recompile_limit_hit = True  # rather than go on in eager PyTorch
        torch._inductor.config.compile_threads = 1  # in this process: its CPUs and its limit of processes hold
        for module in self.lstms():  # eager in any case; but whether there is a state would be compiled in
            module.forward = torch.compiler.disable(module.forward)
        forward = torch.compile(self.model)  # for one size first, and for every size once there is a second
        (source,) = job.inputs
        shape = [source.shape[2], *source.shape[:2]] if len(source.shape) == 3 else source.shape
        dtype = torch.int64 if source.dtype == "int32" else self.dtype
        train, predict = batch_sizes(job)
        for size in train:
            self.reset_states()
            forward(torch.zeros([size, *shape], dtype=dtype, device=self.device)).sum().backward()
        self.optimiser.zero_grad()
        self.model.eval()
        with torch.no_grad():
            for size in predict:
                self.reset_states()
                forward(torch.zeros([size, *shape], dtype=dtype, device=self.device))
        return forward

    def stage(self, inputs, targets):
        (x,) = inputs.values()
        dtypes = [self.dtype if a.dtype.kind == "f" else torch.int64 for a in (x, targets)]  # tokens, classes: int64
        return [self.tensor(a, dtype) for a, dtype in zip((x, targets), dtypes)]

    def tensor(self, array, dtype):
        """Return a copy with PyTorch's own strides, even where a size of 1 leaves them open: they are compiled in."""
        return torch.empty(array.shape, dtype=dtype, device=self.device).copy_(torch.from_numpy(array))

    def set_rate(self, rate):
        o, groups = self.recipe.optimiser, self.optimiser.param_groups
        if o.kind == "sgd" and o.velocity == "step" and o.momentum > 0:
            for state in self.optimiser.state.values():  # empty before the first step
                state["momentum_buffer"].mul_(groups[0]["lr"] / rate)  # keeps velocity = -rate * buffer
        for group in groups:
            group["lr"] = rate

    def set_epsilon(self):
        """Give Adam the epsilon with which this step has the uncorrected form."""
        o = self.recipe.optimiser
        self.steps += 1
        for group in self.optimiser.param_groups:
            group["eps"] = o.epsilon / (1 - o.beta_2**self.steps) ** 0.5

    def train_epoch(self, handle, rates):
        x, targets = (tensor.split(self.recipe.batch_size) for tensor in handle)
        forward, optimiser, compute_loss = self.forward, self.optimiser, loss_function(self.recipe.loss)
        limit, (group, *_) = self.recipe.clip_norm, optimiser.param_groups
        uncorrected = getattr(self.recipe.optimiser, "epsilon_form", None) == "uncorrected"
        losses = []
        self.model.train()
        for batch, wanted, rate in zip(x, targets, rates.tolist()):
            loss = compute_loss(forward(batch), wanted)
            loss.backward()
            if limit is not None:
                clip(optimiser.param_groups, limit)
            if rate != group["lr"]:
                self.set_rate(rate)
            if uncorrected:
                self.set_epsilon()
            optimiser.step()
            optimiser.zero_grad()
            losses.append(loss.detach())
        means = torch.stack(losses).double()
        return (means[:-1].sum() * len(x[0]) + means[-1] * len(x[-1])).item() / len(handle[0])

    def predict(self, handle):
        self.model.eval()
        self.reset_unless_carried()
        with torch.no_grad():
            outputs = [self.forward(batch) for batch in handle[0].split(self.recipe.evaluation_batch_size)]
        self.reset_unless_carried()
        return torch.cat(outputs).cpu().numpy()

    def lstms(self):
        return [module for module in self.model if isinstance(module, layers.LSTM)]

    def reset_states(self):
        for module in self.lstms():
            module.state = None

    def parameters(self):
        values = {}
        for name, (parameter, layer, module) in self.tensors.items():
            value = parameter.detach()
            if parameter is getattr(module, "bias_ih_l0", None):
                value = value + module.bias_hh_l0.detach()  # so that a second bias would show
            value = in_spec_order(name, layers.to_spec(layer, value.cpu().numpy()), self.orders)
            values[name] = np.array(value, order="C")
        return values

    def synchronize(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()


WORKER = TorchWorker
