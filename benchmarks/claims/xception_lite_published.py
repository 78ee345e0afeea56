"""The published table of the Xception-Lite paper, and what must be known about it."""

from collections.abc import Mapping
from dataclasses import dataclass

LITE, XCEPTION = "xception_lite", "xception"
# The paper's two data sets, as this page calls them.
FIGURES = {"caltech101": "Caltech-101", "pcb": "PCB"}
TEST_IMAGES = 950
DIFFERENCE_IMAGES = 3

BYTES_NOTE = (
    'The published "MB" are the used share of a whole board\'s RAM, times 1000: an order at best, '
    "no sizes."
)
LEAK = (
    "The published PCB split leaks: 718 of its 2,000 test tiles are byte-identical to training "
    "tiles, and a nearest neighbour on 16x16 thumbnails scores 91.05 % there. Here `deeppcb96` is "
    "used, another set with other classes, split by photo; its nearest-thumbnail floor and what "
    "its split still shares are in [data](data.md)."
)
ONE_SEED = (
    f"Published of one seed, the last epoch of noisy curves: on Caltech-101, {DIFFERENCE_IMAGES} "
    f"of {TEST_IMAGES} images part Xception-Lite and Xception."
)
SCALED = "The authors fed EfficientNetV2B1 pixels that were scaled twice."


@dataclass(frozen=True)
class Published:
    """A network's line, each figure by data set.

    Attributes:
        title: the network's.
        accuracy: test top-1, percent.
        megabytes: a thousandth of the board's RAM each.
        seconds: of an epoch on the board.
    """

    title: str
    accuracy: Mapping[str, float]
    megabytes: Mapping[str, float]
    seconds: Mapping[str, int]


def _line(
    title: str,
    accuracy: tuple[float, float],
    megabytes: tuple[float, float],
    seconds: tuple[int, int],
) -> Published:
    columns = (dict(zip(FIGURES, pair, strict=True)) for pair in (accuracy, megabytes, seconds))
    return Published(title, *columns)


# By the networks' names in `keras_lwcnn.models.MODELS`.
RESULTS: Mapping[str, Published] = {
    LITE: _line("Xception-Lite", (76.21, 90.30), (847.9, 865.8), (524, 823)),
    XCEPTION: _line("Xception", (75.89, 88.10), (874.6, 893.6), (709, 1070)),
    "efficientnet_v2_b1": _line("EfficientNetV2B1", (30.52, 55.25), (823.1, 874.8), (381, 469)),
    "keras_mobilenet_v2": _line("MobileNetV2", (58.11, 50.50), (838.7, 849.4), (301, 282)),
}
