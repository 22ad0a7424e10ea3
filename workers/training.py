"""The training of one measured job: epochs in their seeded order, an evaluation after each, and where it ends."""

from functools import partial
from typing import Any, Dict, List, Tuple

import numpy as np

from .clock import Clock
from .evaluation import Evaluation
from .loading import Rows
from .schedules import learning_rates
from .scoring import Scores, constant_errors, learned
from .spec import Epoch, Job, Result
from .threads import LoadClock, ThreadClock
from .worker import Arrays, Worker, staged, stateful


class Diverged(Exception):
    """A loss is no longer a finite number."""


class DidNotLearn(Exception):
    """The model is no better than a constant answer, so its time says nothing."""


class MissedTarget(Exception):
    """A training towards a target ended before it."""


class Training:
    """Trains a built worker on a job's rows, in its ``result``. Permuting and scoring happen outside every phase."""

    def __init__(self, job: Job, worker: Worker, data: Dict[str, Rows], result: Result, clock: Clock) -> None:
        self.job, self.worker, self.clock, self.result = job, worker, clock, result
        self.x, self.y = data["train"]
        self.test = Evaluation(worker, job, *data["test"])
        self.validation = Evaluation(worker, job, *data["validation"])
        self.load = LoadClock()
        if job.recipe.loss.kind == "mean_squared_error" and not job.dataset.synthetic:
            result.constant_errors = constant_errors(self.y, self.test.targets)

    def run(self) -> Arrays:
        """Train all epochs, or until the target is reached; return what is kept of the last test outputs.

        The job's carried epochs come first: trained alike, and left out of the result.
        """
        job = self.job
        kept: Arrays = {}
        for number in range(job.carried_epochs + job.recipe.epochs):
            train_loss, train_seconds, stage_seconds = self._epoch(number)
            if not np.isfinite(train_loss):
                raise Diverged("the training loss became {} in epoch {}".format(train_loss, number + 1))
            scores, evaluate_seconds, kept = self.test.score(self.clock, keep=True)
            if not np.isfinite(scores.loss):
                raise Diverged("the test loss became {} after epoch {}".format(scores.loss, number + 1))
            if number < job.carried_epochs:
                continue
            epoch = Epoch(
                stage_seconds=stage_seconds,
                train_seconds=train_seconds,
                evaluate_seconds=evaluate_seconds,
                train_loss=train_loss,
                test_loss=scores.loss,
            )
            self._judge(epoch, scores)
            self.result.epochs.append(epoch)
            if self._reached(epoch):
                break
        if job.target is not None and self.result.epochs_to_target is None:
            best = getattr(epoch, job.target.metric)
            text = "{} is {} after {} epochs; the target is {:g}"
            raise MissedTarget(text.format(job.target.metric, best, len(self.result.epochs), job.target.value))
        return kept

    def _epoch(self, number: int) -> Tuple[float, float, float]:
        """Train one epoch; return its mean loss and its seconds of training and of staging.

        The very first batch is a phase of its own.
        """
        recipe, rows = self.job.recipe, self.job.dataset.train_rows
        steps = -(-rows // recipe.batch_size)
        order = np.arange(rows)
        if not stateful(self.job):
            order = np.random.RandomState([self.job.seed, number]).permutation(rows)
        rates = learning_rates(recipe, number * steps, steps, steps)
        self.worker.reset_states()
        parts = [("train", order, rates)]
        if number == 0:
            size = recipe.batch_size
            parts = [("first_step", order[:size], rates[:1]), ("train", order[size:], rates[1:])]
        stage_seconds, total = 0.0, 0.0
        train_seconds: List[float] = []
        threads = ThreadClock()
        for phase, chosen, part_rates in parts:
            if not len(chosen):
                continue
            x, y = self.x[chosen], self.y[chosen]
            handle, seconds = self.clock.timed("stage", partial(staged, self.worker, self.job, x, y))
            stage_seconds += seconds
            with self.load, threads:
                loss, seconds = self.clock.timed(phase, partial(self.worker.train_epoch, handle, part_rates))
            train_seconds.append(seconds)
            total += loss * len(chosen)
        environment = self.result.environment
        environment.threads_seen, environment.other_cpus_busy = threads.seen, self.load.other_cpus_busy
        if number == 0:
            self.result.phases.first_step_seconds = train_seconds[0]
        return float(total / rows), sum(train_seconds), stage_seconds

    def _judge(self, epoch: Epoch, scores: Scores) -> None:
        """Fill in what the test and validation rows say; of synthetic data nothing but their losses."""
        if self.validation.parts:
            found, epoch.validate_seconds, _ = self.validation.score(self.clock)
            epoch.validation_loss = found.loss if np.isfinite(found.loss) else None
            epoch.validation_accuracy = None if self.job.dataset.synthetic else found.accuracy
        if self.job.dataset.synthetic:
            return
        epoch.accuracy, epoch.perplexity = scores.accuracy, scores.perplexity
        epoch.squared_error = scores.errors.get("squared_error")
        epoch.absolute_error = scores.errors.get("absolute_error")

    def _reached(self, epoch: Epoch) -> bool:
        target = self.job.target
        value = None if target is None else getattr(epoch, target.metric)
        if target is None or value is None:
            return False
        reached = value >= target.value if target.metric == "accuracy" else value <= target.value
        if reached:
            self.result.epochs_to_target = len(self.result.epochs)
        return bool(reached)

    def check_learned(self) -> None:
        """Raise DidNotLearn where the last epoch's model is no better than a constant answer."""
        if self.job.dataset.synthetic:
            return  # there is nothing to learn
        last: Any = self.result.epochs[-1]
        complaint = learned(self.job.recipe.loss, last.test_loss, last.accuracy, self.test.targets)
        if complaint:
            raise DidNotLearn(complaint)
