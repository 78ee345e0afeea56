"""The newest rows about each file of a run: no drawing, no I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class ModeSummary:
    """The newest figures of one `.tflite` file.

    Attributes:
        mode: how the file stores its numbers.
        convert: its row of kind `convert`; None when there is none.
        compare: its row of kind `compare`; None when there is none.
        bench: its rows of kind `bench`, one for each device, thread count and delegate setting.
    """

    mode: str
    convert: Row | None
    compare: Row | None
    bench: tuple[Row, ...]

    @property
    def host(self) -> Row | None:
        """The bench row on the host with one thread and XNNPACK, which the page's table shows."""
        fits = [
            row
            for row in self.bench
            if row["device"] == "host" and row["num_threads"] == 1 and row["use_xnnpack"]
        ]
        return fits[-1] if fits else None


@dataclass(frozen=True)
class RunSummary:
    """The newest figures of a run.

    Attributes:
        train: the row of kind `train`; None when the model came from elsewhere.
        modes: one summary per mode, in the order of the conversions.
    """

    train: Row | None
    modes: tuple[ModeSummary, ...]


def summarize(rows: Iterable[Row]) -> RunSummary:
    """Gather rows by mode; of several rows of the same kind and settings the last one counts."""
    train: Row | None = None
    converts: dict[str, Row] = {}
    compares: dict[str, Row] = {}
    benches: dict[str, dict[tuple, Row]] = {}
    for row in rows:
        if row["kind"] == "train":
            train = row
        elif row["kind"] == "convert":
            converts[row["mode"]] = row
        elif row["kind"] == "compare":
            compares[row["mode"]] = row
        elif row["kind"] == "bench" and row["mode"] is not None:
            setting = (row["device"], row["num_threads"], row["use_xnnpack"])
            benches.setdefault(row["mode"], {})[setting] = row
    names = dict.fromkeys([*converts, *compares, *benches])
    return RunSummary(
        train,
        tuple(
            ModeSummary(
                name,
                converts.get(name),
                compares.get(name),
                tuple(benches.get(name, {}).values()),
            )
            for name in names
        ),
    )
