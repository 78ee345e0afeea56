"""The report: rows in, one HTML file out."""

from pathlib import Path

from keras_lwcnn.files import write_bytes
from keras_lwcnn.version import __version__
from lwcnn.report import figures
from lwcnn.report.samples import read_samples
from lwcnn.report.summary import Row, summarize
from lwcnn.report.template import render


def write_report(
    rows: list[Row], path: str | Path, *, samples: Path | None = None, measurements: str = ""
) -> Path:
    """Write the report of a run as one HTML file that needs nothing beside it.

    Args:
        rows: rows of kinds `train`, `convert`, `compare` and `bench`; sections without rows are
            left out.
        path: the HTML file.
        samples: file of sample predictions (`write_samples`).
        measurements: HTML about all bench rows (`lwcnn.report.bench_fragment`).

    Returns:
        The path.

    Raises:
        ValueError: when there are no rows to report on.
    """
    summary = summarize(rows)
    if not summary.modes and summary.train is None:
        raise ValueError("there is nothing to report: no rows of kind train, convert or bench")
    complete = [mode for mode in summary.modes if mode.convert and mode.compare and mode.host]
    html = render(
        "page.html",
        train=summary.train,
        modes=summary.modes,
        by_name={mode.mode: mode for mode in summary.modes},
        hosts=[mode.host for mode in summary.modes if mode.host],
        curve=figures.svg(figures.training_curve(summary.train)) if summary.train else None,
        files=figures.svg(figures.files(complete)) if complete else None,
        samples=read_samples(samples) if samples else None,
        measurements=measurements,
        version=__version__,
    )
    return write_bytes(path, html.encode())
