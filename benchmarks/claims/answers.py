"""What is known here of a figure: each function in `ANSWERS` answers one kind of figure.

A line of `papers.md` names the function and its words. It is called with the sources, the figure as
published and the words, and returns a `Finding`, or raises `NotMeasured` where nothing is stored.
"""

from collections.abc import Callable
from dataclasses import replace

from benchmarks.claims.figure import Finding, NotMeasured, number, numbers
from benchmarks.claims.sources import Row, Sources
from benchmarks.seed_statistics import Trained, percent, spread, with_range
from keras_lwcnn.condensation import FORMS
from keras_lwcnn.training import RECIPES

# The first layer of Xception-Lite's plan rescales pixels: a multiplication each.
RESCALING = 224 * 224 * 3
FIELDS = {"": "float32_top1", "int8 ": "int8_top1", "best validation ": "best_val_top1"}
# A whole training, by how the names of the networks begin; "" stands for all others.
WHOLE = {
    "l_mobilenet": "l_mobilenet/cifar10/ours",
    "condense": "condensenet/cifar10/published",
    "": "xception_lite/caltech101/published",
}


def layers(sources: Sources, published: str, network: str) -> Finding:
    """Compare the layers with weights on the longest path."""
    value = str(sources.counts[network].depth)
    return Finding(value == published, value, "convolutions and classifier on the longest path")


def parameters(sources: Sources, published: str, network: str, kind: str = "parameters") -> Finding:
    """Compare the parameters, all or the trainable ones, to the digit, where some are published."""
    value = f"{getattr(sources.counts[network], kind):,}"
    return Finding(value == published if numbers(published) else None, value, "counted")


def macs(sources: Sources, published: str, network: str, rescaled: str = "") -> Finding:
    """Compare the MACs to the printed digits, where some are published."""
    value = f"{(sources.counts[network].macs + bool(rescaled) * RESCALING) / 1e9:.3f} G"
    return Finding(value == published if numbers(published) else None, value, "counted, 224 px")


def fewer_parameters(sources: Sources, published: str, network: str, other: str) -> Finding:
    """Compare how many times fewer trainable parameters a network has than another."""
    own, more = (sources.counts[name].trainable for name in (network, other))
    times = number(published)
    value = f"{more / own:.2f}x ({own:,} against {more:,}; {published} is {int(more / times):,})"
    return Finding(more / own >= times, value, "trainable, 32 px, 10 classes")


def fewer_flops(sources: Sources, published: str, network: str, other: str) -> Finding:
    """Compare the share of operations that a network saves, by either rule of counting."""
    own, more = sources.counts[network], sources.counts[other]
    by_macs, by_flops = 1 - own.macs / more.macs, 1 - own.flops / more.flops
    value = (
        f"{percent(by_macs)} ({own.macs / 1e6:.1f} M against {more.macs / 1e6:.1f} M MACs); "
        f"{percent(by_flops)} by CondenseNet's rule"
    )
    holds = 100 * max(by_macs, by_flops) >= number(published)
    return Finding(holds, value, f"counted, condensed, against {other}", "for the reconstruction")


def condensed_counts(sources: Sources, published: str, network: str) -> Finding:
    """Compare million FLOPs, by CondenseNet's rule, and kept parameters to the printed digits."""
    count = sources.counts[network]
    million = count.flops / 1e6, count.trainable / 1e6
    holds = all(
        f"{value:.{len(printed.partition('.')[2])}f}" == printed
        for value, printed in zip(million, numbers(published), strict=True)
    )
    return Finding(holds, f"{million[0]:.3f} M, {million[1]:.4f} M", "counted, condensed")


def condensed_cost(sources: Sources, published: str, network: str) -> Finding:
    """Return MACs and kept parameters beside published figures that leave layers out."""
    count, (gather,) = sources.counts[network], sources.host_networks(32, f"{network}-gather")
    value = (
        f"{count.macs / 1e6:.3f} M MACs, {count.trainable / 1e6:.3f} M "
        f"({gather['trainable_parameters'] / 1e6:.3f} M in the `gather` form)"
    )
    return Finding(None, value, "counted, condensed")


def host(
    sources: Sources, published: str, faster: str, slower: str, mode: str, size: str
) -> Finding:
    """Compare how many times as fast as the second the first network is on the host."""
    ratio, times = sources.host_ratio(int(size), (faster, slower), mode), number(published)
    value, extent = f"{ratio['ratio']:.2f}x", "on the host"
    if ratio["low"] is not None:
        value += f" ({ratio['low']:.2f} to {ratio['high']:.2f})"
        if ratio["low"] < times <= ratio["high"]:
            extent += "; its interval includes the figure"
    return Finding(ratio["ratio"] >= times, value, f"host, {mode}, {size} px", extent, "host")


