"""What the papers stated of each framework and what holds now, a source for every claim: ``properties.yaml``, checked.

Nothing is in it that a source does not state: what none does is null.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from orchestrator.catalogue import FRAMEWORKS
from orchestrator.errors import UsageError
from orchestrator.explain import explain, nearest
from workers.compat import Text
from workers.spec import Record, ValidationError

FILE = Path(__file__).with_suffix(".yaml")
REFERENCE = "numpy"  # no framework of anybody's choice

# A page, or a package of an index by its package URL.
Url = Annotated[str, StringConstraints(pattern=r"^(https://[a-z0-9.-]+\.[a-z]+(/\S*)?|pkg:(pypi|maven)/\S+)$")]


class Stated(Record):
    """What a paper states, at one of the ``places`` of it."""

    value: Text
    paper: Text
    place: Text
    note: Text | None = None


class Seen(Record):
    """What a public page states, and the day on which it was looked up."""

    value: Text
    url: Url
    seen: date
    note: Text | None = None


class Sides(Record):
    """Both sides of a property, with every claim that was found. None: not stated."""

    then: Annotated[list[Stated], Field(min_length=1)] | None
    now: Annotated[list[Seen], Field(min_length=1)] | None


class Framework(Record):
    """The properties of the papers' qualitative tables, and what a user asks besides."""

    language: Sides = Field(title="implementation language")
    interfaces: Sides = Field(title="interfaces")
    threads: Sides = Field(title="several CPU threads")
    gpu: Sides = Field(title="GPU")
    multi_gpu: Sides = Field(title="several GPUs")
    cudnn: Sides = Field(title="cuDNN")
    licence: Sides = Field(title="licence")
    last_release: Sides = Field(title="last release")
    maintained: Sides = Field(title="maintained")


TITLES: dict[str, str] = {name: str(field.title) for name, field in Framework.model_fields.items()}


class Paper(Record):
    """A paper; ``places``: the tables and sections that claims are taken from -> how each is headed there."""

    title: Text
    places: dict[str, Text]


class Properties(Record):
    papers: dict[str, Paper]
    frameworks: dict[str, Framework]

    def claims(self) -> Iterator[tuple[str, str, str, Stated | Seen | None]]:
        """Yield (framework, property, ``then`` or ``now``, claim) in the file's order; a claim of None: not stated."""
        for name, framework in self.frameworks.items():
            for kind in TITLES:
                sides: Sides = getattr(framework, kind)
                for when, found in (("then", sides.then), ("now", sides.now)):
                    yield from ((name, kind, when, claim) for claim in found or [None])


def load_properties(path: Path = FILE) -> Properties:
    """Return the properties of every framework of the catalogue. Raises UsageError with every mistake in the file."""
    try:
        data: Any = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        found = Properties.model_validate(data)
    except YAMLError as error:
        raise UsageError([f"{path.name}: not YAML: {' '.join(str(error).split())}"]) from None
    except ValidationError as error:
        raise UsageError([f"{path.name}: {explain(Properties, data, dict(item))}" for item in error.errors()]) from None
    mistakes = _mistakes(found)
    if mistakes:
        raise UsageError([f"{path.name}: {text}" for text in mistakes])
    return found


def _mistakes(found: Properties) -> list[str]:
    """Return what is wrong with a file whose fields are each valid."""
    expected = [name for name in FRAMEWORKS if name != REFERENCE]
    mistakes = [f"frameworks: {name} of the catalogue is missing." for name in expected if name not in found.frameworks]
    mistakes += [
        f"frameworks: unknown framework {name!r}. {nearest(name, expected)}"
        for name in found.frameworks
        if name not in expected
    ]
    for name, kind, _, claim in found.claims():
        if not isinstance(claim, Stated):
            continue
        where = f"frameworks.{name}.{kind}.then ({claim.value})"
        if claim.paper not in found.papers:
            mistakes.append(f"{where}: unknown paper {claim.paper!r}. {nearest(claim.paper, found.papers)}")
        elif claim.place not in found.papers[claim.paper].places:
            places = found.papers[claim.paper].places
            mistakes.append(f"{where}: {claim.paper} has no {claim.place!r}. {nearest(claim.place, places)}")
    return mistakes
