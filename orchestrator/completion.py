"""What the shell offers after TAB. Light: it imports neither the suites' model nor an engine.

A parameter's name says what it takes, so that one table serves every command that has it.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from orchestrator.catalogue import every_entry

SUITES_DIR = Path(__file__).resolve().parent / "suites"
ENGINES = ("auto", "docker", "local")
FORMATS = {
    "report": ("html", "markdown", "svg", "pdf", "latex", "csv"),
    "show": ("table", "json", "csv", "markdown", "latex"),
    "compare": ("table", "json", "csv", "markdown"),
    "doctor": ("table", "json"),
    "frameworks": ("table", "json", "csv", "markdown"),
}
DOCUMENTS = ("job", "result", "suite", "summary", "comparison")
VARIANTS = ("matched", "paper", "both")

Offers = list[tuple[str, str]]  # (what is put in, what it means)


def frameworks(ctx: Any, incomplete: str) -> Offers:
    every = [
        ("all", "every framework but the reference"),
        ("all-modes", "the same, and their modes"),
        ("all-versions", "the same, and their other versions"),
    ]
    return _in_a_list([*((entry.label, entry.title) for entry in every_entry()), *every], incomplete)


def suites(ctx: Any, incomplete: str) -> Offers:
    """Offer the built-in suites; a file is left to the shell, which completes paths where nothing is offered."""
    return _starting((path.stem for path in sorted(SUITES_DIR.glob("*.yaml"))), incomplete)


def workloads(ctx: Any, incomplete: str) -> Offers:
    """Offer the workloads of the suite on the same command line."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    name = ctx.params.get("suite") or "quick"
    built_in = SUITES_DIR / f"{name}.yaml"
    try:
        text = (built_in if built_in.is_file() else Path(name)).read_text(encoding="utf-8")
        names = [item["name"] for item in YAML(typ="safe", pure=True).load(text)["workloads"]]
    except (OSError, ValueError, YAMLError, KeyError, TypeError):
        return []
    return _in_a_list(((str(name), "") for name in names), incomplete)


def engines(ctx: Any, incomplete: str) -> Offers:
    return _starting(ENGINES, incomplete)


def formats(ctx: Any, incomplete: str) -> Offers:
    return _starting(FORMATS[ctx.command.name], incomplete)


def documents(ctx: Any, incomplete: str) -> Offers:
    return _starting(DOCUMENTS, incomplete)


def variants(ctx: Any, incomplete: str) -> Offers:
    return _starting(VARIANTS, incomplete)


def datasets(ctx: Any, incomplete: str) -> Offers:
    from orchestrator.datasets import names

    offers = _starting(names(), incomplete)
    return offers + _starting(["all"], incomplete) if ctx.command.name == "fetch" else offers


def likes(ctx: Any, incomplete: str) -> Offers:
    from orchestrator.datasets import FORMATS

    return _starting(FORMATS, incomplete)


COMPLETERS: dict[str, Callable[[Any, str], Offers]] = {
    "frameworks": frameworks,
    "suite": suites,
    "workloads": workloads,
    "variant": variants,
    "engine": engines,
    "format": formats,
    "document": documents,
    "datasets": datasets,
    "like": likes,
}


def attach(function: Any) -> None:
    """Give each parameter of a command the completer of its name."""
    for name, annotation in function.__annotations__.items():
        for info in getattr(annotation, "__metadata__", ()):
            if name in COMPLETERS:
                info.autocompletion = COMPLETERS[name]


def _starting(words: Iterable[str], incomplete: str) -> Offers:
    return [(word, "") for word in words if word.startswith(incomplete)]


def _in_a_list(offers: Iterable[tuple[str, str]], incomplete: str) -> Offers:
    """Complete the last of several words with commas between them; those before it are not offered again."""
    *before, last = incomplete.split(",")
    head = "".join(f"{word}," for word in before)
    return [(head + word, text) for word, text in offers if word.startswith(last) and word not in before]
