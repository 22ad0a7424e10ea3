"""Prediction of many rows, in parts: the logits of a large vocabulary would fill gigabytes at once."""

from typing import Any, List, Tuple

import numpy as np

from .clock import Clock
from .scoring import Scores, probabilities, target_probabilities
from .spec import Job
from .worker import Arrays, Worker, staged, stateful

PART_BYTES = 32 * 1024**2  # of outputs, at most, where rows are predicted at once; scoring takes a dozen times as much


class Evaluation:
    """Staged rows with their targets, in as many parts as their outputs need."""

    def __init__(self, worker: Worker, job: Job, x: np.ndarray, targets: np.ndarray) -> None:
        self.worker, self.job, self.targets = worker, job, targets
        size = rows_at_once(job)
        self.parts: List[Tuple[Any, np.ndarray]] = [
            (staged(worker, job, x[first : first + size], targets[first : first + size]), targets[first : first + size])
            for first in range(0, len(x), size)
        ]
        self._carries = stateful(job) and len(self.parts) > 1

    def score(self, clock: Clock, keep: bool = False) -> Tuple[Scores, float, Arrays]:
        """Return the scores, the seconds of predicting alone, and, where they are asked for, what predictions.npz
        keeps of them: of rows in several parts, the probability of each target."""
        scores, total, kept = Scores(self.job.recipe.loss), 0.0, []
        self._begin()
        for handle, targets in self.parts:
            outputs, seconds = clock.timed("evaluate", lambda: self.worker.predict(handle))  # noqa: B023
            total += seconds
            scores.add(outputs, targets)
            if keep:
                loss = self.job.recipe.loss
                whole = len(self.parts) == 1
                kept.append(probabilities(loss, outputs) if whole else target_probabilities(outputs, targets))
        self._end()
        name = "scores" if len(self.parts) == 1 else "target_probabilities"
        return scores, total, {name: np.concatenate(kept)} if keep else {}

    def predict(self) -> None:
        """Predict all rows, and keep nothing."""
        self._begin()
        for handle, _ in self.parts:
            self.worker.predict(handle)
        self._end()

    def _begin(self) -> None:
        if self._carries:
            self.worker.reset_states()
            self.worker.carries_states = True

    def _end(self) -> None:
        if self._carries:
            self.worker.carries_states = False
            self.worker.reset_states()


def rows_at_once(job: Job) -> int:
    """Return how many rows are predicted at once: whole batches."""
    size = job.recipe.evaluation_batch_size
    row_bytes = 4 * int(np.prod(job.model.layers[-1].output_shape))
    return max(1, PART_BYTES // (size * row_bytes)) * size
