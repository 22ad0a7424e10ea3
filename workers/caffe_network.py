"""A net under construction, in Caffe's NetSpec, and a net in use, whose inputs are filled batch by batch.

A blob holds the spec's values in one of four forms: ``rows`` (rows, ...) as the spec has them; ``time`` (steps, rows,
features); ``channels`` (rows, channels, height, width), of steps (rows, features, steps, 1); ``flat``, channels
flattened in Caffe's order.
"""

from collections import namedtuple

import caffe
import numpy as np
from caffe import layers as L

from .worker import decayed

Tensor = namedtuple("Tensor", "layer blob to_caffe to_spec")  # where a net keeps it, and the layouts
HELD = {"lr_mult": 0, "decay_mult": 0}  # of a parameter that is not the spec's
LARGEST_INDEX = 2**24  # float32, which Caffe's indices are, tells no more whole numbers apart


class Graph:
    """What the layers so far lead to: the blob ``top`` of the spec's ``shape``, in a form."""

    def __init__(self, job, rows):
        self.optimiser, self.spec, self.rows = job.recipe.optimiser, caffe.NetSpec(), rows
        self.tensors, self.constants, self.held = {}, {}, []  # held: parameters that no gradient may move
        self.inputs, self.fills, self.states = {}, {}, {}
        (source,) = job.inputs
        self.shape, self.form = list(source.shape), input_form(job)
        self.flattened = None  # in the form flat: the shape before
        images = self.form == "channels"
        dims = [rows, *self.shape[2:], *self.shape[:2]] if images else [rows, *self.shape]
        if self.form == "time":
            dims[:2] = [dims[1], rows]
        self.top, self.blob = None, None
        self.put(self.input("data", dims, axis=self.rows_axis()), "data")

    def rows_axis(self):
        return 1 if self.form == "time" else 0

    def input(self, name, dims, axis=None, fill=None):
        """Return a blob that is filled from outside: rows along an axis, or all by ``fill(rows)``."""
        if fill is None:
            self.inputs[name] = axis
        else:
            self.fills[name] = fill
            dims = fill(self.rows).shape
        self.spec[name] = top = L.Input(shape={"dim": list(dims)})
        return top

    def put(self, top, name=None):
        """Go on from the top of a new layer; one that computes in place leaves the blob as it was named."""
        name = name or "{}_{}".format(top.fn.type_name.lower(), len(self.spec.tops))
        self.spec[name] = self.top = top
        if not top.fn.in_place:
            self.blob = name

    def param(self, item, *roles):
        """Return the rates and decays of a layer's parameters."""
        names = [item.name + "/" + role for role in roles]
        return [{"lr_mult": 1, "decay_mult": int(decayed(self.optimiser, name))} for name in names]

    def tensor(self, item, role, blob, to_caffe=np.asarray, to_spec=np.asarray, layer=None):
        self.tensors[item.name + "/" + role] = Tensor(layer or item.name, blob, to_caffe, to_spec)

    def reshape(self, *dims):
        self.put(L.Reshape(self.top, shape={"dim": list(dims)}))

    def permute(self, order, width):
        """Put the blob, seen as rows of so many numbers, into the order that ``order(rows)`` tells."""

        def indices(rows):
            found = order(rows).ravel()
            if len(found) > LARGEST_INDEX:
                raise ValueError("Caffe's BatchReindex cannot tell {} places apart".format(len(found)))
            return found

        self.reshape(-1, width)
        index = self.input("order_{}".format(len(self.spec.tops)), None, fill=indices)
        self.put(L.BatchReindex(self.top, index))

    def to(self, form):
        """Bring the blob into a form, by way of rows."""
        if form == self.form:
            return
        *outer, last = self.flattened or self.shape
        places = int(np.prod(outer))
        if self.form == "time":
            self.permute(lambda rows: np.arange(places * rows).reshape(places, rows).T, last)
            self.reshape(-1, *self.shape)
        elif self.form != "rows":
            self.swap(last, places)
            self.reshape(-1, *self.shape)
        if form == "time":
            self.permute(lambda rows: np.arange(rows * places).reshape(rows, places).T, last)
            self.reshape(places, -1, last)
        elif form == "channels":
            self.swap(places, last)
            self.reshape(-1, last, *(outer if len(outer) == 2 else [places, 1]))
        self.form, self.flattened = form, None

    def swap(self, first, second):
        """Make (rows, second, first) of (rows, first, second)."""
        if first > 1 and second > 1:
            self.permute(lambda rows: np.arange(rows * first * second).reshape(rows, first, second).swapaxes(1, 2), 1)


def input_form(job):
    """Return the form of the net's input, with which the fewest must be turned over: steps first for an LSTM."""
    (source,) = job.inputs
    if len(source.shape) == 3:
        return "channels"
    choosing = ("lstm", "conv1d", "globalmaxpool1d", "flatten", "reshape")
    first = next((item.layer.kind for item in job.model.layers if item.layer.kind in choosing), None)
    return "time" if first == "lstm" else "rows"


class Network:
    """A caffe.Net and the batches that it gets."""

    def __init__(self, graph, net):
        self.graph, self.net = graph, net
        self.reset_states()
        self.resize(graph.rows)

    def resize(self, rows):
        """Make every input so many rows long; Caffe then makes the other blobs so."""
        blobs = self.net.blobs
        for name, axis in self.graph.inputs.items():
            shape = list(blobs[name].shape)
            shape[axis] = rows
            blobs[name].reshape(*shape)
        filled = {name: fill(rows) for name, fill in self.graph.fills.items()}
        for name, array in filled.items():
            blobs[name].reshape(*array.shape)
        self.net.reshape()
        for name, array in filled.items():
            blobs[name].data[...] = array
        self.rows = rows

    def feed(self, x, targets=None):
        if len(x) != self.rows:
            self.resize(len(x))
        blobs, inputs = self.net.blobs, self.graph.inputs
        blobs["data"].data[...] = x.swapaxes(0, inputs["data"])
        if targets is not None:
            blobs["targets"].data[...] = targets.swapaxes(0, inputs["targets"])
        for name in self.graph.states:
            blobs[name].data[...] = 0
        for name, kept in self.kept.items():
            rows = min(len(x), kept.shape[1])
            blobs[name].data[:, :rows] = kept[:, :rows]

    def outputs(self):
        """Return what the last forward pass gave, rows first."""
        outputs = self.net.blobs[self.graph.blob].data
        return np.array(outputs.swapaxes(0, self.graph.rows_axis()), order="C")

    def keep_states(self):
        """Keep what stateful layers ended with, for the next batch."""
        self.kept = {name: self.net.blobs[end].data.copy() for name, end in self.graph.states.items()}

    def reset_states(self):
        self.kept = {}

    def parameter(self, tensor):
        return self.net.params[tensor.layer][tensor.blob]
