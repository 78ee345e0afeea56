"""The stored rows that the claims are judged by."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.claims.counts import Count
from benchmarks.pages import ROOT
from keras_lwcnn.weights import ShippedSet, shipped_sets

Row = Mapping[str, Any]
BENCHMARKS = ROOT / "benchmarks"
CORES = {"cortex-a53": "A53", "cortex-a72": "A72", "cortex-a76": "A76"}
SIZES = (32, 224)


@dataclass(frozen=True)
class Sources:
    """All that is known; what was not measured is empty.

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

    def host_network(self, size: int, name: str) -> Row | None:
        """Return a network's line in the host's table, or None."""
        lines = self.host.get(size, {}).get("networks", ())
        return next((line for line in lines if line["name"] == name), None)

    def host_ratio(self, size: int, faster: str, slower: str, mode: str) -> Row | None:
        """Return how many times faster one network is on the host, with its interval, or None."""
        line = self.host_network(size, faster) or {}
        if found := line.get(f"{mode}_faster_than_{slower}"):
            return found
        for claim in self.host.get(size, {}).get("claims", ()):
            if (claim["faster"], claim["slower"], claim["mode"]) == (faster, slower, mode):
                return claim
        return None

    def instruction_ratios(
        self, size: int, fewer: str, more: str, mode: str
    ) -> dict[str, float] | None:
        """Return how many times fewer instructions one network takes, by core; None: not known."""
        totals = {(row["model"], row["device"]): row["instructions"] for row in self.instructions}
        found = {}
        for core, short in CORES.items():
            pair = [
                totals.get((f"{name}@{size}.{mode}.tflite", f"emulated:{core}"))
                for name in (more, fewer)
            ]
            if all(pair):
                found[short] = pair[0] / pair[1]
        return found or None

    def shipped_set(self, network: str, data: str) -> ShippedSet | None:
        """Return a set of trained weights, or None."""
        named = {(each.network, each.data): each for each in self.shipped}
        return named.get((network, data))

    def cost_of(self, network: str) -> Row | None:
        """Return the last row of a network's training cost, or None."""
        rows = [row for row in self.training_cost if row["model"] == network]
        return rows[-1] if rows else None


def read_sources(counts: Mapping[str, Count], folder: Path = BENCHMARKS) -> Sources:
    """Read all rows below a folder, and the index of the package's weights."""
    results = folder / "results"
    tables = {size: folder / "architectures" / "results" / f"networks@{size}.json"
              for size in SIZES}  # fmt: skip
    return Sources(
        counts=counts,
        host={size: json.loads(path.read_text()) for size, path in tables.items()
              if path.is_file()},
        instructions=_lines(results / "instructions.rows.jsonl"),
        seeds=_lines(results / "seeds.jsonl"),
        training_cost=_lines(results / "training_cost.jsonl"),
        condensation=_lines(results / "condensation.jsonl"),
        shipped=shipped_sets(),
    )  # fmt: skip


def _lines(path: Path) -> list[dict[str, Any]]:
    # Not android_bench.read_rows: kinds such as `seed` are known to the benchmarks alone.
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
