"""What a user asks a run to be: names and numbers as given, and what is wrong with them."""

from orchestrator.catalogue import FRAMEWORKS, spellings
from orchestrator.explain import nearest
from workers.compat import Literal
from workers.spec import Record

LARGEST_THREADS = 1024
LONGEST_TIMEOUT_SECONDS = 1e9  # beyond 9e9 the worker's own deadline overflows
SMALLEST_MEMORY_BYTES = 64 * 1024**2
Variant = Literal["matched", "paper"]
VARIANTS: dict[str, tuple[Variant, ...]] = {
    "matched": ("matched",),
    "paper": ("paper",),
    "both": ("matched", "paper"),
}


class Request(Record):
    """A run as it was asked for; None: the suite's own, or the machine's.

    ``epochs``: train for the largest, read the results after each. ``limit_rows``: at most so many rows of each split.
    ``scale``: so large a share of the suite's rows, and of its epochs. ``datasets``: {a set of the suite: the one in
    its place}; ``synthetic``: random numbers in the place of all.
    """

    frameworks: str | None = None
    suite: str = "quick"
    workloads: str | None = None
    variant: str = "matched"
    gpu: bool = False
    threads: list[int] | None = None
    repeats: int | None = None
    seed: int | None = None
    epochs: list[int] | None = None
    batch_size: int | None = None
    limit_rows: int | None = None
    scale: float = 1.0
    datasets: dict[str, str] = {}
    synthetic: bool = False
    timeout_seconds: float | None = None
    memory_bytes: int = 8 * 1024**3

    def alterations(self) -> list[str]:
        """Return in words where the run is not the suite as it is written."""
        words = []
        if self.epochs:
            words.append(f"{max(self.epochs)} epochs")
        if self.batch_size:
            words.append(f"batches of {self.batch_size}")
        if self.limit_rows:
            words.append(f"at most {self.limit_rows:,} rows")
        if self.scale != 1:
            epochs = "" if self.epochs else ", and of the epochs"
            words.append(f"scale {self.scale:g}: that share of the rows{epochs}")
        if self.synthetic:
            words.append("synthetic data, on which no accuracy means anything")
        words += [f"{new} in place of {old}" for old, new in self.datasets.items() if not self.synthetic]
        return words


def framework_labels(text: str, mistakes: list[str]) -> list[str]:
    """Return the frameworks' labels (``name[@version][:mode]``), each once, in the order given.

    ``all`` is every framework in its own way, ``all-modes`` each of them in every mode, ``all-versions`` in every mode
    and version; the reference is no contestant.
    """
    contestants = [entry for entry in FRAMEWORKS.values() if entry.name != "numpy"]
    several = {
        "all": [entry.name for entry in contestants],
        "all-modes": [row.label for entry in contestants for row in entry.rows() if not row.chosen_version],
        "all-versions": [row.label for entry in contestants for row in entry.rows()],
    }
    known = spellings()
    labels: list[str] = []
    for word in (part.strip().lower() for part in text.split(",")):
        if word in several:
            labels += several[word]
        elif word in known:
            labels.append(known[word])
        else:
            mistakes.append(f"Unknown framework {word!r}. {nearest(word, [*known, *several])}")
    return list(dict.fromkeys(labels))


def named_labels(text: str) -> set[str]:
    """Return the frameworks that are asked for by their own name, not as one of ``all``."""
    known = spellings()
    return {known[word] for word in (part.strip().lower() for part in text.split(",")) if word in known}


def mistakes_in(request: Request) -> list[str]:
    """Return what is wrong with the numbers and words of a request that need no suite to be judged."""
    mistakes = [
        f"--threads is {number}; it must be from 1 to {LARGEST_THREADS}."
        for number in request.threads or []
        if not 1 <= number <= LARGEST_THREADS
    ]
    if request.variant not in VARIANTS:
        mistakes.append(f"Unknown variant {request.variant!r}. {nearest(request.variant, VARIANTS)}")
    counts = {"--repeats": request.repeats, "--batch-size": request.batch_size, "--limit-rows": request.limit_rows}
    numbers = [*counts.items(), *(("--epochs", number) for number in request.epochs or [])]
    mistakes += [
        f"{flag} is {number}; it must be at least 1." for flag, number in numbers if number is not None and number < 1
    ]
    if request.seed is not None and not 0 <= request.seed < 2**31:
        mistakes.append(f"--seed is {request.seed}; it must be from 0 to 2147483647.")
    if not 0 < request.scale <= 1:  # false for NaN too
        mistakes.append(f"--scale is {request.scale:g}; it must be more than 0 and at most 1.")
    timeout = request.timeout_seconds
    if timeout is not None and not 0 < timeout <= LONGEST_TIMEOUT_SECONDS:  # false for NaN too
        text = f"it must be more than 0 and at most {LONGEST_TIMEOUT_SECONDS:.0f} seconds."
        mistakes.append(f"--timeout is {timeout:g}; {text}")
    if request.memory_bytes < SMALLEST_MEMORY_BYTES:
        mistakes.append(f"--memory is {request.memory_bytes} bytes; it must be at least 64 MiB.")
    return mistakes
