"""Points and their Pareto front as a picture."""

from pathlib import Path

from matplotlib.figure import Figure

from keras_lwcnn.files import written_beside
from lwcnn.report.figures import COLORS, log_scale, plain
from lwcnn.report.pareto import ParetoFront

SPREAD = 10
"""Factor between the values from which on they are drawn on a logarithmic scale."""
LONG = 16
"""Letters of a name from which on points get numbers, and a key beside them the names."""


def plot_pareto(front: ParetoFront, path: str | Path) -> Path:
    """Draw the first objective over the second: all points, named, the front joined by a line.

    Args:
        front: of two objectives.
        path: the picture, in the format of its suffix; written whole or not at all.

    Returns:
        The path.

    Raises:
        ValueError: one objective, or three or more.
    """
    if len(front.objectives) != 2:
        raise ValueError(f"the front has {len(front.objectives)} objectives; a picture needs 2")
    names = front.labels
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    if max(map(len, names)) > LONG:
        figure.set_figwidth(10)
        axes, key = figure.subplots(1, 2, width_ratios=(2, 1))
        numbers = {i: str(number) for number, i in enumerate(front.order, 1)}
        key.text(0, 1, "\n".join(f"{numbers[i]}  {names[i]}" for i in front.order), fontsize=8,
                 va="top", transform=key.transAxes)  # fmt: skip
        key.axis("off")
        names = [numbers[i] for i in range(len(names))]
    else:
        axes = figure.subplots()
    y, x = front.values.T
    best = [i for i in front.order if front.on_front[i]]
    axes.plot(x[best], y[best], "o-", color=COLORS[0], label="Pareto front")
    if not front.on_front.all():
        axes.plot(x[~front.on_front], y[~front.on_front], "o", color=COLORS[4], label="dominated")
    up, right = (1 if objective.maximize else -1 for objective in front.objectives)
    for name, place, kept in zip(names, zip(x, y, strict=True), front.on_front, strict=True):
        # Names stand on the better side of the front, where no point is, or away from it.
        side = 1 if kept else -1
        axes.annotate(
            name,
            place,
            xytext=(5 * side * right, 4 * side * up),
            textcoords="offset points",
            ha="left" if side * right > 0 else "right",
            va="bottom" if side * up > 0 else "top",
            fontsize=8,
            color="black" if kept else COLORS[4],
        )
    if min(x) > 0 and max(x) > SPREAD * min(x):
        log_scale(axes)
    axes.margins(x=0.25, y=0.15)
    axes.set_ylabel(str(front.objectives[0]))
    axes.set_xlabel(str(front.objectives[1]))
    axes.legend(frameon=False, fontsize=8, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    plain(axes)
    with written_beside(path) as temporary:
        figure.savefig(temporary, dpi=150)
    return Path(path)
