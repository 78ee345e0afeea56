"""L-Mobilenet: what its paper states, and what is known of it."""

from dataclasses import dataclass

from benchmarks.claims.cells import (
    after,
    difference_finding,
    images_note,
    percent,
    shipped_cell,
    speed_claims,
)
from benchmarks.claims.claim import Claim, Section, judged, missing
from benchmarks.claims.seeds import trained
from benchmarks.claims.sources import Sources
from keras_lwcnn.training import RECIPES

NETWORK = "l_mobilenet"
DEPTH = 38
# What "similar accuracy" is read as: the paper gives no accuracy.
SIMILAR = 0.005
TARGET = 0.93
FULL_EPOCHS = RECIPES[f"{NETWORK}/cifar10/ours"].recipe.epochs

RECONSTRUCTED = (
    "The paper gives no table of layers. Widths and strides of the reconstruction were chosen so "
    "that it meets the ratios: that they hold shows that such a network exists, not that it is the "
    "paper's."
)
PLATFORMS = "The paper timed a GPU and the ARM cores and fabric of a Zynq board."
TOPOLOGIES = (
    "Against our MobileNetV2 and ShuffleNetV2 1.0x for 32 px the two ratios come to {mobilenet:,} "
    "and {shufflenet:,} parameters: the paper's two baselines cannot both have been these."
)
NO_ACCURACY = (
    "Accuracies and training settings of the paper could not be had. Similar is read as at most "
    "half a point below the reference, trained by one recipe; that is this project's target."
)


@dataclass(frozen=True)
class Reference:
    """A network that the paper compares with, and the ratios that it states."""

    network: str
    title: str
    faster: float
    fewer: float
    accuracy: str


REFERENCES = (
    Reference("mobilenet_v2", "MobileNetV2", 3.0, 3.7, "similar accuracy"),
    Reference("shufflenet_v2", "ShuffleNetV2", 2.0, 1.5, "same accuracy"),
)


def section(sources: Sources) -> Section:
    """Return the claims about L-Mobilenet."""
    claims = [_depth(sources)]
    for reference in REFERENCES:
        claims.append(_parameters(sources, reference))
    for reference in REFERENCES:
        claims += speed_claims(
            sources,
            f"times faster than {reference.title}",
            f"{reference.faster:g}x",
            (NETWORK, reference.network),
            reference.faster,
            32,
            notes=(RECONSTRUCTED, PLATFORMS),
        )
        claims.append(_on_its_platforms(reference))
    for data in ("cifar10", "cifar100"):
        claims += [_accuracy(sources, reference, data) for reference in REFERENCES]
    claims.append(_target(sources))
    return Section(
        "L-Mobilenet (ICIP 2019)",
        "Lei, Liu, Zhou, Sun, Zheng, [arXiv 2403.06352](https://arxiv.org/abs/2403.06352). "
        "`LMobileNet` is a reconstruction.",
        tuple(claims),
    )


def _depth(sources: Sources) -> Claim:
    depth = sources.counts[NETWORK].depth
    return Claim(
        "layers",
        str(DEPTH),
        judged(depth == DEPTH, str(depth), "convolutions and classifier on the longest path"),
        notes=(RECONSTRUCTED,),
    )


def _parameters(sources: Sources, reference: Reference) -> Claim:
    own, other = (sources.counts[name].trainable for name in (NETWORK, reference.network))
    limits = {
        each.title: int(sources.counts[each.network].trainable / each.fewer) for each in REFERENCES
    }
    topologies = TOPOLOGIES.format(
        mobilenet=limits["MobileNetV2"], shufflenet=limits["ShuffleNetV2"]
    )
    return Claim(
        f"times fewer parameters than {reference.title}",
        f"{reference.fewer}x",
        judged(
            other / own >= reference.fewer,
            f"{other / own:.2f}x ({own:,} against {other:,})",
            "trainable, 32 px, 10 classes",
        ),
        notes=(RECONSTRUCTED, topologies),
    )


def _on_its_platforms(reference: Reference) -> Claim:
    return Claim(
        f"times faster than {reference.title}",
        f"{reference.faster:g}x, GPU and Zynq",
        missing("neither board nor phone at hand, and no timing on a GPU"),
        command="",
        notes=(PLATFORMS,),
    )


def _accuracy(sources: Sources, reference: Reference, data: str) -> Claim:
    pair = trained(sources.seeds, data, NETWORK, reference.network)
    notes: tuple[str, ...] = (NO_ACCURACY,)
    if pair is None:
        finding, command = missing(f"{FULL_EPOCHS} epochs need a GPU"), ""
    else:
        finding, command = difference_finding(pair, FULL_EPOCHS, -SIMILAR), "seeds-l_mobilenet"
        notes += images_note(data, pair.setting.test_images)
    return Claim(
        f"{reference.accuracy} as {reference.title}, {data}",
        "no figure; target: -0.5 points",
        finding,
        command,
        notes,
    )


def _target(sources: Sources) -> Claim:
    figure, published = "top-1 on cifar10", f"none; target of ours: {percent(TARGET)}"
    shipped = sources.shipped_set(NETWORK, "cifar10")
    if shipped is None:
        return Claim(figure, published, missing("the package holds no weights of it yet"), "")
    epochs = shipped.training["recipe"]["epochs"]
    finding = judged(
        all(mode.top1 >= TARGET for mode in shipped.measured),
        shipped_cell(shipped),
        f"shipped weights: {epochs} of {FULL_EPOCHS} epochs, 1 seed",
        after(epochs, FULL_EPOCHS),
    )
    notes = images_note("cifar10", shipped.measured[0].images)
    return Claim(figure, published, finding, "weights", notes)
