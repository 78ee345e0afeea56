"""Markdown that scripts write: tables, and blocks of pages that they fill."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from keras_lwcnn.files import write_bytes

ROOT = Path(__file__).resolve().parent.parent


def markdown_table(
    header: Sequence[str], lines: Sequence[Sequence[str]], text_columns: int = 1
) -> str:
    """Return a table whose first columns are text and whose others are numbers."""
    aligned = ["---"] * text_columns + ["---:"] * (len(header) - text_columns)
    return "".join(f"| {' | '.join(line)} |\n" for line in (header, aligned, *lines))


def fill_block(name: str, text: str, page: Path = ROOT / "README.md") -> None:
    """Put Markdown between a page's marks `<!-- NAME: begin -->` and `<!-- NAME: end -->`.

    Args:
        name: the block's, as in its marks.
        text: ends in a newline.
        page: the Markdown file.
    """
    block = re.compile(rf"(<!-- {name}: begin -->\n).*?(<!-- {name}: end -->)", re.DOTALL)
    filled, found = block.subn(lambda match: f"{match[1]}{text}{match[2]}", page.read_text())
    if found != 1:
        sys.exit(f"{page} needs one block between <!-- {name}: begin --> and <!-- {name}: end -->")
    write_bytes(page, filled.encode())
