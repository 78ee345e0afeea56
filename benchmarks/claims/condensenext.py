"""CondenseNeXt: what its papers state, and what is known of it."""

from dataclasses import replace

from benchmarks.claims.cells import images_note, percent, shipped_cell, speed_claims
from benchmarks.claims.claim import Claim, Section, State, apart, judged, missing
from benchmarks.claims.condensenet import FULL_EPOCHS, NO_IMAGENET, error_claim
from benchmarks.claims.seeds import trained
from benchmarks.claims.sources import Sources
from benchmarks.condensation_resume import TOLERANCE

FORMS = ("masked", "gather", "sliced")
FEWER_FLOPS = 0.5998
SIZE_LIMIT = 3.0e6

PROFILER = (
    "The FLOPs and parameters that the published code prints leave out the main convolution of "
    "every dense layer, a functional call that its profiler does not see. The network that runs "
    "there has 1,363 M MACs and 11.36 M parameters; no pruning, depthwise convolution, lasso or "
    "focal loss takes effect in it."
)
NO_PROMISE = (
    "The error belongs to the network that runs in the published code, not to one of 26 M MACs: "
    "CondenseNet-50, of that budget, has a published error of 6.22 %."
)
CHECKPOINT = (
    "The published size is that of a training checkpoint of stages 4-4-4, growth 8-8-8; ours are "
    "the sizes of the converted files."
)
OURS = (
    "The reconstruction takes what the text says: learned groups (C = 8, G = 4), depthwise 3x3, "
    "grouped pointwise convolution (P = 4), ReLU6; stages 14-14-14 with growth "
    "8-16-32, 4-4-4 with 8-8-8."
)
FORM_NOTE = (
    "Forms of one function: `masked` is dense with zeros, `gather` the published small form, "
    "`sliced` needs the selection of whole slices, our variant of the method. "
    "Timings are of CondenseNet-86."
)
RESUMED = (
    "One training is killed (SIGKILL) in its second epoch and started again. A group then has to "
    f"read exactly in/C inputs, and the three forms have to agree to {TOLERANCE:g} of the largest "
    "output."
)
LARGEST = (
    "17 layers a stage are the most, of three equal stages, whose int8 file in the form `masked` "
    "is under 3.0 MB."
)
# (network, which one, error in percent, notes): the targets of this project.
TARGET_ERRORS = (
    ("condensenext", "the one of 29 M MACs", "6.22", ()),
    ("condensenext_large", "the largest under 3.0 MB as int8", "4.79", (LARGEST,)),
)
# (faster, slower, times as fast): the targets of this project.
DEPLOYMENT = (
    ("masked", "gather", 4.0),
    ("sliced", "masked", 1.0),
)


def section(sources: Sources) -> Section:
    """Return the claims about CondenseNeXt."""
    claims = [_fewer_flops(sources), _profile(sources)]
    claims += [_error(sources, data, error) for data, error in
               (("cifar10", "4.79"), ("cifar100", "21.98"))]  # fmt: skip
    claims += [_target(sources, *target) for target in TARGET_ERRORS]
    claims.append(Claim("top-5 error, imagenet", "7.91 %", missing(NO_IMAGENET), "", (PROFILER,)))
    claims += [_tiny_size(sources), _size(sources), _tiny_accuracy(sources)]
    for faster, slower, asked in DEPLOYMENT:
        claims += speed_claims(
            sources,
            f"deployment: `{faster}` times faster than `{slower}`",
            f"none; target of ours: {asked:g}x",
            (f"condensenet-{faster}", f"condensenet-{slower}"),
            asked,
            32,
            modes=("int8",),
            notes=(FORM_NOTE,),
        )
    claims += [_pieces(sources, network) for network in ("condensenet", "condensenext")]
    claims.append(_resumed(sources))
    return Section(
        "CondenseNeXt (CCWC 2021)",
        "Kalgaonkar, El-Sharkawy, [arXiv 2112.00698](https://arxiv.org/abs/2112.00698) and "
        "[2106.14102](https://arxiv.org/abs/2106.14102). `CondenseNeXt` is a reconstruction.",
        tuple(claims),
    )


def _fewer_flops(sources: Sources) -> Claim:
    own, other = sources.counts["condensenext"], sources.counts["condensenet-86"]
    fewer, by_their_rule = 1 - own.macs / other.macs, 1 - own.flops / other.flops
    return Claim(
        "fewer FLOPs than CondenseNet",
        f"up to {percent(FEWER_FLOPS)}",
        judged(
            max(fewer, by_their_rule) >= FEWER_FLOPS,
            f"{percent(fewer)} ({own.macs / 1e6:.1f} M against {other.macs / 1e6:.1f} M MACs); "
            f"{percent(by_their_rule)} by CondenseNet's rule",
            "counted, condensed, against CondenseNet-86",
            "for the reconstruction",
        ),
        notes=(PROFILER, OURS),
    )


def _profile(sources: Sources) -> Claim:
    own, gather = sources.counts["condensenext"], sources.host_network(32, "condensenext-gather")
    value = f"{own.macs / 1e6:.3f} M MACs, {own.trainable / 1e6:.3f} M"
    if gather:
        value += f" ({gather['trainable_parameters'] / 1e6:.3f} M in the `gather` form)"
    return Claim(
        "FLOPs and parameters, cifar10",
        "26.345 M, 0.18 M",
        apart(value, "counted, condensed"),
        notes=(PROFILER, OURS),
    )


