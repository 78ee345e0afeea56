"""The README's blocks that scripts fill: from `<!-- NAME: begin -->` to `<!-- NAME: end -->`."""

import re
import sys
from pathlib import Path

from keras_lwcnn.files import write_bytes

ROOT = Path(__file__).resolve().parent.parent


def fill_block(name: str, text: str, page: Path = ROOT / "README.md") -> None:
    """Put Markdown between a page's two marks of a block.

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
