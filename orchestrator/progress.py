"""What the user sees while a run goes on: a live line on a terminal, plain lines elsewhere."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from workers.spec import Job, Result


class RunProgress:
    """Says what runs, how far the run is and what is left."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._total = 0
        self._done = 0
        self._started = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("preparing", total=None)

    def __enter__(self) -> "RunProgress":
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def plan(self, jobs: int) -> None:
        self._total = jobs
        self._started = time.monotonic()
        self._bar.update(self._task, total=jobs)

    def start(self, job: Job, what: str) -> None:
        text = f"{_name(job)}: {what}"
        self._bar.update(self._task, description=text)
        if not self.console.is_terminal:
            self.say(f"[{self._done + 1}/{self._total}] {text}")

    def finish(self, job: Job, result: Result, note: str = "") -> None:
        self._done += 1
        self._bar.update(self._task, completed=self._done)
        text = f"[{self._done}/{self._total}] {_name(job)}: {_outcome(job, result)}"
        left = "" if note else self._left()
        self.say(text + (f" ({note})" if note else "") + left)

    def _left(self) -> str:
        """Return an estimate of the time left, on plain lines; the bar of a terminal shows its own."""
        if self.console.is_terminal or self._done >= self._total:
            return ""
        ahead = self._total - self._done
        seconds = (time.monotonic() - self._started) / self._done * ahead
        return f"; {ahead} left, about " + (f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s")


def _name(job: Job) -> str:
    return f"{job.workload} {job.framework.label}" + (" as published" if job.variant == "paper" else "")


def _outcome(job: Job, result: Result) -> str:
    if result.status != "ok":
        return f"{result.status}: {result.reason}"
    if job.kind == "parity":
        verdict = result.parity
        return "gate passed" if verdict is None or verdict.passed else f"gate FAILED: {verdict.reason}"
    if job.kind == "lines":
        return f"{result.code_lines['both']} lines"
    last = result.epochs[-1]
    scores = (
        f", {name.replace('_', ' ')} {value:.4f}"
        for name in ("accuracy", "perplexity", "squared_error")
        if (value := getattr(last, name)) is not None
    )
    epochs = f", target reached after epoch {result.epochs_to_target}" if result.epochs_to_target else ""
    return f"trained in {result.train_seconds:.3g} s" + next(iter(scores), "") + epochs
