"""Runs as folders of files: figures for a paper as SVG or PDF, their rows as LaTeX tables, all tidy tables as CSV."""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from orchestrator.report.booktabs import booktabs
from orchestrator.report.tidy import Reported, tables

if TYPE_CHECKING:
    from orchestrator.report.charts import Figure  # what draws charts takes a second to import

File = tuple[str, bytes]  # its name, and what is in it

COLUMN, PAGE = 3.4 * 72, 7.0 * 72  # points: one column of a paper, and both
FONT = 11  # pixels of a chart's letters on a screen
SCALE = 8 / FONT  # points of a pixel, so that letters are of 8 points
NARROWEST = 110  # pixels of a plot that can still be read
SIZES = {"labelFontSize": FONT, "titleFontSize": FONT}
CONFIG = {"axis": SIZES, "legend": SIZES, "text": {"fontSize": FONT}, "background": "#ffffff"}
IN_ANY_FONT = CONFIG | {"padding": {"left": 5, "right": 40, "top": 5, "bottom": 5}}
"""An SVG's letters are those of whoever shows it, and may be wider than the ones that are measured here."""


def as_svg(runs: Sequence[Reported]) -> Iterator[File]:
    found = _figures(runs)
    for figure in found:
        yield f"{figure.name}.svg", on_paper(fitted(figure.spec, IN_ANY_FONT), unit="pt").encode()
    yield _contents(found)


def as_pdf(runs: Sequence[Reported]) -> Iterator[File]:
    import vl_convert

    found = _figures(runs)
    for figure in found:
        yield f"{figure.name}.pdf", vl_convert.svg_to_pdf(on_paper(fitted(figure.spec, CONFIG)))
    yield _contents(found)


def _figures(runs: Sequence[Reported]) -> list["Figure"]:
    from orchestrator.report.charts import figures

    return figures(tables(runs))


def _contents(figures: Sequence["Figure"]) -> File:
    rows = [[figure.name, figure.section, figure.workload, figure.title] for figure in figures]
    return "figures.csv", _csv(("name", "section", "workload", "title"), rows)


def fitted(spec: dict[str, Any], config: dict[str, Any]) -> str:
    """Return a chart as SVG, its plot as narrow as one column needs, where it can still be read so."""
    import vl_convert

    svg = vl_convert.vegalite_to_svg(spec, config=config)
    width = spec.get("width")
    if isinstance(width, int):
        narrow = int(COLUMN / SCALE - size(svg)[0]) - 1 + width
        if NARROWEST <= narrow < width:
            other = vl_convert.vegalite_to_svg({**spec, "width": narrow}, config=config)
            return other if size(other)[0] * SCALE <= COLUMN else svg
    return svg


def on_paper(svg: str, unit: str = "") -> str:
    """Return a drawing in points: with letters of 8, or smaller where it would be wider than a page.

    In PDF a point is what in SVG has no unit.
    """
    width, height = size(svg)
    scale = min(SCALE, PAGE / width)
    points = f' width="{width * scale:.2f}{unit}" height="{height * scale:.2f}{unit}"'
    return re.sub(r' width="[\d.]+" height="[\d.]+"', points, svg, count=1)


def size(svg: str) -> tuple[float, float]:
    """Return the width and height that a drawing names."""
    found = re.match(r'<svg[^>]*? width="([\d.]+)(?:pt)?" height="([\d.]+)(?:pt)?"', svg)
    assert found is not None
    return float(found[1]), float(found[2])


def as_latex(runs: Sequence[Reported]) -> Iterator[File]:
    """Yield the rows behind each figure as a booktabs table."""
    for figure in _figures(runs):
        yield f"{figure.name}.tex", booktabs(figure.title, figure.columns, figure.rows, figure.across).encode()


def as_csv(runs: Sequence[Reported]) -> Iterator[File]:
    """Yield each tidy table that has rows: units in the names of its columns, exact numbers, nothing for unknown."""
    for name, rows in tables(runs).items():
        if rows:
            header = list(rows[0])
            yield f"{name}.csv", _csv(header, ([row[column] for column in header] for row in rows))


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue().encode()


FOLDERS: dict[str, Callable[[Sequence[Reported]], Iterator[File]]] = {
    "svg": as_svg,
    "pdf": as_pdf,
    "latex": as_latex,
    "csv": as_csv,
}
"""Format -> what yields the files of a folder."""