def _error(sources: Sources, data: str, published: str) -> Claim:
    claim = error_claim(sources, f"top-1 error, {data}", published, ("condensenext", data))
    finding = replace(claim.finding, state=State.APART, extent="")
    return replace(claim, finding=finding, notes=(PROFILER, NO_PROMISE, *claim.notes))


def _target(
    sources: Sources, network: str, which: str, error: str, notes: tuple[str, ...]
) -> Claim:
    claim = error_claim(sources, f"top-1 error of {which}, cifar10", error, (network, "cifar10"))
    finding = claim.finding
    files = trained(sources.seeds, "cifar10", network)
    if files:
        size = files.rows[-1][0]["int8_size"]
        finding = replace(finding, value=f"{finding.value} (int8: {size / 1e6:.2f} MB)")
    return replace(
        claim,
        published=f"none; target of ours: {error} %",
        finding=finding,
        notes=(OURS, *notes, *claim.notes),
    )


def _tiny_size(sources: Sources) -> Claim:
    figure, limit = "size of the trained model, stages 4-4-4", "less than 3.0 MB"
    shipped = sources.shipped_set("condensenext_tiny", "cifar10")
    if shipped is None:
        return Claim(figure, limit, missing("the package holds no weights"), "", (CHECKPOINT,))
    size = shipped.mode("int8").size
    value = f"{size / 1e6:.2f} MB"
    finding = judged(size < SIZE_LIMIT, value, "int8 .tflite file", "for our file")
    return Claim(figure, limit, finding, "weights", (CHECKPOINT, OURS))


def _size(sources: Sources) -> Claim:
    figure, limit = "size of the trained model, stages 14-14-14", "less than 3.0 MB"
    forms = {form: sources.host_network(32, f"condensenext-{form}") for form in FORMS}
    sizes = {form: line["int8_bytes"] for form, line in forms.items() if line}
    if not sizes:
        return Claim(figure, limit, missing("no converted file is stored"), "", (CHECKPOINT,))
    value = ", ".join(f"`{form}` {size / 1e6:.2f} MB" for form, size in sizes.items())
    holds = max(sizes.values()) < SIZE_LIMIT
    finding = judged(holds, value, "int8 .tflite files, random weights", "for our files")
    return Claim(figure, limit, finding, "host", (CHECKPOINT, OURS))


def _tiny_accuracy(sources: Sources) -> Claim:
    count = sources.counts["condensenext_tiny"]
    figure = f"top-1 of stages 4-4-4 ({count.trainable:,} parameters), cifar10"
    shipped = sources.shipped_set("condensenext_tiny", "cifar10")
    if shipped is not None:
        epochs = shipped.training["recipe"]["epochs"]
        basis = f"shipped weights: {epochs} of {FULL_EPOCHS} epochs, 1 seed"
        notes = (OURS, *images_note("cifar10", shipped.measured[0].images))
        return Claim(figure, "none; ours", apart(shipped_cell(shipped), basis), "weights", notes)
    rows = [row for row in sources.condensation if row["preset"] == "tiny"]
    if not rows:
        return Claim(figure, "none; ours", missing("no training is stored"), "", (OURS,))
    row = rows[-1]
    basis = f"float32, {row['epochs']} of {FULL_EPOCHS} epochs, 1 seed"
    notes = (OURS, *images_note(row["data"], row["test_images"]))
    return Claim(figure, "none; ours", apart(percent(row["top1"]), basis), "condensation", notes)


def _pieces(sources: Sources, network: str) -> Claim:
    figure = f"deployment of {network}: `sliced` saves MACs in one XNNPACK partition"
    lines = {form: sources.host_network(32, f"{network}-{form}") for form in FORMS}
    if not all(lines.values()):
        return Claim(figure, "none; ours", missing("not all forms are stored"), "", (FORM_NOTE,))
    value = "; ".join(
        f"`{form}` {line['macs'] / 1e6:.1f} M, {line['partitions']['int8']}"
        for form, line in lines.items()
    )
    sliced, masked = lines["sliced"], lines["masked"]
    holds = sliced["macs"] < masked["macs"] and sliced["partitions"]["int8"] == 1
    finding = judged(holds, value, "million MACs and partitions, int8, 32 px")
    return Claim(figure, "none; ours", finding, "host", (FORM_NOTE,))


def _resumed(sources: Sources) -> Claim:
    figure = "condensation, killed and resumed: groups with in/C inputs; forms agree"
    if not sources.condensation:
        return Claim(figure, "none; ours", missing("no run is stored"), "", (RESUMED,))
    row = sources.condensation[-1]
    largest = max(row["relative_differences"].values())
    value = (
        f"{row['layers_with_exact_inputs']} of {row['layers']} layers; within {largest:.2g} of the "
        "largest output"
    )
    basis = f"{row['preset']}, {row['data']}, {row['epochs']} epochs"
    return Claim(
        figure, "none; ours", judged(row["holds"], value, basis), "condensation", (RESUMED,)
    )
