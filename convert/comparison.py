"""What each mode costs in accuracy: several .tflite files over the same images."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from convert import metrics
from convert.evaluation import predict
from convert.inspection import check_tflite_file


@dataclass(frozen=True)
class ComparisonRow:
    """One file against the reference file on the same images.

    Attributes:
        mode: the name under which the file was given.
        file: its path.
        sha256: of the file.
        size: bytes.
        images: number of test images.
        top1: share of images with the right class first, 0 to 1.
        top5: share with the right class among the first five; None for five classes or fewer.
        drop: top-1 of the reference minus this file's, in percentage points.
        agreement: share of images on which this file and the reference name the same class.
        reference: mode of the reference file.
    """

    mode: str
    file: str
    sha256: str
    size: int
    images: int
    top1: float
    top5: float | None
    drop: float
    agreement: float
    reference: str

    def to_dict(self) -> dict[str, Any]:
        """Return the row as a dictionary of kind "compare"."""
        return {"kind": "compare", **asdict(self)}


@dataclass(frozen=True)
class Comparison:
    """The rows of one comparison and the scores behind them."""

    rows: tuple[ComparisonRow, ...]
    scores: dict[str, np.ndarray]
    date: str

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one dated row of kind "compare" a file."""
        return [dict(row.to_dict(), date=self.date) for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as one dictionary that JSON can hold."""
        return {"date": self.date, "rows": [row.to_dict() for row in self.rows]}


def compare(
    files: Mapping[str, str | Path],
    images: np.ndarray,
    labels: np.ndarray,
    *,
    preprocess: Callable[[np.ndarray], np.ndarray] | None = None,
    reference: str = "float32",
    workers: int | None = None,
    progress: Callable[[str, int], Any] | None = None,
) -> Comparison:
    """Run several files over the same images and compare them with one of them.

    Args:
        files: mode name -> path of a .tflite file.
        images: (count, height, width, channels), as the models take them or as `preprocess` does.
        labels: (count,) class indices.
        preprocess: turns a chunk of images into float32 model input.
        reference: the mode that the others are compared with.
        workers: threads, None for one a core.
        progress: called with the mode and the number of images done since the last call.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: no valid file, no reference among the files, or labels that do not fit.
    """
    labels = np.asarray(labels).reshape(-1)
    if reference not in files:
        raise ValueError(f"reference={reference!r} is not among the files: {', '.join(files)}")
    if not len(images) or len(images) != len(labels):
        raise ValueError(f"{len(images)} images and {len(labels)} labels given; one label an image")
    for path in files.values():
        check_tflite_file(path)
    scores = {
        mode: metrics.class_scores(
            predict(
                path,
                images,
                preprocess=preprocess,
                workers=workers,
                progress=_for_mode(progress, mode),
            )
        )
        for mode, path in files.items()
    }
    for mode, found in scores.items():
        if found.shape != scores[reference].shape:
            raise ValueError(
                f"{files[mode]} has {found.shape[1]} classes, the reference "
                f"{files[reference]} has {scores[reference].shape[1]}"
            )
        if labels.min() < 0 or labels.max() >= found.shape[1]:
            raise ValueError(
                f"labels span {labels.min()} to {labels.max()}; {files[mode]} has "
                f"{found.shape[1]} classes"
            )
    rows = tuple(_row(mode, Path(path), scores, labels, reference) for mode, path in files.items())
    return Comparison(rows, scores, datetime.now(timezone.utc).isoformat(timespec="seconds"))


def _for_mode(progress: Callable[[str, int], Any] | None, mode: str) -> Callable[[int], Any] | None:
    return None if progress is None else lambda done: progress(mode, done)


def _row(
    mode: str, path: Path, scores: dict[str, np.ndarray], labels: np.ndarray, reference: str
) -> ComparisonRow:
    content = path.read_bytes()
    top1 = metrics.top_k(scores[mode], labels)
    return ComparisonRow(
        mode=mode,
        file=str(path),
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        images=len(labels),
        top1=top1,
        top5=metrics.top_k(scores[mode], labels, 5) if scores[mode].shape[1] > 5 else None,
        drop=100 * (metrics.top_k(scores[reference], labels) - top1),
        agreement=metrics.agreement(scores[mode], scores[reference]),
        reference=reference,
    )
