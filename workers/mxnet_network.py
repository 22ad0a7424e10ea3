"""MXNet: a model's blocks in a row, and a block that ends in its loss, so that a step is one call of one graph."""

from typing import Any, List

from .mxnet_layers import LSTM
from .mxnet_library import HybridBlock, gluon, nn


def make_loss(loss, output_shape):
    """Return Gluon's own loss, one number a row. Its mean over steps or outputs becomes their sum by its weight.

    A weight costs an operation, forward and backward, so that there is none of 1.
    """
    if loss.kind == "categorical_cross_entropy":
        summed = loss.over_steps == "sum" and len(output_shape) == 2
        return gluon.loss.SoftmaxCrossEntropyLoss(weight=output_shape[0] if summed else None)
    summed = loss.over_outputs == "sum"
    if loss.kind == "binary_cross_entropy":
        return gluon.loss.SigmoidBinaryCrossEntropyLoss(weight=output_shape[-1] if summed else None)
    return gluon.loss.L2Loss(weight=2 * (output_shape[-1] if summed else 1))  # of itself half the square


def is_stateful(block):
    return isinstance(block, LSTM) and block.layer.stateful


class Network(nn.HybridSequential):
    """The blocks one after the other; the states of stateful ones go in, and come out, behind the data."""

    def hybrid_forward(self, F, x, *states):
        kept: List[Any] = []
        for block in self._children.values():
            if is_stateful(block):
                x, *found = block(x, *states[len(kept) : len(kept) + 2])
                kept += found
            else:
                x = block(x)
        return [x, *kept] if kept else x


class TrainingLoss(HybridBlock):
    """The network, then its loss: one number a row. What goes in and comes out behind them are states, again."""

    def __init__(self, network, loss):
        super().__init__()
        self.network, self.loss = network, loss

    def hybrid_forward(self, F, x, targets, *states):
        if not states:
            return self.loss(self.network(x), targets)
        outputs, *states = self.network(x, *states)
        return [self.loss(outputs, targets), *states]
