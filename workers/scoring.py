"""Scores from a model's outputs, computed here once for every framework, in float64."""

from typing import Any, Dict, Optional, Tuple

import numpy as np

LARGEST_EXPONENT = 69.0  # its exponential is the largest number that the spec takes


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


def target_probabilities(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the probability that logits (rows, ..., classes) give each target class."""
    flat = outputs.astype(np.float64).reshape(-1, outputs.shape[-1])
    flat = flat - flat.max(axis=1, keepdims=True)
    chosen = flat[np.arange(len(flat)), targets.ravel()]
    return np.exp(chosen - np.log(np.exp(flat).sum(axis=1))).astype(np.float32).reshape(targets.shape)


class Scores:
    """The scores of rows that are predicted in parts, added up."""

    def __init__(self, loss: Any) -> None:
        self._loss = loss
        self._rows = self._numbers = 0
        self._total = self._right = self._squared = self._absolute = 0.0
        self._steps: Optional[int] = None  # of a language model's row

    def add(self, outputs: np.ndarray, targets: np.ndarray) -> None:
        """Add the scores of these outputs (rows, ...)."""
        value, accuracy = score(self._loss, outputs, targets)
        self._rows += len(targets)
        self._total += value * len(targets)
        self._numbers += targets.size
        if accuracy is not None:
            self._right += accuracy * targets.size
            if self._loss.kind == "categorical_cross_entropy" and targets.ndim > 1:
                self._steps = targets[0].size
        else:
            errors = outputs.astype(np.float64) - targets
            self._squared += float((errors**2).sum())
            self._absolute += float(np.abs(errors).sum())

    @property
    def loss(self) -> float:
        return self._total / self._rows

    @property
    def accuracy(self) -> Optional[float]:
        return None if self._loss.kind == "mean_squared_error" else self._right / self._numbers

    @property
    def perplexity(self) -> Optional[float]:
        """Return exp of the mean loss of a word; None where a row has one target."""
        if self._steps is None:
            return None
        mean = self.loss / (self._steps if self._loss.over_steps == "sum" else 1)
        return float(np.exp(mean)) if mean < LARGEST_EXPONENT else None

    @property
    def errors(self) -> Dict[str, float]:
        """Return the squared and the absolute error of regression, their means over all numbers."""
        if self._loss.kind != "mean_squared_error":
            return {}
        return {"squared_error": self._squared / self._numbers, "absolute_error": self._absolute / self._numbers}


def constant_errors(train: np.ndarray, targets: np.ndarray) -> Dict[str, float]:
    """Return the errors of always answering the mean of the training targets."""
    errors = train.astype(np.float64).mean(axis=0) - targets
    return {"squared_error": float((errors**2).mean()), "absolute_error": float(np.abs(errors).mean())}


def learned(loss: Any, value: float, accuracy: Optional[float], targets: np.ndarray) -> Optional[str]:
    """Return None where a model's loss or accuracy beats the best constant answer, else the reason it did not learn.

    Chance is the share of the commonest class (each output's, for binary) plus two standard errors, or
    the error of always answering the mean target.
    """
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
