"""What each mode costs in accuracy: several .tflite files over the same images."""

import gzip
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from convert.comparison import paired
from convert.tflite import metrics
from convert.tflite.evaluation import predict
from convert.tflite.inspection import check_tflite_file
from convert.tflite.sidecar import Sidecar, sidecar_path


@dataclass(frozen=True)
class ComparisonRow:
    """One file against the reference file on the same images.

    Attributes:
        mode: the name under which the file was given.
        file: its path.
        sha256: of the file.
        size: bytes.
        gzip_size: bytes after gzip, as a download or an app package has it.
        images: number of test images.
        top1: share of images with the right class first, 0 to 1.
        top5: share with the right class among the first five; None for five classes or fewer.
        drop: top-1 of the reference minus this file's, in percentage points.
        agreement: share of images on which this file and the reference name the same class.
        reference: mode of the reference file.
        drop_low: lower end of the 95 % interval of the drop (paired bootstrap), points.
        drop_high: its upper end.
        p_value: McNemar's exact test that both are right equally often.
        lost: images that only the reference has right.
        gained: images that only this file has right.
        confidence_shift: mean change of the probability of the reference's class.
        confusion_changes: where this file and the reference part, most frequent first; see
            `convert.comparison.paired.confusion_changes`.
        conversion_seconds: what the file's sidecar says it took to make; None without.
        host_median_us: median latency on the computer that compared, None when not measured. It
            ranks the files there and is not a phone's.
    """

    mode: str
    file: str
    sha256: str
    size: int
    gzip_size: int
    images: int
    top1: float
    top5: float | None
    drop: float
    agreement: float
    reference: str
    drop_low: float
    drop_high: float
    p_value: float
    lost: int
    gained: int
    confidence_shift: float
    confusion_changes: tuple[dict[str, Any], ...] = field(repr=False)
    conversion_seconds: float | None = None
    host_median_us: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the row as a dictionary of kind "compare"."""
        fields = dict(asdict(self), confusion_changes=list(self.confusion_changes))
        return {"kind": "compare", **fields}


@dataclass(frozen=True)
class Comparison:
    """The rows of one comparison and the scores behind them."""

    rows: tuple[ComparisonRow, ...]
    scores: dict[str, np.ndarray]
    date: str

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one dated row of kind "compare" per file."""
        return [dict(row.to_dict(), date=self.date) for row in self.rows]

    def with_latency(self, host_median_us: Mapping[str, float]) -> "Comparison":
        """Return the comparison with each mode's median latency on this computer, microseconds."""
        rows = (replace(row, host_median_us=host_median_us[row.mode]) for row in self.rows)
        return replace(self, rows=tuple(rows))

    def probabilities(self, mode: str) -> np.ndarray:
        """Return what `mode` makes of the images, (count, classes), 0 to 1.

        Raises:
            ValueError: the comparison has no such mode.
        """
        self._check_mode(mode)
        squashed = metrics.are_probabilities(self.scores[self.rows[0].reference])
        return metrics.probabilities(self.scores[mode], squashed=squashed)

    def disagreements(self, mode: str, count: int = 24) -> np.ndarray:
        """Return indices of the images on which `mode` and the reference name other classes.

        Args:
            mode: a mode of the comparison.
            count: how many at most; those that the reference was surest of come first.

        Raises:
            ValueError: the comparison has no such mode.
        """
        self._check_mode(mode)
        reference = self.rows[0].reference
        classes = self.scores[reference].argmax(axis=1)
        parted = np.flatnonzero(classes != self.scores[mode].argmax(axis=1))
        confidence = self.probabilities(reference)[parted].max(axis=1)
        return parted[np.argsort(-confidence, kind="stable")][:count]

    def _check_mode(self, mode: str) -> None:
        if mode not in self.scores:
            allowed = ", ".join(self.scores)
            raise ValueError(f"mode={mode!r} was not compared; allowed are {allowed}")

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as one dictionary that JSON can hold."""
        return {"date": self.date, "rows": [row.to_dict() for row in self.rows]}

    def __repr__(self) -> str:
        top1 = ", ".join(f"{row.mode} {row.top1:.2%}" for row in self.rows)
        return f"Comparison({self.rows[0].images} images, top-1: {top1})"


def compare(
    files: Mapping[str, str | Path],
    images: np.ndarray,
    labels: np.ndarray,
    *,
    preprocess: Callable[[np.ndarray], np.ndarray] | None = None,
    class_names: Sequence[str] | None = None,
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
        class_names: names of the classes for the confusion changes, in the order of the outputs.
        reference: the mode that the others are compared with.
        workers: threads, None for one per core.
        progress: called with the mode and the number of images done since the last call.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: no valid file, no reference among the files, a sidecar of another file, or
            labels or class names that do not fit.
    """
    labels = np.asarray(labels).reshape(-1)
    if reference not in files:
        raise ValueError(f"reference={reference!r} is no mode; allowed are {', '.join(files)}")
    if not len(images) or len(images) != len(labels):
        raise ValueError(
            f"{len(images)} images have {len(labels)} labels. Give at least one image, and one "
            "label per image"
        )
    for path in files.values():
        check_tflite_file(path)
    scores = {}
    for mode, path in files.items():
        outputs = predict(
            path,
            images,
            preprocess=preprocess,
            workers=workers,
            progress=_for_mode(progress, mode),
        )
        scores[mode] = metrics.class_scores(outputs)
    _check_classes(files, scores, labels, reference, class_names)
    rows = tuple(
        _row(mode, Path(path), scores, labels, reference, class_names)
        for mode, path in files.items()
    )
    return Comparison(rows, scores, datetime.now(timezone.utc).isoformat(timespec="seconds"))