def instructions(
    sources: Sources, published: str, fewer: str, more: str, mode: str, size: str
) -> Finding:
    """Return how many times fewer instructions the first network takes; no times, so not judged."""
    ratios = sources.instruction_ratios(int(size), (fewer, more), mode)
    value = " / ".join(f"{ratio:.2f}x" for ratio in ratios.values()) + " fewer instructions"
    basis = f"emulated {' / '.join(ratios)}, {mode}, {size} px"
    return Finding(None, value, basis, "with a time", "instructions")


def top1(sources: Sources, published: str, network: str, data: str, apart: str = "") -> Finding:
    """Compare test accuracies; `apart` says that those of other images were published."""
    training = sources.trained(data, network)
    holds = None if apart else 100 * training.spread().mean >= number(published)
    shares = [f"{title}{with_range(training.spread(0, field))}" for title, field in FIELDS.items()]
    return by_training(training, network, holds, "; ".join(shares))


def top1_error(
    sources: Sources, published: str, network: str, data: str, apart: str = ""
) -> Finding:
    """Compare test errors; `apart` says that those of another network were published."""
    training = sources.trained(data, network)
    wrong = training.spread(rest_of_one=True)
    holds = None if apart else 100 * wrong.mean <= number(published)
    size = training.rows[-1][0]["int8_size"] / 1e6
    return by_training(training, network, holds, f"{with_range(wrong)} (int8: {size:.2f} MB)")


def as_accurate(
    sources: Sources, published: str, network: str, other: str, data: str, least: str
) -> Finding:
    """Compare the mean difference of two networks' accuracies with the `least`, in points."""
    training = sources.trained(data, network, other)
    points = [100 * difference for difference in training.differences()]
    gap = spread(points)
    value, extent = f"{gap.mean:+.2f} points", ""
    if gap.count > 1:
        value += f" ({gap.low:+.2f} to {gap.high:+.2f})"
        met = sum(each >= float(least) for each in points)
        extent = f" in the mean; {met} of {gap.count} seeds"
    first, second = (percent(training.spread(index).mean) for index in (0, 1))
    holds = gap.mean >= float(least)
    finding = by_training(training, network, holds, f"{value}: {first} against {second}")
    return replace(finding, extent=finding.extent + extent)


def dominates(sources: Sources, published: str, network: str, other: str, data: str) -> Finding:
    """Judge whether a network is more accurate than another and trains in less memory."""
    training, costs = sources.trained(data, network, other), sources.training_costs(network, other)
    accuracy = [training.spread(index).mean for index in (0, 1)]
    peaks = [row["peak_bytes"] for row in costs]
    value = " against ".join(
        f"{percent(share)}, {peak / 1e6:,.0f} MB"
        for share, peak in zip(accuracy, peaks, strict=True)
    )
    holds = accuracy[0] > accuracy[1] and peaks[0] < peaks[1]
    finding = by_training(training, network, holds, value)
    return replace(finding, basis=f"mean top-1, {finding.basis}; peak at 224 px")


def by_training(training: Trained, network: str, holds: bool | None, value: str) -> Finding:
    """Return a finding by a training, and how much of a whole one it was."""
    data, epochs, full = training.setting.data, training.setting.epochs, full_epochs(network)
    group = "condensed" if network.startswith("condense") else network
    command = f"seeds-{group if data.startswith('cifar') else data}"
    return Finding(
        holds, value, training.basis(full), "" if holds is None else after(epochs, full), command
    )


def full_epochs(network: str) -> int:
    """Return how many epochs a whole training of a network has."""
    return RECIPES[
        next(recipe for begin, recipe in WHOLE.items() if network.startswith(begin))
    ].recipe.epochs


def after(epochs: int, full: int) -> str:
    """Return how much of a whole training was trained."""
    return f"after {epochs} of {full} epochs" if epochs < full else f"after {epochs} epochs"


def shipped_top1(sources: Sources, published: str, network: str, data: str) -> Finding:
    """Compare the accuracies of the shipped weights' files with a target in percent, if any."""
    weights = sources.shipped_set(network, data)
    modes, full = weights.measured, full_epochs(network)
    epochs, images = weights.training["recipe"]["epochs"], modes[0].images
    value = "; ".join(
        f"{mode.mode} {percent(mode.top1)} ({100 * mode.low:.2f} to {100 * mode.high:.2f})"
        for mode in modes
    )
    basis = f"shipped weights: `{data}`, {images:,} test images, {epochs} of {full} epochs, 1 seed"
    if not numbers(published):
        return Finding(None, value, basis, command="weights")
    holds = all(100 * mode.top1 >= number(published) for mode in modes)
    return Finding(holds, value, basis, after(epochs, full), "weights")


def shipped_size(sources: Sources, published: str, network: str, data: str) -> Finding:
    """Compare the size of the shipped network's int8 file with a limit in MB."""
    size = sources.shipped_set(network, data).mode("int8").size / 1e6
    holds = size < number(published)
    return Finding(holds, f"{size:.2f} MB", "int8 .tflite file", "for our file", "weights")


