"""Statistics over seeds: rows of kind `seed`, as `benchmarks.seeds` writes them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Spread:
    """Mean, smallest and largest of a figure that each seed has."""

    mean: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Setting:
    """What trainings share when they can be compared: all but network, seed and precision.

    Precision is the machine's: bfloat16 where it is fast, float32 where it is not.

    Attributes:
        data: name of the data set.
        size: side of the images, in pixels.
        epochs: of the training.
        test_images: how many the accuracy is of.
        rest: the rest of data and recipe, as JSON.
    """

    data: str
    size: int
    epochs: int
    test_images: int
    rest: str


@dataclass(frozen=True)
class Trained:
    """Rows of one or two networks in one setting: for each seed one row per network."""

    setting: Setting
    rows: tuple[tuple[Row, ...], ...]

    def basis(self, full: int) -> str:
        """Return data, length (of `full` epochs), image size, seeds and, if unlike, precisions."""
        setting, seeds = self.setting, len(self.rows)
        parts = [
            f"`{setting.data}`",
            f"{setting.test_images:,} test images",
            f"{setting.epochs} of {full} epochs",
            f"{setting.size} px",
            f"{seeds} seed{'s' * (seeds != 1)}",
        ]
        used = list(dict.fromkeys(row["recipe"]["precision"] for rows in self.rows for row in rows))
        if len(used) > 1:
            parts.append("trained in " + " against ".join(used))
        return ", ".join(parts)

    def spread(
        self, network: int = 0, field: str = "float32_top1", rest_of_one: bool = False
    ) -> Spread:
        """Return the spread of one network's figure, a share; of what it lacks to one, if asked."""
        shares = [rows[network][field] for rows in self.rows]
        return spread(1 - share for share in shares) if rest_of_one else spread(shares)

    def differences(self) -> list[float]:
        """Return the first network's accuracy minus the second's, for each seed."""
        return [first["float32_top1"] - second["float32_top1"] for first, second in self.rows]


def spread(values: Iterable[float]) -> Spread:
    """Return the spread of one or more figures."""
    figures = list(values)
    return Spread(sum(figures) / len(figures), min(figures), max(figures), len(figures))


def percent(share: float) -> str:
    """Return a share of 1 as percent."""
    return f"{share:.2%}".replace("%", " %")


def with_range(shares: Spread) -> str:
    """Return the mean as percent and, of several seeds, the smallest and the largest."""
    if shares.count == 1:
        return percent(shares.mean)
    return f"{percent(shares.mean)} ({100 * shares.low:.2f} to {100 * shares.high:.2f})"


def setting_of(row: Row) -> Setting:
    """Return the setting that a row was trained in."""
    recipe = {
        name: value for name, value in row["recipe"].items() if name not in ("seed", "precision")
    }
    return Setting(
        data=row["data"]["name"],
        size=row["data"]["input_shape"][0],
        epochs=recipe["epochs"],
        test_images=row["test_images"],
        rest=json.dumps([row["data"], recipe], sort_keys=True),
    )


def trained(rows: Sequence[Row], data: str, *networks: str) -> Trained | None:
    """Return the rows of networks on a data set, from the longest training that all of them had.

    Of trainings of equal length, the one with the larger images counts, then the one with more
    seeds. A seed that one of the networks lacks is left out; of rows that repeat a training, the
    last counts.

    Returns:
        None where there is no such training.
    """
    settings: dict[Setting, dict[int, dict[str, Row]]] = {}
    for row in rows:
        if row["data"]["name"] == data and row["network"] in networks:
            by_seed = settings.setdefault(setting_of(row), {})
            by_seed.setdefault(row["seed"], {})[row["network"]] = row
    candidates = [
        Trained(setting, tuple(tuple(rows_of[name] for name in networks) for rows_of in whole))
        for setting, by_seed in settings.items()
        if (whole := [each for _, each in sorted(by_seed.items()) if len(each) == len(networks)])
    ]
    return max(
        candidates,
        key=lambda each: (each.setting.epochs, each.setting.size, len(each.rows)),
        default=None,
    )
