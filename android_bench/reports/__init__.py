"""Showing bench rows: as a table, as plots, as a part of a page, and as changes between files."""

from android_bench.reports.changes import Change, compare_rows
from android_bench.reports.html import bench_fragment
from android_bench.reports.plots import (
    accuracy_points,
    check_picture,
    plot_accuracy,
    plot_kernels,
    plot_latency,
    plot_tail,
)
from android_bench.reports.table import print_changes, print_rows

__all__ = [
    "Change",
    "accuracy_points",
    "bench_fragment",
    "check_picture",
    "compare_rows",
    "plot_accuracy",
    "plot_kernels",
    "plot_latency",
    "plot_tail",
    "print_changes",
    "print_rows",
]
