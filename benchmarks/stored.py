"""The rows that benchmarks store: JSON lines, only ever appended to.

`lwcnn.rows` reads and writes the kinds of rows that the command knows and checks them; the kinds
that belong to one benchmark (`seed`, `int8_accuracy`, `condensation` and others) are stored here.
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def sha256(file: Path) -> str:
    """Return the sha256 of a file, by which its rows are found again."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file; none where there is no file."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def append_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Append rows to a file."""
    with path.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
