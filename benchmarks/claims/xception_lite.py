"""Xception-Lite: what its paper states, and what is known of it."""

from benchmarks.claims.cells import speed_claims
from benchmarks.claims.claim import Claim, Finding, Section, apart, judged, missing
from benchmarks.claims.sources import Sources
from benchmarks.claims.xception_lite_published import (
    BYTES_NOTE,
    FIGURES,
    LITE,
    RESULTS,
    XCEPTION,
)
from benchmarks.claims.xception_lite_trained import accuracy_claims, pareto_claims

# Parameters as published, and as the layer plan gives them: name among the counts, what it is.
PARAMETERS = (
    ("xception_lite-101", "Xception-Lite, 101 classes", 15_834_933),
    ("xception_lite-1", "Xception-Lite, 1 unit", 15_630_033),
    ("xception_lite-no-top", "Xception-Lite, no top", 15_627_984),
    ("xception-1000", "Xception, 1000 classes", 22_910_480),
    ("xception-101", "Xception, 101 classes", 21_068_429),
    ("xception-1", "Xception, 1 unit", 20_863_529),
)
GIGA_MACS = (
    ("xception_lite-101", "Xception-Lite, 101 classes", "2.786"),
    ("xception-101", "Xception, 101 classes", "4.551"),
)
# The first layer of the plan rescales pixels: a multiplication each, which is outside our graph.
RESCALING = 224 * 224 * 3
FASTER = 1.7

EXACT = "The layer plan is the paper's; `exit_shortcut_kernel=1` is an option of ours: {exit}."
RESCALED = "The rescaling of the pixels, outside of our graph, is counted as in the plan."
MEMORY = (
    "Of a process on this host, above what it had with the network built: {setting}. The estimate "
    "is a lower bound; {share} of Xception-Lite's are feature maps, not weights."
)
BOARD_SECONDS = "Seconds of the authors' board; only ratios between networks can be looked at."
NO_FIGURE = "Speed of inference is no claim of the paper; the target is this project's."


def section(sources: Sources) -> Section:
    """Return the claims about Xception-Lite."""
    claims = [*_counts(sources), *accuracy_claims(sources), *pareto_claims(sources)]
    claims += [_memory(sources, network) for network in RESULTS]
    claims += [_less_memory(sources), _memory_order(sources)]
    claims += [_epoch(network) for network in RESULTS]
    claims += [_epoch_ratio(sources, data) for data in FIGURES]
    for network, modes in ((LITE, ("float32", "int8")), (f"{LITE}-exit1", ("int8",))):
        claims += speed_claims(
            sources,
            f"`{network}`: inference, times faster than Xception",
            f"none; target of ours: {FASTER:g}x",
            (network, XCEPTION),
            FASTER,
            224,
            modes=modes,
            notes=(NO_FIGURE,),
        )
    return Section(
        "Xception-Lite (Canadian AI 2024)",
        "Nuh Mih, Rahimi, Kawnine, Palma, Wachowicz, Dubay, Cao, "
        "[arXiv 2403.10569](https://arxiv.org/abs/2403.10569). `XceptionLite` has the published "
        "layers.",
        tuple(claims),
    )


def _counts(sources: Sources) -> list[Claim]:
    small = sources.counts["xception_lite-exit1"]
    exact = EXACT.format(exit=f"{small.parameters:,} parameters, {small.macs / 1e9:.3f} G MACs")
    claims = [
        Claim(
            f"parameters of {title}",
            f"{published:,}",
            judged(found == published, f"{found:,}", "counted"),
            notes=(exact,),
        )
        for name, title, published in PARAMETERS
        for found in [sources.counts[name].parameters]
    ]
    for name, title, published in GIGA_MACS:
        lite = name.startswith(LITE)
        found = f"{(sources.counts[name].macs + RESCALING * lite) / 1e9:.3f}"
        finding = judged(found == published, f"{found} G", "counted, 224 px")
        notes = (exact, RESCALED) if lite else ()
        claims.append(Claim(f"MACs of {title}", f"{published} G", finding, notes=notes))
    return claims


def estimate(row: dict) -> int:
    """Return the estimated bytes that a training adds to its network."""
    parts = row["estimate"]
    return parts["gradients"] + parts["slots"] + parts["activations"]


