"""One self-contained HTML page from the rows of a run."""

from keras_lwcnn.report.page import write_report
from keras_lwcnn.report.samples import write_samples

__all__ = ["write_report", "write_samples"]
