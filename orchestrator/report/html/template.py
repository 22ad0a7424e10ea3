"""Templates of HTML pages: everything that is put into them is escaped."""

import re
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from orchestrator.report.html.views import text_of

ASSETS = Path(__file__).parent / "assets"


def rendered(name: str, **values: object) -> str:
    """Return a template of ``assets`` with these values, and with the style that all pages share."""
    environment = Environment(
        loader=PackageLoader("orchestrator.report.html", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"words": _words, "text_of": text_of}
    style = Markup((ASSETS / "page.css").read_text(encoding="utf-8"))
    return environment.get_template(name).render(style=style, **values)


def _words(text: str) -> Markup:
    """Return words as HTML, what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))
