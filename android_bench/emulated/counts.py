"""Reading what the counter wrote: instructions per inference, by class, by kernel and by op."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from android_bench.emulated.kernels import SymbolTable
from android_bench.errors import DeviceError

#: In the order in which the counter writes them. Vector loads and stores are "load_store".
CLASSES = ("load_store", "simd", "scalar", "branch")

#: Two inferences agree when they differ by at most this share of their instructions, or by FEW of
#: them: the memory of the C library and of Python costs a few more or less.
TOLERANCE = 1e-5
FEW = 200


@dataclass(frozen=True)
class Block:
    """Code that runs from top to end: its address, its instructions by class, its executions."""

    address: int
    instructions: tuple[int, ...]
    executions: int

    @property
    def total(self) -> int:
        """Executed instructions."""
        return sum(self.instructions) * self.executions


@dataclass(frozen=True)
class Counts:
    """What ran between the markers.

    Args:
        runs: instructions by class of each marked inference, in order.
        ticks: instructions since the start of the program at each reading of the profiler's clock.
        blocks: the code of the last inference.
    """

    runs: tuple[tuple[int, ...], ...]
    ticks: tuple[int, ...] = field(repr=False)
    blocks: tuple[Block, ...] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> "Counts":
        """Read the counter's file.

        Raises:
            DeviceError: it is cut, or holds no inference.
        """
        runs, ticks, blocks = [], [], []
        try:
            for line in path.read_text().splitlines():
                record, *numbers = line.split()
                values = tuple(map(int, numbers))
                if record == "run":
                    runs.append(values)
                elif record == "tick":
                    ticks.append(sum(values))
                elif record == "block":
                    blocks.append(Block(values[0], values[1:5], values[5]))
        except (OSError, ValueError, IndexError) as error:
            raise DeviceError(
                f"the instruction counter's file is cut ({error}). Check the free disk space, and "
                "run again"
            ) from None
        if not runs or not blocks:
            raise DeviceError(
                "the instruction counter saw no inference. Set up the emulator again: "
                "lwcnn bench setup"
            )
        return cls(tuple(runs), tuple(ticks), tuple(blocks))

    @property
    def instructions(self) -> int:
        """Instructions of the last inference."""
        return sum(self.runs[-1])

    def classes(self) -> dict[str, int]:
        """Return the instructions of the last inference by class."""
        return dict(zip(CLASSES, self.runs[-1], strict=True))

    def agree(self, measured: int) -> bool:
        """Tell whether the last `measured` inferences took the same number of instructions."""
        totals = [sum(run) for run in self.runs[-measured:]]
        return max(totals) - min(totals) <= max(FEW, TOLERANCE * min(totals))

    def kernels(
        self, maps: Sequence[dict[str, Any]], symbols: Sequence[SymbolTable]
    ) -> dict[str, int]:
        """Return the instructions of the last inference by XNNPACK kernel, the most first.

        Args:
            maps: where code lay in memory ("path", "start", "end", "offset").
            symbols: names of the functions in LiteRT's libraries.

        Returns:
            Counts by the kernels' names, such as "xnn_f32_gemm_minmax_ukernel_4x8__neon". What is
            no kernel is summed up as "XNNPACK around the kernels", "LiteRT", "LiteRT without a
            name", and other libraries by their file names.
        """
        tables = {table.library: table for table in symbols}
        counts = Counter()
        for block in self.blocks:
            place = next((m for m in maps if m["start"] <= block.address < m["end"]), None)
            library = Path(place["path"]).name if place else "outside all libraries"
            if library in tables:
                offset = block.address - place["start"] + place["offset"]
                library = kernel_name(tables[library].find(offset))
            counts[library] += block.total
        return dict(counts.most_common())


def kernel_name(function: str | None) -> str:
    """Return what a function of LiteRT's library counts as: a kernel counts by its own name."""
    if function is None:
        return "LiteRT without a name"
    if re.match(r"xnn_\w*ukernel", function):
        return function
    if "ukernel" in function:
        return "XNNPACK reference kernels"
    if function.startswith(("xnn_", "pthreadpool_")):
        return "XNNPACK around the kernels"
    return "LiteRT"
