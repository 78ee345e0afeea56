"""CondenseNet, the baseline of CondenseNeXt: its published table, and what is known of it."""

from dataclasses import dataclass

from benchmarks.claims.cells import after, images_note, with_range
from benchmarks.claims.claim import Claim, Section, judged, missing
from benchmarks.claims.seeds import Spread, trained
from benchmarks.claims.sources import Sources
from keras_lwcnn.training import RECIPES

FULL_EPOCHS = RECIPES["condensenet/cifar10/published"].recipe.epochs
NO_IMAGENET = "ImageNet is not at hand"

COUNTED = (
    "One FLOP for each MAC, ReLU element, pool output times its window, weight and bias of the "
    "classifier; parameters are those left after condensation. The classifier is whole on CIFAR, "
    "halved on ImageNet."
)
REPEATED = (
    "The published line repeats the counts for 10 classes: with 100 the classifier alone has "
    "{more:,} more parameters."
)


@dataclass(frozen=True)
class Published:
    """A line of the published table.

    Attributes:
        title: the network's.
        network: its name among the counts.
        mflops: million FLOPs, as printed.
        mparameters: million parameters, as printed.
        errors: top-1 errors in percent, as printed, by data set.
        built: its name in `keras_lwcnn.models.MODELS`; empty where it has none.
    """

    title: str
    network: str
    mflops: str
    mparameters: str
    errors: tuple[tuple[str, str], ...]
    built: str = ""


TABLE = (
    Published("CondenseNet-50", "condensenet-50", "28.6", "0.22", (("cifar10", "6.22"),)),
    Published("CondenseNet-74", "condensenet-74", "51.9", "0.41", (("cifar10", "5.28"),)),
    Published(
        "CondenseNet-86", "condensenet-86", "65.8", "0.52", (("cifar10", "5.06"),), "condensenet"
    ),
    Published("CondenseNet-98", "condensenet-98", "81.3", "0.65", (("cifar10", "4.83"),)),
    Published("CondenseNet-110", "condensenet-110", "98.2", "0.79", (("cifar10", "4.63"),)),
    Published("CondenseNet-122", "condensenet-122", "116.7", "0.95", (("cifar10", "4.48"),)),
    Published(
        "CondenseNet-182", "condensenet-182", "513", "4.2",
        (("cifar10", "3.76"), ("cifar100", "18.47")),
    ),
    Published(
        "CondenseNet-74, G = C = 4", "condensenet-74-G4", "529", "4.8", (("imagenet", "26.2"),)
    ),
    Published(
        "CondenseNet-74, G = C = 8", "condensenet-74-G8", "274", "2.9", (("imagenet", "29.0"),)
    ),
    Published(
        "CondenseNet-86, 100 classes", "condensenet-86-cifar100", "65.8", "0.52",
        (("cifar100", "23.64"),), "condensenet",
    ),
)  # fmt: skip


def section(sources: Sources) -> Section:
    """Return the claims about CondenseNet."""
    claims = [_counts(sources, line) for line in TABLE]
    claims += [
        error_claim(sources, f"top-1 error of {line.title}, {data}", error, (line.built, data))
        for line in TABLE
        for data, error in line.errors
    ]
    return Section(
        "CondenseNet (CVPR 2018), the baseline of CondenseNeXt",
        "Huang, Liu, van der Maaten, Weinberger, "
        "[arXiv 1711.09224](https://arxiv.org/abs/1711.09224). `CondenseNet` is built as "
        "published.",
        tuple(claims),
    )


def printed(value: float, published: str) -> str:
    """Round a value to as many digits as a published one has."""
    return f"{value:.{len(published.partition('.')[2])}f}"


def _counts(sources: Sources, line: Published) -> Claim:
    found = sources.counts[line.network]
    mflops, mparameters = found.flops / 1e6, found.trainable / 1e6
    holds = (printed(mflops, line.mflops), printed(mparameters, line.mparameters)) == (
        line.mflops, line.mparameters
    )  # fmt: skip
    notes: tuple[str, ...] = (COUNTED,)
    if line.network == "condensenet-86-cifar100":
        more = found.trainable - sources.counts["condensenet-86"].trainable
        notes += (REPEATED.format(more=more),)
    return Claim(
        f"FLOPs and parameters of {line.title}",
        f"{line.mflops} M, {line.mparameters} M",
        judged(holds, f"{mflops:.3f} M, {mparameters:.4f} M", "counted, condensed"),
        notes=notes,
    )


def error_claim(
    sources: Sources, figure: str, published: str, trained_on: tuple[str, str]
) -> Claim:
    """Return the claim of a top-1 error, judged by the trainings of a network if there are any.

    Args:
        sources: all that is known.
        figure: what is claimed.
        published: the error in percent, as printed.
        trained_on: name of the network, empty where it has none, and of the data set.
    """
    network, data = trained_on
    error = f"{published} %"
    if data == "imagenet":
        return Claim(figure, error, missing(NO_IMAGENET), "")
    found = trained(sources.seeds, data, network) if network else None
    if found is None:
        return Claim(figure, error, missing(f"{FULL_EPOCHS} epochs need a GPU"), "")
    right = found.spread()
    wrong = Spread(1 - right.mean, 1 - right.high, 1 - right.low, right.count)
    finding = judged(
        100 * wrong.mean <= float(published),
        with_range(wrong),
        found.length(FULL_EPOCHS),
        after(found.setting.epochs, FULL_EPOCHS),
    )
    notes = images_note(data, found.setting.test_images)
    return Claim(figure, error, finding, "seeds-condensed", notes)
