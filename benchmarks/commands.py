"""What the commands of this folder share: checks of their arguments, and a progress bar."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from convert.source.keras_file import read_record


def check_files(parser: argparse.ArgumentParser, files: Sequence[Path]) -> None:
    """End the command with exit code 2 where one of the files does not exist."""
    if missing := [str(file) for file in files if not file.is_file()]:
        parser.error(f"no such file: {', '.join(missing)}")


def read_trainings(
    parser: argparse.ArgumentParser, folders: Sequence[Path]
) -> dict[Path, dict[str, Any]]:
    """Return the records of trainings by folder; end the command where one is not finished."""
    records = {folder: read_record(folder / "model.keras") for folder in folders}
    if unfinished := [str(folder) for folder, record in records.items() if not record]:
        parser.error(f"no finished training in {', '.join(unfinished)}")
    return records


def progress_bar() -> Progress:
    """Return a progress bar on standard error that shows what is done of how much, and the time.

    TensorFlow's loggers keep the standard error that they find, so it is not redirected.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        redirect_stderr=False,
    )
