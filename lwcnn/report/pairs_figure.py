"""A picture of the pairs of images that are the same, or nearly."""

from pathlib import Path, PurePosixPath

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_lwcnn.data.check_result import DataCheck, Place
from keras_lwcnn.data.dataset import ImageDataset
from keras_lwcnn.files import written_beside

ACROSS = 4
SHOWN = 40
NAME_LENGTH = 28


def plot_pairs(check: DataCheck, dataset: ImageDataset, path: str | Path) -> Path:
    """Draw the pairs that a check found, the gravest first, with their labels and files.

    The text is red where the two labels differ.

    Args:
        check: what was found.
        dataset: the images that were checked.
        path: path of the picture, which tells its format by its ending.

    Returns:
        The path.

    Raises:
        ValueError: the check found no pair.
    """
    pairs = check.pairs
    if not pairs:
        raise ValueError(
            f"{dataset.name} has no pairs of images to draw in {path}; at least 1 is needed."
        )
    shown = pairs[:SHOWN]
    rows = -(-len(shown) // ACROSS)
    figure = Figure(figsize=(3.5 * ACROSS, 2.15 * rows + 0.4), layout="constrained")
    figure.suptitle(f"{dataset.name}: {len(shown)} of {len(pairs)} pairs", x=0.01, ha="left")
    # A narrow empty column separates the pairs.
    widths = [1, 1, 0.15] * ACROSS
    grid = figure.subplots(rows, 3 * ACROSS, squeeze=False, width_ratios=widths)
    for axes in grid.flat:
        axes.set_axis_off()
    for place, pair in enumerate(shown):
        left, right = grid[place // ACROSS, 3 * (place % ACROSS) :][:2]
        kind = "identical" if pair.identical else f"near, {pair.difference:.2f}"
        color = "black" if pair.first.label == pair.second.label else "crimson"
        _draw(left, dataset, pair.second, kind, color)
        _draw(right, dataset, pair.first, "", color)
    with written_beside(path) as temporary:
        figure.savefig(temporary, dpi=100)
    return Path(path)


def _draw(axes: Axes, dataset: ImageDataset, place: Place, kind: str, color: str) -> None:
    name = f"{place.split}: {PurePosixPath(place.file).name}" if place.file else str(place)
    axes.imshow(getattr(dataset, place.split).images[place.index])
    axes.set_title(
        f"{kind}\n{place.label}\n{name[:NAME_LENGTH]}",
        fontsize=7,
        loc="left",
        color=color,
        parse_math=False,
    )
