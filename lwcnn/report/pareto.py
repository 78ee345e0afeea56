"""Non-dominated points of rows: those that no other row beats without losing somewhere else."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from keras_lwcnn.files import write_bytes

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Objective:
    """A field of the rows and the direction in which it is better."""

    field: str
    maximize: bool

    def __str__(self) -> str:
        return f"{self.field} ({'higher' if self.maximize else 'lower'} is better)"


@dataclass(frozen=True)
class ParetoFront:
    """Points and which of them are on the front.

    Attributes:
        objectives: what the columns of `values` are.
        labels: one name per point.
        values: shape (points, objectives), in the units of the rows.
        on_front: shape (points,), bool.
    """

    objectives: tuple[Objective, ...]
    labels: tuple[str, ...]
    values: np.ndarray
    on_front: np.ndarray

    @property
    def order(self) -> list[int]:
        """Indices of the points from the best to the worst in the first objective."""
        sign = -1 if self.objectives[0].maximize else 1
        return list(np.argsort(sign * self.values[:, 0], kind="stable"))

    def write_csv(self, path: str | Path) -> Path:
        """Write one line per point, in `order`: label, objectives, on_front as 1 or 0.

        Args:
            path: the file; written whole or not at all.

        Returns:
            The path.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["label", *(objective.field for objective in self.objectives), "on_front"])
        for i in self.order:
            values = self.values[i].tolist()
            writer.writerow([self.labels[i], *values, int(self.on_front[i])])
        return write_bytes(path, text.getvalue().encode())


def non_dominated(values: np.ndarray, maximize: Sequence[bool]) -> np.ndarray:
    """Return which points no other point dominates.

    A point dominates another when it is at least as good in every objective and better in one
    (Pareto's order). Points that are equal in all of them do not dominate each other: both are
    kept, or neither is.

    Args:
        values: shape (points, objectives), finite; 0 or more points, 1 or more objectives.
        maximize: for each objective, whether higher is better.

    Returns:
        Shape (points,), bool.

    Raises:
        ValueError: another shape, or values that are not finite.
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or not maximize or values.shape[1] != len(maximize):
        raise ValueError(
            f"values has the shape {values.shape}; allowed is (points, {len(maximize)}) with 1 or "
            "more objectives"
        )
    if not np.isfinite(values).all():
        raise ValueError("values holds NaN or infinity; allowed are finite numbers")
    costs = np.where(maximize, -values, values)
    no_worse = (costs[:, None] <= costs[None]).all(axis=-1)
    better = (costs[:, None] < costs[None]).any(axis=-1)
    return ~(no_worse & better).any(axis=0)


def pareto_front(
    rows: Sequence[Row], objectives: Sequence[Objective], label: Sequence[str] = ("model",)
) -> ParetoFront:
    """Find the non-dominated rows; equal rows are kept together, see `non_dominated`.

    Args:
        rows: one point each; at least 1.
        objectives: one or more.
        label: fields that name a point; those that a row has are joined by a space.

    Returns:
        All points, the front marked.

    Raises:
        ValueError: no rows, no objectives, or a row whose objective is missing or no finite number
            (the message names the row).
    """
    if not rows or not objectives:
        raise ValueError(
            f"there are {len(rows)} rows and {len(objectives)} objectives; a front needs 1 of each"
        )
    values = np.array(
        [
            [_number(row, number, objective.field) for objective in objectives]
            for number, row in enumerate(rows, 1)
        ]
    )
    labels = [
        " ".join(str(row[field]) for field in label if row.get(field) is not None) or f"row {i}"
        for i, row in enumerate(rows, 1)
    ]
    on_front = non_dominated(values, [objective.maximize for objective in objectives])
    return ParetoFront(tuple(objectives), tuple(labels), values, on_front)


def _number(row: Row, number: int, field: str) -> float:
    value = row.get(field)
    # bool is an int to Python, but no number here.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
        known = {key: row[key] for key in ("kind", "model", "mode") if row.get(key) is not None}
        raise ValueError(
            f"row {number} {known}: {field} is {value!r:.60}; a finite number is needed. "
            f"Numbers that it has: {', '.join(_numeric(row)) or 'none'}"
        )
    return float(value)


def _numeric(row: Row) -> list[str]:
    return [
        key
        for key, value in row.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
