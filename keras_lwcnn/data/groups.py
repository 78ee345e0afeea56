"""Which images of a folder belong together: those of one board, one photo, one patient."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

INDEX = "index.csv"
INDEX_KEY = "file"
ALLOWED = (
    r"Allowed are a regular expression with one group in parentheses, as '^(\d+)_', and the name "
    "of a column of index.csv."
)


def group_ids(root: Path, files: Sequence[str], groups: str) -> list[str]:
    r"""Return the group of each file.

    Args:
        root: the data set's folder.
        files: paths below it, with forward slashes.
        groups: a regular expression with one group in parentheses, such as `^(\d+)_`, which is
            searched for in the file's name; or, when it is a single word, a column of
            `index.csv` in the folder, whose column `file` holds the paths.

    Returns:
        One id per file.

    Raises:
        ValueError: an expression that does not have one group or does not fit a file's name, a
            missing index or column, or a file that the index does not name.
    """
    if re.fullmatch(r"\w+", groups):
        return _from_index(root / INDEX, files, groups)
    return _from_names(files, groups)


def _from_names(files: Sequence[str], groups: str) -> list[str]:
    try:
        pattern = re.compile(groups)
    except re.error as error:
        raise ValueError(
            f"groups={groups!r} is no regular expression: {error}. {ALLOWED}"
        ) from error
    if pattern.groups != 1:
        raise ValueError(
            f"groups={groups!r} has {pattern.groups} groups in parentheses; one is needed. "
            f"{ALLOWED}"
        )
    matches = [pattern.search(Path(file).name) for file in files]
    ids = [match.group(1) if match else None for match in matches]
    unfit = [file for file, group in zip(files, ids, strict=True) if not group]
    if unfit:
        raise ValueError(
            f"groups={groups!r} does not fit {len(unfit)} of {len(files)} file names, for example "
            f"{unfit[0]}; it has to fit all."
        )
    return ids


def _from_index(index: Path, files: Sequence[str], column: str) -> list[str]:
    if not index.is_file():
        raise ValueError(
            f"groups={column!r} is a single word, which names a column of {index}: there is no "
            f"such file. {ALLOWED}"
        )
    with open(index, newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        columns = reader.fieldnames or []
        missing = [name for name in (INDEX_KEY, column) if name not in columns]
        if missing:
            raise ValueError(f"{index}: columns {missing} are missing; it has {columns}.")
        ids = {row[INDEX_KEY]: row[column] for row in reader}
    unknown = [file for file in files if not ids.get(file)]
    if unknown:
        raise ValueError(
            f"{index}: no {column!r} of {len(unknown)} of {len(files)} files, for example "
            f"{unknown[0]}; one per file is needed."
        )
    return [ids[file] for file in files]
