"""An op profile: how long each op of an inference takes, whichever tool measured it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from android_bench.profiling.op_layers import align, layer_names

#: Types of LiteRT's profiler events: the file's op, a delegate's op, and what has begin and end.
_OP, _DELEGATE_OP, _SPANS = 2, 8, (1, 2, 16)


@dataclass(frozen=True)
class ProfiledOp:
    """One op of the runtime.

    Args:
        index: place in the order of execution.
        kernel: as the runtime names it: "Convolution (NHWC, QC8) IGEMM", or the file's op for
            LiteRT's own kernels.
        op: the file's op: "CONV_2D"; None where it is not known.
        layer: the model's layer; "" where it is not known.
        delegated: whether XNNPACK ran it.
        value: mean of one inference, in the profile's unit.
    """

    index: int
    kernel: str
    op: str | None
    layer: str
    delegated: bool
    value: float


@dataclass(frozen=True)
class OpProfile:
    """Where an inference spends its time, or its instructions.

    Args:
        model: file name, or "" where it is not known.
        device: as rows name it.
        source: what measured it: "litert", "runner", "benchmark_model".
        unit: "us" or "instructions".
        runs: how many inferences the values are means of.
        total: mean of the whole inference in the same unit, None where it is not known.
        ops: in the order of execution.
    """

    model: str
    device: str
    source: str
    unit: str
    runs: int
    total: float | None
    ops: tuple[ProfiledOp, ...] = field(repr=False)

    @property
    def covered(self) -> float | None:
        """The ops' share of the whole inference, 0 to 1."""
        return sum(op.value for op in self.ops) / self.total if self.total else None

    def by(self, key: str) -> dict[str, float]:
        """Sum up by "kernel", "op" or "layer", the largest first.

        Raises:
            ValueError: another key.
        """
        if key not in ("kernel", "op", "layer"):
            raise ValueError(f"{key=} is unknown; allowed are kernel, op, layer")
        sums: dict[str, float] = {}
        for op in self.ops:
            name = getattr(op, key) or op.kernel
            sums[name] = sums.get(name, 0) + op.value
        return dict(sorted(sums.items(), key=lambda item: -item[1]))

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as JSON's types."""
        return asdict(self) | {"ops": [asdict(op) for op in self.ops]}


def from_events(
    runs: Sequence[Sequence[dict[str, Any]]],
    nodes: Sequence[dict[str, Any]],
    *,
    model: str,
    device: str,
    source: str,
    ticks: Sequence[int] | None = None,
) -> OpProfile:
    """Make a profile from LiteRT's profiler events.

    Args:
        runs: each inference's events: "tag", "type", "index", "start_us", "elapsed_us".
        nodes: the file's ops, as `op_layers.graph_nodes` returns them.
        model: file name.
        device: as rows name it.
        source: what measured it.
        ticks: instructions executed at each reading of the clock, for profiles of instructions,
            where the events' times are the numbers of those readings.

    Raises:
        ValueError: no inference, or inferences with different ops.
    """
    ops = [[event for event in run if event["type"] in (_OP, _DELEGATE_OP)] for run in runs]
    tags = [[event["tag"] for event in run] for run in ops]
    if not runs or not tags[0] or any(names != tags[0] for names in tags):
        raise ValueError(
            f"{model}: the profiler's {len(runs)} inferences have different ops, or none. "
            "Profile it again"
        )
    whole = [
        event for run in runs for event in run if event["tag"] == "Invoke" and event["type"] == 1
    ]
    if ticks is None:
        values = [[event["elapsed_us"] for event in run] for run in ops]
        totals = [event["elapsed_us"] for event in whole]
    else:
        values = [_op_instructions(run, ticks) for run in runs]
        starts = [event["start_us"] for event in whole]
        totals = [
            ticks[start + event["elapsed_us"]] - ticks[start]
            for start, event in zip(starts, whole, strict=True)
        ]
    layers = layer_names(nodes)
    profiled = tuple(
        ProfiledOp(
            index=i,
            kernel=event["tag"],
            op=None if node is None else nodes[node]["op"],
            layer="" if node is None else layers[node],
            delegated=event["type"] == _DELEGATE_OP,
            value=sum(run[i] for run in values) / len(values),
        )
        for i, (event, node) in enumerate(zip(ops[0], _places(ops[0], nodes), strict=True))
    )
    unit = "us" if ticks is None else "instructions"
    total = sum(totals) / len(totals) if totals else None
    return OpProfile(model, device, source, unit, len(runs), total, profiled)


def _places(events: Sequence[dict[str, Any]], nodes: Sequence[dict[str, Any]]) -> list[int | None]:
    """Return the index of each event's node: LiteRT's own ops name it, XNNPACK's are aligned."""
    own = {event["index"] for event in events if event["type"] == _OP}
    delegated = [i for i in range(len(nodes)) if i not in own]
    reported = [event["tag"] for event in events if event["type"] == _DELEGATE_OP]
    aligned = iter(align(reported, [nodes[i]["op"] for i in delegated]))
    places: list[int | None] = []
    for event in events:
        if event["type"] == _OP:
            places.append(event["index"] if event["index"] < len(nodes) else None)
        else:
            place = next(aligned)
            places.append(None if place is None else delegated[place])
    return places


def _op_instructions(run: Sequence[dict[str, Any]], ticks: Sequence[int]) -> list[int]:
    """Return the instructions of each op of one inference.

    An event's times are numbers of readings of the clock. LiteRT's events tell where they begin
    and end. XNNPACK reads the clock once before its first op and once after each; these readings
    are those that no other event claims.

    Raises:
        ValueError: the readings do not add up.
    """
    spans = {
        i: (event["start_us"], event["start_us"] + event["elapsed_us"])
        for i, event in enumerate(run)
        if event["type"] in _SPANS and event["start_us"] + event["elapsed_us"] < len(ticks)
    }
    claimed = {tick for span in spans.values() for tick in span}
    if not claimed:
        raise ValueError("the profiler's events have no begin and end. Set up the emulator again")
    free = [tick for tick in range(min(claimed), max(claimed) + 1) if tick not in claimed]
    values, previous = [], None
    for i, event in enumerate(run):
        if event["type"] == _OP:
            start, end = spans[i]
            values.append(ticks[end] - ticks[start])
        elif event["type"] == _DELEGATE_OP:
            if event["index"] == 0 or previous is None:  # a partition begins
                previous = free.pop(0) if free else None
            if previous is None or not free:
                raise ValueError("the profiler's clock was read less often than it has ops")
            tick = free.pop(0)
            values.append(ticks[tick] - ticks[previous])
            previous = tick
    if free:
        raise ValueError(f"the profiler's clock was read {len(free)} times more than it has ops")
    return values
