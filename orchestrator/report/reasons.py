"""Why a cell is not compared, and what a reader can do about that and about each status of a job."""

from orchestrator.cells import Cell


def of_cell(cell: Cell) -> str | None:
    """Return why a cell is not compared, in a word or two; None for one that is."""
    if cell.comparable:
        return None
    if cell.variant == "paper":
        return "as published"
    if cell.mixed:
        return "mixed environments"
    if cell.parity == "failed":
        return "not comparable"
    if cell.rounds_ok < cell.rounds:
        return f"{cell.rounds_ok} of {cell.rounds} rounds ok"
    return "gate not run"


WORDS = {
    "as published": "It computes what a study had it compute, so it is never ranked.",
    "mixed environments": "Its rounds ran in different images or with different workers.",
    "not comparable": "The parity gate failed: it computes something else, so its time says nothing about speed.",
    "gate not run": "The parity gate said nothing of it.",
}


def in_words(reason: str) -> str:
    return WORDS.get(reason, "Some rounds have no result that counts, so no ratio is given.")


NEXT = {
    "unsupported": "Nothing: the framework cannot do this, as its reason says.",
    "failed": "Read its log; `bench orchestrate --run RUN` tries it again.",
    "diverged": "Lower the learning rate in the suite, or read its epochs: a loss is no longer a number.",
    "did_not_learn": "Give it more --epochs, or read its epochs: it is no better than a constant answer.",
    "missed_target": "Give it more --epochs, or a nearer target in the suite.",
    "timeout": "Give it more --timeout; `bench orchestrate --run RUN` tries it again.",
    "out_of_memory": "Give it more --memory; `bench orchestrate --run RUN` tries it again.",
    "lost": "Read its log; `bench orchestrate --run RUN` tries it again.",
    "unavailable": "`bench build` says what its environment lacks; `bench doctor`, what this machine lacks.",
    "gate failed": "Read the parity table: it names the tensor that differs. Mend the worker, then go on with --run.",
    "mixed environments": "`bench orchestrate --run RUN --again --frameworks NAME` measures it anew.",
    "not comparable": "See its gate in the parity table.",
    "gate not run": "`bench orchestrate --run RUN` runs what is missing.",
}


def next_step(status: str) -> str:
    """Return what to do about a job's status or a cell's reason."""
    return NEXT.get(status, "See its jobs above; `bench orchestrate --run RUN` runs what is missing.")