def form_sizes(sources: Sources, published: str, network: str) -> Finding:
    """Compare the sizes of a condensed network's int8 files, one per form, with a limit in MB."""
    sizes = {form: line["int8_bytes"] / 1e6 for form, line in forms(sources, network).items()}
    value = ", ".join(f"`{form}` {size:.2f} MB" for form, size in sizes.items())
    holds = max(sizes.values()) < number(published)
    return Finding(holds, value, "int8 .tflite files, random weights", "for our files", "host")


def sliced_in_one_piece(sources: Sources, published: str, network: str) -> Finding:
    """Judge whether the form `sliced` saves MACs and stays whole in XNNPACK."""
    lines = forms(sources, network)
    pieces = {form: line["partitions"]["int8"] for form, line in lines.items()}
    value = "; ".join(
        f"`{form}` {line['macs'] / 1e6:.1f} M, {pieces[form]}" for form, line in lines.items()
    )
    holds = lines["sliced"]["macs"] < lines["masked"]["macs"] and pieces["sliced"] == 1
    return Finding(holds, value, "million MACs and partitions, int8, 32 px", command="host")


def forms(sources: Sources, network: str) -> dict[str, Row]:
    """Return the host's line of each form of a condensed network."""
    lines = sources.host_networks(32, *(f"{network}-{form}" for form in FORMS))
    return dict(zip(FORMS, lines, strict=True))


def resumed(sources: Sources, published: str) -> Finding:
    """Judge the last condensation that was killed and resumed."""
    if not sources.condensation:
        raise NotMeasured("no run is stored")
    row = sources.condensation[-1]
    difference = max(row["relative_differences"].values())
    value = (
        f"{row['layers_with_exact_inputs']} of {row['layers']} layers; within {difference:.2g} of "
        "the largest output"
    )
    basis = f"{row['preset']}, `{row['data']}`, {row['epochs']} epochs"
    return Finding(row["holds"], value, basis, command="condensation")


def training_memory(sources: Sources, published: str, network: str) -> Finding:
    """Return estimated, peak and mean memory of a training on the host."""
    (row,) = sources.training_costs(network)
    sizes = [f"{size / 1e6:,.0f}" for size in (estimate(row), row["peak_bytes"], row["mean_bytes"])]
    maps = row["estimate"]["activations"] / estimate(row)
    value = f"{' / '.join(sizes)} MB; {100 * maps:.0f} % of the estimate are feature maps"
    return Finding(None, value, f"estimate / peak / mean, {setup(row)}", command="memory")


def less_memory(sources: Sources, published: str, network: str, other: str) -> Finding:
    """Judge whether a network trains in less memory than another."""
    own, more = sources.training_costs(network, other)
    estimated, peak = estimate(own) / estimate(more), own["peak_bytes"] / more["peak_bytes"]
    value = f"estimate {100 - 100 * estimated:.1f} % less, peak {100 - 100 * peak:.1f} % less"
    return Finding(max(estimated, peak) < 1, value, setup(own), "on the host", "memory")


def memory_order(sources: Sources, published: str) -> Finding:
    """Judge whether networks, named from the smallest, keep that order by peak memory."""
    costs = sources.training_costs(*published.split(" < "))
    order = sorted(costs, key=lambda row: row["peak_bytes"])
    value, basis = " < ".join(row["model"] for row in order), f"peak, {setup(order[0])}"
    return Finding(value == published, value, basis, "on the host", "memory")


def step_time(sources: Sources, published: str, network: str, other: str) -> Finding:
    """Judge whether a training step of a network is shorter than one of another."""
    own, more = sources.training_costs(network, other)
    if own["loaded"] or more["loaded"]:
        raise NotMeasured("the stored seconds are of a loaded machine")
    ratio = own["step_seconds"] / more["step_seconds"]
    return Finding(ratio < 1, f"{ratio:.2f}x", setup(own), "in direction, on the host", "memory")


def estimate(row: Row) -> int:
    """Return the estimated bytes that a training adds to its network."""
    parts = row["estimate"]
    return parts["gradients"] + parts["slots"] + parts["activations"]


def setup(row: Row) -> str:
    """Return where and how a network was trained when its cost was measured."""
    setting = row["setup"]
    return (
        f"host, {row['backend']}, {setting['image_size']} px, batch {setting['batch_size']}, "
        f"{setting['optimizer']}, {setting['classes']} classes, {setting['steps']} steps"
    )


ANSWERS: dict[str, Callable[..., Finding]] = {
    answer.__name__: answer
    for answer in (
        layers, parameters, macs, fewer_parameters, fewer_flops, condensed_counts, condensed_cost,
        host, instructions, top1, top1_error, as_accurate, dominates, shipped_top1, shipped_size,
        form_sizes, sliced_in_one_piece, resumed, training_memory, less_memory, memory_order,
        step_time,
    )
}  # fmt: skip
