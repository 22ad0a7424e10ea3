"""The formats of ``bench report``: which one a file's name or ``--format`` asks for, and what writes it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.explain import nearest
from orchestrator.recipe import current_recipes
from orchestrator.report import page
from orchestrator.report.files import FOLDERS
from orchestrator.report.tidy import Reported, read_run
from orchestrator.store import RunStore, write_bytes, write_text


def _html(runs: Sequence[Reported], folder: Path, command: str) -> str:
    from orchestrator.report.html.page import as_html  # what draws charts takes a second to import

    return as_html(runs, folder, command)


def _markdown(runs: Sequence[Reported], folder: Path, command: str) -> str:
    if len(runs) > 1:
        raise UsageError(["A Markdown page holds one run. Give one, or write an HTML page: --output FILE.html."])
    (run,) = runs
    return page.as_page(RunStore(run.folder), run.summary, run.pairs, command)


PAGES: dict[str, Callable[[Sequence[Reported], Path, str], str]] = {"html": _html, "markdown": _markdown}
"""One file of text each, from runs, the folder that it will lie in and the command that makes it again."""

SUFFIXES = {".html": "html", ".htm": "html", ".md": "markdown"}


def write(folders: Sequence[Path], format: str | None, output: Path | None, command: str) -> str:
    """Write runs in a format and return what to print: the text itself, where no output is named.

    Raises UsageError and StoreError.
    """
    chosen = format or SUFFIXES.get(output.suffix.lower() if output else ".md")
    if chosen not in (*PAGES, *FOLDERS):
        what = f"Unknown format {chosen!r}." if chosen else f"{output}: its suffix names no format."
        raise UsageError([f"{what} {nearest(chosen or '', [*PAGES, *FOLDERS])} Name it by --format."])
    if chosen in FOLDERS and (output is None or output.is_file()):
        what = f"{output} is a file." if output else "No folder is named."
        raise UsageError([f"Format {chosen} is a folder of files. {what} Name a folder by --output."])
    recipes = current_recipes()
    runs = [read_run(folder, recipes) for folder in folders]
    if chosen in FOLDERS and output is not None:
        return _write_folder(chosen, runs, output)
    text = PAGES[chosen](runs, output.parent if output else Path(), command)
    if output is None:
        return text
    write_text(output, text)
    return f"Written: {output}\n"


def _write_folder(format: str, runs: Sequence[Reported], folder: Path) -> str:
    count = 0
    for name, content in FOLDERS[format](runs):
        write_bytes(folder / name, content)
        count += 1
    return f"Written: {count} files in {folder}\n"
