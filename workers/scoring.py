"""Scores from a model's outputs, computed here once for every framework, in float64."""

from typing import Any, Optional, Tuple

import numpy as np


def score(loss: Any, outputs: np.ndarray, targets: np.ndarray) -> Tuple[float, Optional[float]]:
    """Return (mean loss, accuracy or None for regression) of logits (rows, ..., outputs) against targets.

    Binary accuracy counts every output on its own, at a threshold of one half; categorical accuracy every step.
    """
    outputs = outputs.astype(np.float64)
    if loss.kind == "categorical_cross_entropy":
        steps = targets[0].size if loss.over_steps == "sum" else 1
        outputs, targets = outputs.reshape(-1, outputs.shape[-1]), targets.ravel()
        peak = outputs.max(axis=1)
        log_total = peak + np.log(np.exp(outputs - peak[:, None]).sum(axis=1))
        chosen = outputs[np.arange(len(outputs)), targets]
        return float((log_total - chosen).mean()) * steps, float((outputs.argmax(axis=1) == targets).mean())
    if loss.kind == "binary_cross_entropy":
        values = np.maximum(outputs, 0) - outputs * targets + np.log1p(np.exp(-np.abs(outputs)))
        return _reduced(loss, values), float(((outputs > 0) == (targets > 0.5)).mean())
    return _reduced(loss, (outputs - targets) ** 2), None


def _reduced(loss: Any, values: np.ndarray) -> float:
    return float(values.mean() if loss.over_outputs == "mean" else values.sum(axis=1).mean())


def probabilities(loss: Any, outputs: np.ndarray) -> np.ndarray:
    """Return the scores a user of the model sees: softmax, sigmoid, or the outputs themselves."""
    outputs = outputs.astype(np.float64)
    if loss.kind == "categorical_cross_entropy":
        shares = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
        return (shares / shares.sum(axis=-1, keepdims=True)).astype(np.float32)
    if loss.kind == "binary_cross_entropy":
        return (0.5 * (1 + np.tanh(0.5 * outputs))).astype(np.float32)
    return outputs.astype(np.float32)


def learned(loss: Any, outputs: np.ndarray, targets: np.ndarray) -> Optional[str]:
    """Return None where a model beats the best constant answer, else the reason it did not learn.

    Chance is the share of the commonest class (each output's, for binary) plus two standard errors, or
    the error of always answering the mean target.
    """
    value, accuracy = score(loss, outputs, targets)
    if accuracy is None:
        constant = score(loss, np.broadcast_to(targets.mean(axis=0), targets.shape), targets)[0]
        if value < constant:
            return None
        return "test loss {:.4g} is not below {:.4g}, that of always answering the mean".format(value, constant)
    if loss.kind == "categorical_cross_entropy":
        chance = np.bincount(targets.ravel()).max() / targets.size
    else:
        ones = (targets > 0.5).mean(axis=0)
        chance = float(np.maximum(ones, 1 - ones).mean())
    bound = chance + 2 * (chance * (1 - chance) / targets.size) ** 0.5
    if accuracy > bound:
        return None
    return "test accuracy {:.4f} is not above chance ({:.4f} with two standard errors)".format(accuracy, bound)
