"""Markdown that scripts write: tables, paragraphs, and blocks of pages that they fill."""

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from benchmarks.stored import ROOT
from keras_lwcnn.files import write_bytes

README = ROOT / "README.md"
DOCS = ROOT / "docs"
RESULTS_PAGE = DOCS / "results.md"
WIDTH = 100


def markdown_table(
    header: Sequence[str], lines: Sequence[Sequence[str]], text_columns: int = 1
) -> str:
    """Return a table whose first columns are text and whose others are numbers."""
    aligned = ["---"] * text_columns + ["---:"] * (len(header) - text_columns)
    return "".join(f"| {' | '.join(line)} |\n" for line in (header, aligned, *lines))


def wrapped(text: str, mark: str = "") -> str:
    """Return a paragraph, or an item of a list behind its mark, in lines of the pages' width."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )


def fill_block(name: str, text: str, page: Path) -> None:
    """Put Markdown between a page's marks `<!-- NAME: begin -->` and `<!-- NAME: end -->`.

    Args:
        name: the name in the marks.
        text: the Markdown, ending in a newline.
        page: the Markdown file.

    Raises:
        ValueError: the page has no such block, or several.
    """
    block = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
    filled, blocks = block.subn(lambda match: f"{match[1]}{text}{match[2]}", page.read_text())
    if blocks != 1:
        raise ValueError(
            f"{page} has {blocks} blocks `{name}`; one is allowed. Put "
            f"<!-- {name}: begin --> and <!-- {name}: end --> around the place of the table."
        )
    write_bytes(page, filled.encode())
