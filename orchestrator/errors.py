"""Every error a user can see, each with its exit code. Raised anywhere, printed in ``cli`` alone.

A message says what happened, to which thing, what is allowed and what to do next.
"""

from collections.abc import Sequence

OK = 0
JOB_FAILED = 1  # a job is not ok or unsupported, or a parity gate failed
NOT_READY = 1  # `bench doctor` found a problem
WORSE = 6  # `bench compare`: a row is slower beyond the threshold, or scores worse beyond the tolerance
NOT_COMPARED = 7  # `bench compare`: no row is worse, but not every one could be compared


class BenchError(Exception):
    """Something the user can act on; ``exit_code`` is what ``bench`` exits with."""

    exit_code = 1


class UsageError(BenchError):
    """Bad input: every mistake found, before anything was built."""

    exit_code = 2

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = list(mistakes)


class EngineError(BenchError):
    """The engine that was asked for cannot work here, or an environment cannot be prepared."""

    exit_code = 3


class DataError(BenchError):
    """A dataset's files are missing, altered or cannot be downloaded."""

    exit_code = 4


class StoreError(BenchError):
    """A run folder cannot be read or written."""

    exit_code = 5


class Interrupted(BenchError):
    """The user pressed Ctrl-C; what is done is kept."""

    exit_code = 130
