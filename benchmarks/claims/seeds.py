"""Statistics over seeds: rows of kind `seed`, as `benchmarks.seeds` writes them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Spread:
    """Mean, smallest and largest of one figure a seed."""

    mean: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Setting:
    """What trainings have to share to be compared: all but network, seed and precision.

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
    """Rows of one or two networks in one setting: for each seed one row of each."""

    setting: Setting
    rows: tuple[tuple[Row, ...], ...]

    def length(self, full: int) -> str:
        """Say how long was trained, of how many epochs, with how many seeds, in what precisions."""
        count = len(self.rows)
        parts = [
            f"{self.setting.epochs} of {full} epochs",
            f"{self.setting.size} px",
            f"{count} seed{'s' * (count != 1)}",
        ]
        used = list(dict.fromkeys(row["recipe"]["precision"] for rows in self.rows for row in rows))
        if len(used) > 1:
            parts.append("trained in " + " against ".join(used))
        return ", ".join(parts)

    def spread(self, network: int = 0, field: str = "float32_top1") -> Spread:
        """Return the spread of one network's figure."""
        return spread(row[network][field] for row in self.rows)

    def differences(self, field: str = "float32_top1") -> list[float]:
        """Return the first network's figure minus the second's, a seed each."""
        return [first[field] - second[field] for first, second in self.rows]


def spread(values: Iterable[float]) -> Spread:
    """Summarize one or more figures."""
    found = list(values)
    return Spread(sum(found) / len(found), min(found), max(found), len(found))


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

    Of trainings as long, the one of the larger images, then of more seeds. A seed that not all of
    the networks were trained with is left out; of rows that repeat a training, the last counts.

    Returns:
        None where there is no such training.
    """
    found: dict[Setting, dict[int, dict[str, Row]]] = {}
    for row in rows:
        if row["data"]["name"] == data and row["network"] in networks:
            by_seed = found.setdefault(setting_of(row), {})
            by_seed.setdefault(row["seed"], {})[row["network"]] = row
    whole = [
        Trained(setting, tuple(tuple(one[name] for name in networks) for one in complete))
        for setting, by_seed in found.items()
        if (complete := [one for _, one in sorted(by_seed.items()) if len(one) == len(networks)])
    ]
    return max(
        whole, key=lambda one: (one.setting.epochs, one.setting.size, len(one.rows)), default=None
    )
