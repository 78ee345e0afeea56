"""How measured values are written in a cell, and findings that several papers share."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.claims.claim import Claim, Finding, apart, judged, missing
from benchmarks.claims.seeds import Spread, Trained, spread
from benchmarks.claims.sources import Sources
from benchmarks.model_pages import PUBLISHED_TEST_IMAGES
from keras_lwcnn.weights import ShippedSet

HOST_NOTE = (
    "One thread of one x86 host, random weights, the networks in turns in one run; geometric mean "
    "of the sessions with its 95 % interval. It ranks networks there, and says nothing of "
    "milliseconds elsewhere."
)
INSTRUCTIONS_NOTE = (
    "Executed AArch64 instructions of one inference on emulated cores: no times. Caches and memory "
    "are not modelled."
)


def images_note(data: str, images: int) -> tuple[str, ...]:
    """Return a note where accuracies are of fewer test images than the published data set has."""
    published = PUBLISHED_TEST_IMAGES.get(data, images)
    if images == published:
        return ()
    return (
        f"Of {images:,} test images, those of the copy of {data} at hand; published are "
        f"{published:,}.",
    )


def percent(share: float) -> str:
    """Write a share of 1 as percent."""
    return f"{share:.2%}".replace("%", " %")


def points(difference: float) -> str:
    """Write a difference of shares as signed percentage points."""
    return f"{100 * difference:+.2f} points"


def with_range(found: Spread) -> str:
    """Write the mean of shares and, of several seeds, the smallest and the largest."""
    if found.count == 1:
        return percent(found.mean)
    return f"{percent(found.mean)} ({100 * found.low:.2f} to {100 * found.high:.2f})"


def times(ratio: Mapping[str, Any]) -> str:
    """Write a ratio with its 95 % interval where it has one."""
    if ratio["low"] is None:
        return f"{ratio['ratio']:.2f}x"
    return f"{ratio['ratio']:.2f}x ({ratio['low']:.2f} to {ratio['high']:.2f})"


def shipped_cell(shipped: ShippedSet) -> str:
    """Write what the shipped files of a set reach, with 95 % intervals."""
    return "; ".join(
        f"{mode.mode} {percent(mode.top1)} ({100 * mode.low:.2f} to {100 * mode.high:.2f})"
        for mode in shipped.measured
    )


def host_finding(
    sources: Sources, size: int, pair: tuple[str, str], mode: str, asked: float
) -> Finding:
    """Judge how many times faster a network is on the host."""
    found = sources.host_ratio(size, *pair, mode)
    if found is None:
        return missing("no timing of this pair is stored")
    unsure = found["low"] is not None and found["low"] < asked <= found["high"]
    extent = "on the host" + "; its interval includes the figure" * unsure
    return judged(found["ratio"] >= asked, times(found), f"host, {mode}, {size} px", extent)


def instruction_finding(sources: Sources, size: int, pair: tuple[str, str], mode: str) -> Finding:
    """Give how many times fewer instructions a network takes; they are not compared with times."""
    found = sources.instruction_ratios(size, *pair, mode)
    if found is None:
        return missing("no instruction counts of this pair are stored")
    value = " / ".join(f"{ratio:.2f}x" for ratio in found.values()) + " fewer instructions"
    basis = f"emulated {' / '.join(found)}, {mode}, {size} px"
    return apart(value, basis, "with a time")


def speed_claims(
    sources: Sources,
    figure: str,
    published: str,
    pair: tuple[str, str],
    asked: float,
    size: int,
    modes: Sequence[str] = ("float32", "int8"),
    notes: tuple[str, ...] = (),
) -> list[Claim]:
    """Return the claims of one ratio of speed: on the host, and in emulated instructions."""
    host = [
        Claim(figure, published, host_finding(sources, size, pair, mode, asked), "host",
              (HOST_NOTE, *notes))
        for mode in modes
    ]  # fmt: skip
    return host + [
        Claim(figure, published, instruction_finding(sources, size, pair, mode), "instructions",
              (INSTRUCTIONS_NOTE, *notes))
        for mode in modes
    ]  # fmt: skip


def difference_finding(pair: Trained, full: int, at_least: float) -> Finding:
    """Judge whether a network is, in the mean over seeds, at most so far below another.

    Args:
        pair: its rows and the other's.
        full: epochs of a whole training.
        at_least: the smallest difference of test accuracies that the claim allows, as a share.
    """
    found = spread(pair.differences())
    value = points(found.mean)
    if found.count > 1:
        value += f" ({100 * found.low:+.2f} to {100 * found.high:+.2f})"
    value += f": {percent(pair.spread(0).mean)} against {percent(pair.spread(1).mean)}"
    met = sum(difference >= at_least for difference in pair.differences())
    extent = after(pair.setting.epochs, full)
    if found.count > 1:
        extent += f" in the mean; {met} of {found.count} seeds"
    return judged(found.mean >= at_least, value, pair.length(full), extent)


def after(epochs: int, full: int) -> str:
    """Say how much of a whole training was trained."""
    return f"after {epochs} of {full} epochs" if epochs < full else f"after {epochs} epochs"
