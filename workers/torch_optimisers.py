"""The spec's losses and optimisers as PyTorch has them, in the spec's forms."""

import torch
from torch import nn

from .worker import decayed, trainable


def cross_entropy(outputs, targets, reduction="mean"):
    """Of (rows, classes) or (rows, steps, classes), each step of each row alike."""
    return nn.functional.cross_entropy(outputs.flatten(0, -2), targets.flatten(), reduction=reduction)


LOSSES = {
    "categorical_cross_entropy": cross_entropy,
    "binary_cross_entropy": nn.functional.binary_cross_entropy_with_logits,
    "mean_squared_error": nn.functional.mse_loss,
}


def loss_function(loss):
    """Return the function of outputs and targets."""
    function = LOSSES[loss.kind]  # of itself the mean over rows, steps and outputs
    over = loss.over_steps if loss.kind == "categorical_cross_entropy" else loss.over_outputs
    if over == "mean":
        return function
    return lambda outputs, targets: function(outputs, targets, reduction="sum") / len(outputs)


class RMSpropInside(torch.optim.RMSprop):
    """Neither centred nor with momentum, and its epsilon under the root."""

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for w in group["params"]:
                d = w.grad.add(w, alpha=group["weight_decay"]) if group["weight_decay"] > 0 else w.grad
                if not self.state[w]:
                    self.state[w]["square_avg"] = torch.zeros_like(w)
                squares = self.state[w]["square_avg"].mul_(group["alpha"]).addcmul_(d, d, value=1 - group["alpha"])
                w.addcdiv_(d, squares.add(group["eps"]).sqrt_(), value=-group["lr"])


def make_optimiser(recipe, tensors):
    """Return the native optimiser of {LAYER/TENSOR: (parameter, ...)}, decayed and undecayed ones in two groups."""
    o = recipe.optimiser
    trained = {name: parameter for name, (parameter, *_) in tensors.items() if trainable(name)}
    kernels = [parameter for name, parameter in trained.items() if o.weight_decay == 0 or decayed(o, name)]
    others = [parameter for name, parameter in trained.items() if o.weight_decay > 0 and not decayed(o, name)]
    groups = [{"params": kernels, "weight_decay": o.weight_decay}, {"params": others, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]  # each costs time in every step
    if o.kind == "adam":
        return torch.optim.Adam(groups, lr=o.learning_rate, betas=(o.beta_1, o.beta_2), eps=o.epsilon)
    if o.kind == "adadelta":
        return torch.optim.Adadelta(groups, lr=o.learning_rate, rho=o.rho, eps=o.epsilon)
    if o.kind == "rmsprop":
        make = RMSpropInside if o.epsilon_form == "inside" else torch.optim.RMSprop
        return make(groups, lr=o.learning_rate, alpha=o.rho, eps=o.epsilon)
    return torch.optim.SGD(groups, lr=o.learning_rate, momentum=o.momentum, nesterov=o.nesterov and o.momentum > 0)


def clip(groups, limit):
    """Bound the global norm: clip_grad_norm_ less the 1e-6 that it adds to the norm, which a small limit feels."""
    gradients = [parameter.grad for group in groups for parameter in group["params"]]
    norm = torch.norm(torch.cat([row_norms(d) for d in gradients]))
    scale = (limit / norm).clamp(max=1.0)  # on the device, so that the loop never waits for it
    for d in gradients:
        d.mul_(scale)


def row_norms(gradient):
    """Return the norm of each row: over all of 16 million numbers at once, torch.norm is off by 7e-4 in float32."""
    return torch.norm(gradient.flatten(1), dim=1) if gradient.dim() > 1 else torch.norm(gradient).reshape(1)