def _check_classes(
    files: Mapping[str, str | Path],
    scores: Mapping[str, np.ndarray],
    labels: np.ndarray,
    reference: str,
    class_names: Sequence[str] | None,
) -> None:
    """Refuse files of different models, and labels or names of other classes than the files'."""
    classes = scores[reference].shape[1]
    for mode, values in scores.items():
        if values.shape[1] != classes:
            raise ValueError(
                f"{files[mode]} has {values.shape[1]} classes; expected are {classes}, as the "
                f"reference {files[reference]} has"
            )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels span {labels.min()} to {labels.max()}; allowed are 0 to {classes - 1}, as "
            f"{files[reference]} has {classes} classes"
        )
    if class_names is not None and len(class_names) != classes:
        raise ValueError(f"class_names has {len(class_names)} names; allowed are {classes}")


def _for_mode(progress: Callable[[str, int], Any] | None, mode: str) -> Callable[[int], Any] | None:
    return None if progress is None else lambda count: progress(mode, count)


def _row(
    mode: str,
    path: Path,
    scores: dict[str, np.ndarray],
    labels: np.ndarray,
    reference: str,
    class_names: Sequence[str] | None,
) -> ComparisonRow:
    content = path.read_bytes()
    own, expected = scores[mode], scores[reference]
    right = metrics.hits(own, labels)
    change = paired.paired_drop(metrics.hits(expected, labels), right)
    squashed = metrics.are_probabilities(expected)
    sidecar = Sidecar.read(path) if sidecar_path(path).is_file() else None
    return ComparisonRow(
        mode=mode,
        file=str(path),
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        gzip_size=len(gzip.compress(content, mtime=0)),
        images=len(labels),
        top1=float(right.mean()),
        top5=metrics.top_k(own, labels, 5) if own.shape[1] > 5 else None,
        drop=change.drop,
        agreement=metrics.agreement(own, expected),
        reference=reference,
        drop_low=change.low,
        drop_high=change.high,
        p_value=change.p_value,
        lost=change.lost,
        gained=change.gained,
        confidence_shift=paired.confidence_shift(own, expected, squashed=squashed),
        confusion_changes=tuple(paired.confusion_changes(own, expected, labels, class_names)),
        conversion_seconds=None if sidecar is None else sidecar.conversion_seconds(),
    )
