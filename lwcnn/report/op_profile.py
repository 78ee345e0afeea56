"""Op profiles as a table and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from android_bench.profiling.profile import OpProfile

if TYPE_CHECKING:
    from rich.console import Console

_UNITS = {"us": "µs", "instructions": "instructions"}


def print_profile(
    profile: OpProfile, *, top: int | None = None, console: Console | None = None
) -> None:
    """Print the ops in the order of execution, and sums by kernel, as rich tables.

    Args:
        profile: the profile.
        top: only the `top` largest ops; None for all.
        console: where to print; None for standard output.
    """
    from rich.console import Console
    from rich.table import Table

    console = console or Console()
    whole = sum(op.value for op in profile.ops) or 1
    largest = sorted(profile.ops, key=lambda op: -op.value)[:top]
    unit = _UNITS[profile.unit]
    ops = Table(title=f"Ops of {profile.model} on {profile.device}", title_justify="left")
    for name in ("#", "layer", "op", "kernel"):
        ops.add_column(name, justify="right" if name == "#" else "left", overflow="fold")
    for name in (unit, "%"):
        ops.add_column(name, justify="right", no_wrap=True)
    for op in profile.ops if top is None else largest:
        ops.add_row(str(op.index), op.layer, op.op or "", op.kernel, _number(op.value),
                    f"{100 * op.value / whole:.1f}")  # fmt: skip
    kernels = Table(title="By kernel", title_justify="left")
    kernels.add_column("kernel", overflow="fold")
    for name in ("ops", unit, "%"):
        kernels.add_column(name, justify="right", no_wrap=True)
    for kernel, value in profile.by("kernel").items():
        count = sum(op.kernel == kernel for op in profile.ops)
        kernels.add_row(kernel, str(count), _number(value), f"{100 * value / whole:.1f}")
    console.print(ops)
    console.print(kernels)
    if profile.total:
        console.print(
            f"One inference: {_number(profile.total)} {unit} (mean of {profile.runs}), "
            f"the ops are {100 * profile.covered:.1f} % of it",
            highlight=False,
        )


def plot_profile(profile: OpProfile, path: str | Path, top: int = 25) -> Path:
    """Draw the share of each kernel and the largest layers.

    Args:
        profile: the profile.
        path: picture to write; its suffix tells the format (".png", ".svg", ".pdf").
        top: how many layers to show.

    Returns:
        The path.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import EngFormatter

    kernels = profile.by("kernel")
    layers = dict(list(profile.by("layer").items())[:top])
    whole = sum(op.value for op in profile.ops) or 1
    colors = {kernel: f"C{i % 10}" for i, kernel in enumerate(kernels)}
    rows = len(kernels) + len(layers)
    figure = Figure(figsize=(10, 1.6 + 0.26 * rows), layout="constrained")
    upper, lower = figure.subplots(
        2, 1, gridspec_kw={"height_ratios": [len(kernels) + 1, len(layers) + 1]}
    )
    upper.barh(list(kernels), list(kernels.values()), color=list(colors.values()))
    upper.set_title(f"{profile.model} on {profile.device}: by kernel", loc="left")
    # Each layer's bar is made of its ops, in the colours of their kernels.
    for place, layer in enumerate(layers):
        left = 0.0
        for op in profile.ops:
            if (op.layer or op.kernel) == layer:
                lower.barh(place, op.value, left=left, color=colors[op.kernel])
                left += op.value
    lower.set_yticks(range(len(layers)), list(layers))
    lower.set_title(f"the {len(layers)} largest layers, in the kernels' colours", loc="left")
    unit = "µs" if profile.unit == "us" else "AArch64 instructions (emulated)"
    for axes, values in ((upper, kernels), (lower, layers)):
        axes.invert_yaxis()
        axes.tick_params(axis="y", labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.12)
        axes.xaxis.set_major_formatter(EngFormatter() if profile.unit != "us" else "{x:,.0f}")
        for place, value in enumerate(values.values()):
            axes.text(value, place, f" {100 * value / whole:.1f} %", va="center", fontsize=7)
    lower.set_xlabel(f"{unit} per inference")
    figure.savefig(path, dpi=150)
    return Path(path)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
