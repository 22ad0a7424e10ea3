"""PyTorch: native modules and optimisers in a plain eager loop over rows that lie on the device.

Mode ``compile``: the same loop over ``torch.compile(model)``, compiled for each size of batch.
"""

import re

import numpy as np
import torch
from torch import nn

from .worker import (
    Unsupported,
    Worker,
    batch_sizes,
    checked_mode,
    decayed,
    layer_weights,
    reorder_gates,
    same_padding,
)

MODES = (None, "compile")
GATE_ORDER = "ifgo"  # PyTorch's own
FUNCTIONS = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "linear": nn.Identity}


class Flatten(nn.Module):
    """To rows of height, width, channel; by index, as a permute's gradient slows the layers before it (15% seen)."""

    def __init__(self, height, width, channels):
        super().__init__()
        order = torch.arange(channels * height * width).reshape(channels, height, width).permute(1, 2, 0)
        self.register_buffer("order", order.flatten())

    def forward(self, x):
        return x.flatten(1).index_select(1, self.order)


class LSTM(nn.LSTM):
    """nn.LSTM with one bias: the second would double the bias's rate, so it stays at zero, untrained."""

    def __init__(self, item):
        super().__init__(item.input_shape[1], item.layer.units, bias=item.layer.bias, batch_first=True)
        self.last = item.layer.output == "last"
        if item.layer.bias:
            nn.init.zeros_(self.bias_hh_l0).requires_grad_(False)

    def forward(self, x):
        outputs, (h, _) = super().forward(x)
        return h[0] if self.last else outputs


# Each builder returns the modules of one layer; the last of them holds the layer's tensors.


def activation(item):
    if item.layer.function == "softmax":
        return [nn.Softmax(dim=1 if len(item.input_shape) == 3 else -1)]  # the spec's last axis: channels
    return [FUNCTIONS[item.layer.function]()]


def flatten(item):
    image = len(item.input_shape) == 3 and item.input_shape[2] > 1  # one channel is in order as it is
    return [Flatten(*item.input_shape) if image else nn.Flatten()]


def conv2d(item):
    kernel, strides = item.layer.kernel_size, item.layer.strides
    pads, padding = pad(item, kernel, 0.0)
    return [*pads, nn.Conv2d(item.input_shape[2], item.layer.filters, kernel, strides, padding, bias=item.layer.bias)]


def maxpool2d(item):
    pads, padding = pad(item, item.layer.pool_size, float("-inf"))
    return [*pads, nn.MaxPool2d(item.layer.pool_size, item.layer.strides, padding)]


def pad(item, window, value):
    """Return (modules that pad, the padding left to the layer): the layer's own wherever both sides get the same."""
    if item.layer.padding == "valid":
        return [], 0
    (top, bottom), (left, right) = map(same_padding, item.input_shape[:2], window, item.layer.strides)
    if top == bottom and left == right:
        return [], (top, left)
    return [nn.ConstantPad2d((left, right, top, bottom), value)], 0


def folded(layers):
    """Return {flatten: the dense layer behind it}, by names, where nothing between them tells one element from another.

    There the order of height, width, channel is that of the kernel's rows, which are permuted once, and no batch is.
    """
    found, flattened = {}, None
    for item in layers:
        kind = item.layer.kind
        if kind == "flatten" and len(item.input_shape) == 3:
            flattened = item.name
        elif kind == "dense" and flattened:
            found[flattened], flattened = item.name, None
        elif kind not in ("flatten", "dropout") and (kind != "activation" or item.layer.function == "softmax"):
            flattened = None
    return found


def channels_first(height, width, channels):
    """Return the places that the elements of an image have in the spec's order, in PyTorch's order."""
    return np.arange(height * width * channels).reshape(height, width, channels).transpose(2, 0, 1).ravel()


ATTRIBUTES = {"kernel": "weight", "table": "weight", "bias": "bias"}
LSTM_ATTRIBUTES = {"kernel": "weight_ih_l0", "recurrent_kernel": "weight_hh_l0", "bias": "bias_ih_l0"}


def from_spec(layer, array, order=None):
    """Return a tensor of the spec in PyTorch's layout, which has the outputs first; ``order``: of a kernel's rows."""
    if order is not None:
        array = array[order]
    if layer.kind == "lstm":
        array = reorder_gates(array, layer.gate_order, GATE_ORDER)
    return array if layer.kind == "embedding" else array.T if array.ndim < 4 else array.transpose(3, 2, 0, 1)


def to_spec(layer, array, order=None):
    """The inverse of ``from_spec``."""
    if order is not None:
        array = array[:, np.argsort(order)]
    array = array if layer.kind == "embedding" else array.T if array.ndim < 4 else array.transpose(2, 3, 1, 0)
    return reorder_gates(array, GATE_ORDER, layer.gate_order) if layer.kind == "lstm" else array


LOSSES = {
    "categorical_cross_entropy": nn.functional.cross_entropy,
    "binary_cross_entropy": nn.functional.binary_cross_entropy_with_logits,
    "mean_squared_error": nn.functional.mse_loss,
}


def loss_function(loss):
    """Return the function of outputs and targets."""
    function = LOSSES[loss.kind]  # of itself the mean over rows and outputs
    if getattr(loss, "over_outputs", "mean") == "mean":
        return function
    return lambda outputs, targets: function(outputs, targets, reduction="sum") / len(outputs)


