"""The pages say what is so: links resolve, commands and flags exist, examples validate, no module is left out."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import typer

from orchestrator import errors
from orchestrator.catalogue import ROOT
from orchestrator.cli import app
from orchestrator.errors import UsageError
from orchestrator.suite import load_suite
from tests.unit.test_arrows import LAYERS
from workers.spec import Status

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
BENCH = typer.main.get_command(app)
GROUPS = {name: item.commands for name, item in BENCH.commands.items() if hasattr(item, "commands")}  # type: ignore[attr-defined]
COMMANDS = {
    **{name: item for name, item in BENCH.commands.items() if name not in GROUPS},  # type: ignore[attr-defined]
    **{f"{group} {name}": item for group, items in GROUPS.items() for name, item in items.items()},
}
OPTIONS = {
    name: {option for parameter in command.params for option in parameter.opts if option.startswith("--")} | {"--help"}
    for name, command in COMMANDS.items()
}
OWN_OPTIONS = {option for parameter in BENCH.params for option in parameter.opts} | {"--help"}  # of bench itself


def fences(text: str, language: str) -> list[str]:
    return [body for name, body in FENCE.findall(text) if name == language]


# ---------------------------------------------------------------------------- links


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(text: str, page: Path, root: Path = ROOT) -> list[str]:
    """Return the links of a page that lead nowhere, out of the project, or to a heading that is not there."""
    links = LINK.findall(FENCE.sub("", text))
    return [
        link
        for link in links
        if not link.startswith(("https://", "http://", "mailto:")) and not _resolves(link, text, page, root)
    ]


def _resolves(link: str, text: str, page: Path, root: Path) -> bool:
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if Path(name).is_absolute() or not target.is_relative_to(root) or not target.exists():
        return False
    return not anchor or anchor in anchors(text if target == page else target.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_resolve(page: Path) -> None:
    assert broken_links(page.read_text(encoding="utf-8"), page) == []


def test_the_pages_are_there_and_have_links() -> None:
    names = {page.relative_to(ROOT).as_posix() for page in PAGES}
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/architecture.md"} <= names
    assert all(LINK.search(page.read_text(encoding="utf-8")) for page in PAGES)


@pytest.mark.parametrize(
    "link", ["nowhere.md", "docs/architecture.md#no-such-heading", "#no-such-heading", "..", str(ROOT / "README.md")]
)
def test_a_planted_broken_link_is_seen(link: str) -> None:
    text = f"# Here\n[right](#here), [also](docs/architecture.md#words), [wrong]({link})"
    assert broken_links(text, ROOT / "README.md") == [link]


# ---------------------------------------------------------------------------- commands


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of every call of ``bench`` in a page's code, the word itself left out."""
    code = [body.replace("\\\n", " ") for _, body in FENCE.findall(text)]
    code += re.findall(r"`([^`\n]+)`", FENCE.sub("", text))
    for line in (line for body in code for line in body.splitlines()):
        for call in re.findall(r"(?:^|[\s`])(?:\.venv/bin/)?bench(?= [a-z-])([^`|]*)", line):
            words = shlex.split(call, comments=True)
            yield [" ".join(words[:2]), *words[2:]] if words[0] in GROUPS and words[1:] else words


def wrong_commands(text: str) -> list[str]:
    """Return what the calls of ``bench`` on a page, and its flags alone in code, have that the command has not."""
    wrong = []
    for name, *words in commands(text):
        if name in OWN_OPTIONS or name in GROUPS:
            continue
        if name not in OPTIONS:
            wrong.append(name)
            continue
        flags = [word.split("=")[0] for word in words if word.startswith("--")]
        wrong += [f"{name} {flag}" for flag in flags if flag not in OPTIONS[name]]
    every = OWN_OPTIONS.union(*OPTIONS.values())
    alone = re.findall(r"`(--[a-z-]+)[^`\n]*`", FENCE.sub("", text))
    return wrong + [flag for flag in alone if flag not in every]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_and_flags_exist(page: Path) -> None:
    assert wrong_commands(page.read_text(encoding="utf-8")) == []


