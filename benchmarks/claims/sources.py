"""What the figures of the papers are answered from: counts, stored rows and shipped weights."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.claims.counts import Count
from benchmarks.claims.figure import NotMeasured
from benchmarks.seed_statistics import Trained, trained
from benchmarks.stored import ROOT, read_lines
from keras_lwcnn.weights import ShippedSet, shipped_sets

Row = Mapping[str, Any]
CORES = {"cortex-a53": "A53", "cortex-a72": "A72", "cortex-a76": "A76"}


@dataclass(frozen=True)
class Sources:
    """All that was counted and measured; what was not measured is empty.

    The methods raise `NotMeasured` where nothing is stored.

    Attributes:
        counts: of networks, by name.
        host: tables of `benchmarks.architectures`, by image size.
        instructions: rows of `benchmarks.instructions`.
        seeds: rows of `benchmarks.seeds`.
        training_cost: rows of `lwcnn train-cost`.
        condensation: rows of `benchmarks.condensation_resume`.
        shipped: sets of trained weights in the package.
    """

    counts: Mapping[str, Count]
    host: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    instructions: Sequence[Row] = ()
    seeds: Sequence[Row] = ()
    training_cost: Sequence[Row] = ()
    condensation: Sequence[Row] = ()
    shipped: Sequence[ShippedSet] = ()

    def host_networks(self, size: int, *names: str) -> list[Row]:
        """Return lines of the host's table."""
        lines = {line["name"]: line for line in self.host.get(size, {}).get("networks", ())}
        if missing := [name for name in names if name not in lines]:
            raise NotMeasured(f"no timing of {', '.join(missing)} is stored")
        return [lines[name] for name in names]

    def host_ratio(self, size: int, pair: tuple[str, str], mode: str) -> Row:
        """Return how many times as fast as the second the first network is, with its interval."""
        for claim in self.host.get(size, {}).get("claims", ()):
            if (claim["faster"], claim["slower"], claim["mode"]) == (*pair, mode):
                return claim
        line = self.host_networks(size, pair[0])[0]
        if (ratio := line.get(f"{mode}_faster_than_{pair[1]}")) is None:
            raise NotMeasured("no timing of this pair is stored")
        return ratio

    def instruction_ratios(self, size: int, pair: tuple[str, str], mode: str) -> dict[str, float]:
        """Return the second network's instructions over the first's, by core."""
        totals = {(row["model"], row["device"]): row["instructions"] for row in self.instructions}
        ratios = {}
        for core, title in CORES.items():
            fewer, more = (
                totals.get((f"{name}@{size}.{mode}.tflite", f"emulated:{core}")) for name in pair
            )
            if fewer and more:
                ratios[title] = more / fewer
        if not ratios:
            raise NotMeasured("no instruction counts of this pair are stored")
        return ratios

    def trained(self, data: str, *networks: str) -> Trained:
        """Return the longest training on a data set that all of the networks had."""
        if (training := trained(self.seeds, data, *networks)) is None:
            raise NotMeasured(f"no training of {' and '.join(networks)} on `{data}` is stored")
        return training

    def shipped_set(self, network: str, data: str) -> ShippedSet:
        """Return a set of trained weights."""
        for each in self.shipped:
            if (each.network, each.data) == (network, data):
                return each
        raise NotMeasured("the package holds no weights of it")

    def training_costs(self, *networks: str) -> list[Row]:
        """Return the last row of each network's training cost."""
        last = {row["model"]: row for row in self.training_cost}
        if missing := [name for name in networks if name not in last]:
            raise NotMeasured(f"no training cost of {', '.join(missing)} is stored")
        return [last[name] for name in networks]


def read_sources(counts: Mapping[str, Count], folder: Path = ROOT / "benchmarks") -> Sources:
    """Read all rows below a folder, and the index of the package's weights."""
    results = folder / "results"
    tables = {
        size: folder / "architectures" / "results" / f"networks@{size}.json" for size in (32, 224)
    }
    return Sources(
        counts=counts,
        host={size: json.loads(file.read_bytes()) for size, file in tables.items()
              if file.is_file()},
        instructions=read_lines(results / "instructions.rows.jsonl"),
        seeds=read_lines(results / "seeds.jsonl"),
        training_cost=read_lines(results / "training_cost.jsonl"),
        condensation=read_lines(results / "condensation.jsonl"),
        shipped=shipped_sets(),
    )  # fmt: skip