def _memory_notes(sources: Sources) -> tuple[str, ...]:
    row = sources.cost_of(LITE)
    if row is None:
        return (BYTES_NOTE,)
    setup = row["setup"]
    setting = (
        f"batch {setup['batch_size']}, {setup['image_size']} px, {setup['optimizer']}, "
        f"{setup['classes']} classes, {row['backend']}"
    )
    share = row["estimate"]["activations"] / estimate(row)
    return BYTES_NOTE, MEMORY.format(setting=setting, share=f"{share:.0%}".replace("%", " %"))


def _memory(sources: Sources, network: str) -> Claim:
    published = RESULTS[network]
    row = sources.cost_of(network)
    finding = missing("no training cost is stored")
    if row is not None:
        parts = (estimate(row), row["peak_bytes"], row["mean_bytes"])
        value = " / ".join(f"{part / 1e6:,.0f}" for part in parts) + " MB"
        finding = apart(value, "estimate / peak / mean, host")
    return Claim(
        f'"MB" of {published.title} in training, Caltech-101 / PCB',
        f"{published.megabytes['caltech101']} / {published.megabytes['pcb']}",
        finding,
        "memory" if row else "",
        _memory_notes(sources),
    )


def _less_memory(sources: Sources) -> Claim:
    figure = "Xception-Lite trains in less memory than Xception"
    published = " / ".join(
        f"{RESULTS[LITE].megabytes[data]} against {RESULTS[XCEPTION].megabytes[data]}"
        for data in FIGURES
    )
    rows = [sources.cost_of(name) for name in (LITE, XCEPTION)]
    if None in rows:
        finding = missing("no training cost of both is stored")
        return Claim(figure, published, finding, "", _memory_notes(sources))
    fewer = {
        name: 1 - of(rows[0]) / of(rows[1])
        for name, of in (("estimate", estimate), ("peak", lambda row: row["peak_bytes"]))
    }
    value = ", ".join(f"{name} {100 * share:.1f} % less" for name, share in fewer.items())
    finding = judged(min(fewer.values()) > 0, value, "host", "on the host")
    return Claim(figure, published, finding, "memory", _memory_notes(sources))


def _memory_order(sources: Sources) -> Claim:
    """Compare the order of the four networks on Caltech-101, whose 101 classes the rows have."""
    figure = "order of the four by training memory, Caltech-101"
    published = sorted(RESULTS, key=lambda name: RESULTS[name].megabytes["caltech101"])
    rows = {name: sources.cost_of(name) for name in RESULTS}
    if not all(rows.values()):
        finding = missing("no training cost of all four is stored")
        return Claim(figure, _titles(published), finding, "", _memory_notes(sources))
    measured = sorted(rows, key=lambda name: rows[name]["peak_bytes"])
    finding = judged(measured == published, _titles(measured), "peak, host", "on the host")
    return Claim(figure, _titles(published), finding, "memory", _memory_notes(sources))


def _titles(networks: list[str]) -> str:
    return " < ".join(RESULTS[name].title for name in networks)


def _epoch(network: str) -> Claim:
    published = RESULTS[network]
    return Claim(
        f"seconds an epoch of {published.title}, Caltech-101 / PCB",
        f"{published.seconds['caltech101']} / {published.seconds['pcb']}",
        apart("not measured: needs the authors' board", ""),
        "",
        (BOARD_SECONDS,),
    )


def _epoch_ratio(sources: Sources, data: str) -> Claim:
    lite, xception = (RESULTS[name].seconds[data] for name in (LITE, XCEPTION))
    finding = _step_ratio(sources)
    return Claim(
        f"time of an epoch, Xception-Lite over Xception, {FIGURES[data]}",
        f"{lite / xception:.2f}x",
        finding,
        "memory" if finding.basis else "",
        (BOARD_SECONDS,),
    )


def _step_ratio(sources: Sources) -> Finding:
    rows = [sources.cost_of(name) for name in (LITE, XCEPTION)]
    if None in rows:
        return missing("no training cost of both is stored")
    if any(row["loaded"] for row in rows):
        return missing("the stored seconds are of a loaded machine")
    ratio = rows[0]["step_seconds"] / rows[1]["step_seconds"]
    setup = rows[0]["setup"]
    basis = f"host, {setup['image_size']} px, batch {setup['batch_size']}, {setup['steps']} steps"
    return judged(ratio < 1, f"{ratio:.2f}x", basis, "in direction, on the host")