def test_the_readme_shows_every_command_and_every_flag() -> None:
    assert {name for name, *_ in commands(README)} >= set(OPTIONS)
    shown = set(re.findall(r"--[a-z-]+", README))
    assert set().union(*OPTIONS.values()) - shown == set()


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("`bench orchestrate --frameworks tf`", []),
        ("`bench orchestrat --frameworks tf`", ["orchestrat"]),
        ("`bench show RUN --gpu`", ["show --gpu"]),
        ("`bench data import DIR --like driving`", []),
        ("`bench data imprt DIR`", ["data imprt"]),
        ("`bench data list --like driving`", ["data list --like"]),
        ("the flag `--framework tf`", ["--framework"]),
        ("```sh\nbench orchestrate --suite quick \\\n    --round 3  # a comment\n```\n", ["orchestrate --round"]),
        ("```sh\n.venv/bin/bench rebuild all\n```\n", ["rebuild"]),
        ("`bench --install-completion`", []),
        ("`bench --uninstall-completion`", ["--uninstall-completion"]),
    ],
)
def test_a_planted_command_is_seen(text: str, wrong: list[str]) -> None:
    assert wrong_commands(text) == wrong


def exit_codes(text: str) -> set[int]:
    section = text.split("### Exit codes")[1].split("\n## ")[0]
    return {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)}


def test_the_readme_lists_the_exit_codes() -> None:
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.BenchError)]
    codes = {errors.OK, errors.JOB_FAILED, errors.NOT_READY, errors.WORSE, errors.NOT_COMPARED}
    assert exit_codes(README) == codes | {kind.exit_code for kind in classes}
    assert exit_codes(README.replace("| 130 |", "| 13 |")) != exit_codes(README)


# ---------------------------------------------------------------------------- examples


@pytest.mark.parametrize("text", fences(README, "yaml"))
def test_every_yaml_example_is_a_suite_that_validates(text: str, tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(text, encoding="utf-8")
    assert load_suite(str(path)).workloads


def test_there_is_an_example_and_a_defect_in_it_is_seen(tmp_path: Path) -> None:
    (text,) = fences(README, "yaml")
    assert "kernel_size" in text
    path = tmp_path / "example.yaml"
    path.write_text(text.replace("kernel_size", "kernel_sise"), encoding="utf-8")
    with pytest.raises(UsageError, match="kernel_sise"):
        load_suite(str(path))


# ---------------------------------------------------------------------------- architecture


def modules() -> list[str]:
    """Return every module that holds more than a docstring, as a path from the project's root."""
    paths = sorted(path for side in ("orchestrator", "workers") for path in (ROOT / side).rglob("*.py"))
    return [
        path.relative_to(ROOT).as_posix()
        for path in paths
        if path.name != "__init__.py" or len(ast.parse(path.read_text(encoding="utf-8")).body) > 1
    ]


def unnamed(text: str) -> list[str]:
    """Return the modules that the architecture's tables do not name and link."""
    return [path for path in modules() if f"](../{path}) |" not in text]


def test_the_architecture_names_every_module() -> None:
    assert {"orchestrator/cli.py", "orchestrator/engines/docker.py", "workers/spec.py"} <= set(modules())
    assert unnamed(ARCHITECTURE) == []


def test_a_module_that_is_left_out_is_seen() -> None:
    text = "\n".join(line for line in ARCHITECTURE.splitlines() if not line.startswith("| [workers/scoring.py]"))
    assert unnamed(text) == ["workers/scoring.py"]


def layers(text: str) -> list[set[str]]:
    (picture,) = fences(text, "layers")
    return [set(line.split()) for line in picture.splitlines()]


def test_the_picture_of_the_layers_is_the_one_that_is_held() -> None:
    assert layers(ARCHITECTURE) == LAYERS
    assert layers(ARCHITECTURE.replace("notes recipe", "recipe")) != LAYERS


def statuses(text: str) -> list[str]:
    section = text.split("## Statuses")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_the_architecture_lists_the_statuses() -> None:
    assert statuses(ARCHITECTURE) == list(get_args(Status))
    assert statuses(ARCHITECTURE.replace("| `lost` |", "| `gone` |")) != list(get_args(Status))