def make_optimiser(recipe, tensors):
    """Return the native optimiser of {LAYER/TENSOR: (parameter, ...)}, decayed and undecayed ones in two groups."""
    o = recipe.optimiser
    kernels = [parameter for name, (parameter, *_) in tensors.items() if o.weight_decay == 0 or decayed(o, name)]
    others = [parameter for name, (parameter, *_) in tensors.items() if o.weight_decay > 0 and not decayed(o, name)]
    groups = [{"params": kernels, "weight_decay": o.weight_decay}, {"params": others, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]  # each costs time in every step
    if o.kind == "adam":
        return torch.optim.Adam(groups, lr=o.learning_rate, betas=(o.beta_1, o.beta_2), eps=o.epsilon)
    return torch.optim.SGD(groups, lr=o.learning_rate, momentum=o.momentum, nesterov=o.nesterov and o.momentum > 0)


def clip(gradients, limit):
    """Bound the global norm: clip_grad_norm_ less the 1e-6 that it adds to the norm, which a small limit feels."""
    norm = torch.norm(torch.stack([torch.norm(d) for d in gradients]))
    scale = (limit / norm).clamp(max=1.0)  # on the device, so that the loop never waits for it
    for d in gradients:
        d.mul_(scale)


class TorchWorker(Worker):
    layers = {
        "dense": lambda item: [nn.Linear(item.input_shape[0], item.layer.units, bias=item.layer.bias)],
        "activation": activation,
        "flatten": flatten,
        "dropout": lambda item: [nn.Dropout(item.layer.rate)],
        "conv2d": conv2d,
        "maxpool2d": maxpool2d,
        "embedding": lambda item: [nn.Embedding(item.layer.vocabulary_size, item.layer.units)],
        "lstm": lambda item: [LSTM(item)],
    }
    layout = "channels_first"
    composed = {
        "flatten": "of several channels: nn.Flatten, and the next dense layer's kernel in that order, or index_select",
        "conv2d": "same padding with more at one side: explicit padding before the convolution",
        "maxpool2d": "same padding with more at one side: explicit padding before the pooling",
        "lstm": "one bias: nn.LSTM's second bias is zero and frozen",
        "clip_norm": "norms and a scale on the device, without the 1e-6 of clip_grad_norm_",
        "sgd": "velocity 'step': optim.SGD, its momentum buffers rescaled when the rate changes",
        "adam": "epsilon_form 'uncorrected': optim.Adam, its epsilon set anew in each step",
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
        modules, self.tensors, orders, dense_behind = [], {}, {}, folded(job.model.layers)
        for item in job.model.layers:
            own = self.layers[item.layer.kind](item)
            if item.name in dense_behind:
                own = [nn.Flatten()]
                orders[dense_behind[item.name] + "/kernel"] = channels_first(*item.input_shape)
            modules += [module.to(self.device, self.dtype) for module in own]
            attributes = LSTM_ATTRIBUTES if item.layer.kind == "lstm" else ATTRIBUTES
            for role, value in layer_weights(weights, item.name).items():
                name, parameter = item.name + "/" + role, getattr(modules[-1], attributes[role])
                parameter.data.copy_(torch.tensor(from_spec(item.layer, value, orders.get(name))))
                self.tensors[name] = (parameter, item.layer, modules[-1], orders.get(name))
        self.model = nn.Sequential(*modules)
        self.optimiser = make_optimiser(self.recipe, self.tensors)
        self.steps = 0
        self.forward = self.compiled(job) if mode == "compile" else self.model
        torch.manual_seed(job.seed)  # after the modules' initialisers have drawn from the stream

    def compiled(self, job):
        """Return the model, compiled forward and backward for every size of batch that the job has."""
        import torch._inductor.config

        torch._dynamo.reset()  # an earlier build's models count as recompilations of this one
        torch._dynamo.config.fail_on_recompile_limit_hit = True  # rather than go on in eager PyTorch
        torch._inductor.config.compile_threads = 1  # in this process: its CPUs and its limit of processes hold
        forward = torch.compile(self.model)  # for one size first, and for every size once there is a second
        (source,) = job.inputs
        shape = [source.shape[2], *source.shape[:2]] if len(source.shape) == 3 else source.shape
        dtype = torch.int64 if source.dtype == "int32" else self.dtype
        train, predict = batch_sizes(job)
        for size in train:
            forward(torch.zeros([size, *shape], dtype=dtype, device=self.device)).sum().backward()
        self.optimiser.zero_grad()
        self.model.eval()
        with torch.no_grad():
            for size in predict:
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
                clip([parameter.grad for parameter, *_ in self.tensors.values()], limit)
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
        with torch.no_grad():
            outputs = [self.forward(batch) for batch in handle[0].split(self.recipe.evaluation_batch_size)]
        return torch.cat(outputs).cpu().numpy()

    def parameters(self):
        values = {}
        for name, (parameter, layer, module, order) in self.tensors.items():
            value = parameter.detach()
            if parameter is getattr(module, "bias_ih_l0", None):
                value = value + module.bias_hh_l0.detach()  # so that a second bias would show
            values[name] = np.array(to_spec(layer, value.cpu().numpy(), order), order="C")
        return values

    def synchronize(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()


WORKER = TorchWorker
