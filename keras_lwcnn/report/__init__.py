"""One self-contained HTML page from the rows of a run, and what else shows rows of comparisons."""

from keras_lwcnn.report.comparison_figure import plot_comparison
from keras_lwcnn.report.disagreements import write_disagreements
from keras_lwcnn.report.page import write_report
from keras_lwcnn.report.pareto_figure import plot_pareto
from keras_lwcnn.report.samples import write_samples
from keras_lwcnn.report.table import print_comparison

__all__ = [
    "plot_comparison",
    "plot_pareto",
    "print_comparison",
    "write_disagreements",
    "write_report",
    "write_samples",
]
