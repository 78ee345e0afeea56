"""The folder's HTML templates, filled."""

from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

FILTERS = {
    "percent": lambda value: f"{100 * value:.2f} %",
    "points": lambda value: f"{value:+.2f}" if round(value, 2) else "0.00",
    "kilobytes": lambda value: f"{value / 1e3:,.0f} kB",
    "milliseconds": lambda microseconds: f"{microseconds / 1e3:.2f}",
}


def render(name: str, **values: Any) -> str:
    """Fill a template of this folder and return the page; values are escaped.

    Args:
        name: the template's file name.
        **values: by their names in the template; a missing one is an error.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= FILTERS
    text = files("lwcnn.report").joinpath(name).read_text(encoding="utf-8")
    return environment.from_string(text).render(values)
