"""Accuracies and Pareto fronts of Xception-Lite and its baselines: published, and by seed."""

from collections.abc import Mapping
from dataclasses import replace

from benchmarks.claims.cells import after, difference_finding, percent, with_range
from benchmarks.claims.claim import Claim, State, judged, missing
from benchmarks.claims.seeds import Trained, trained
from benchmarks.claims.sources import Sources
from benchmarks.claims.xception_lite_published import (
    BYTES_NOTE,
    FIGURES,
    LEAK,
    LITE,
    ONE_SEED,
    RESULTS,
    SCALED,
    XCEPTION,
)
from keras_lwcnn.training import RECIPES
from lwcnn.report.pareto import Objective, pareto_front

# What stands here for each of the paper's data sets.
OURS = {"caltech101": "caltech101", "pcb": "deeppcb96"}
OURS_TITLE = {"caltech101": "Caltech-101", "deeppcb96": "`deeppcb96`"}
FULL_EPOCHS = RECIPES[f"{LITE}/caltech101/published"].recipe.epochs
OBJECTIVES = (Objective("accuracy", maximize=True), Objective("memory", maximize=False))
FRONT_NOTE = (
    'Accuracy against the "MB". That Xception-Lite is on the front of these four says little, as '
    "a much smaller and much worse network is there too; what holds is that it dominates Xception."
)
NOT_TRAINED = {
    "caltech101": f"{FULL_EPOCHS} epochs at 224 px need a GPU",
    "pcb": "no training on `deeppcb96` is stored",
}


def accuracy_claims(sources: Sources) -> list[Claim]:
    """Return the claims about accuracy: each network's, and Xception-Lite beside Xception."""
    claims = []
    for data, title in FIGURES.items():
        claims += [_accuracy(sources, network, data) for network in RESULTS]
        claims.append(_difference(sources, data, title))
    return claims


def _notes(data: str, network: str = "") -> tuple[str, ...]:
    notes = (LEAK, ONE_SEED) if data == "pcb" else (ONE_SEED,)
    return (*notes, SCALED) if network == "efficientnet_v2_b1" else notes


def _accuracy(sources: Sources, network: str, data: str) -> Claim:
    found = trained(sources.seeds, OURS[data], network)
    finding = missing(NOT_TRAINED[data])
    if found is not None:
        reached = found.spread().mean >= RESULTS[network].accuracy[data] / 100
        finding = judged(reached, *_measured(found), after(found.setting.epochs, FULL_EPOCHS))
    if data == "pcb":  # other images and other classes
        finding = replace(finding, state=State.APART, extent="")
    return Claim(
        f"top-1 of {RESULTS[network].title}, {FIGURES[data]}",
        f"{RESULTS[network].accuracy[data]:.2f} %",
        finding,
        f"seeds-{data}" if found else "",
        _notes(data, network),
    )


def _measured(found: Trained) -> tuple[str, str]:
    """Return the accuracies on the test images and the best on the validation images, of what."""
    last, best = found.spread(), found.spread(field="best_val_top1")
    int8 = found.spread(field="int8_top1")
    value = f"{with_range(last)}; int8 {percent(int8.mean)}; best validation {percent(best.mean)}"
    length = found.length(FULL_EPOCHS)
    return value, f"{OURS_TITLE[found.setting.data]}, {length}"


def _difference(sources: Sources, data: str, title: str) -> Claim:
    published = RESULTS[LITE].accuracy[data] - RESULTS[XCEPTION].accuracy[data]
    pair = trained(sources.seeds, OURS[data], LITE, XCEPTION)
    if pair is None:
        finding = missing(NOT_TRAINED[data])
    else:
        finding = difference_finding(pair, FULL_EPOCHS, 0.0)
        if data == "pcb":
            finding = replace(finding, basis=f"`{OURS[data]}`, {finding.basis}")
    return Claim(
        f"Xception-Lite is at least as accurate as Xception, {title}",
        f"{published:+.2f} points",
        finding,
        f"seeds-{data}" if pair else "",
        _notes(data),
    )


def front_of(points: Mapping[str, tuple[float, float]]) -> tuple[str, ...]:
    """Return the names of the points (accuracy, memory) that no other point dominates.

    The most accurate comes first.
    """
    rows = [
        {"model": name, "accuracy": accuracy, "memory": memory}
        for name, (accuracy, memory) in points.items()
    ]
    front = pareto_front(rows, OBJECTIVES)
    return tuple(front.labels[i] for i in front.order if front.on_front[i])


def published_points(data: str) -> dict[str, tuple[float, float]]:
    """Return accuracy and "MB" of the networks as published."""
    return {name: (line.accuracy[data], line.megabytes[data]) for name, line in RESULTS.items()}


def pareto_claims(sources: Sources) -> list[Claim]:
    """Return the claims about Pareto's order: of the published points, and of ours."""
    claims = []
    extent = "for the published points"
    for data, title in FIGURES.items():
        points = published_points(data)
        front = front_of(points)
        names = ", ".join(RESULTS[name].title for name in front)
        optimal = judged(LITE in front, f"front: {names}", "calculated", extent)
        pair = front_of({name: points[name] for name in (LITE, XCEPTION)})
        dominates = judged(
            pair == (LITE,), "yes" if pair == (LITE,) else "no", "calculated", extent
        )
        notes = (BYTES_NOTE, *_notes(data))
        claims += [
            Claim(f"Xception-Lite is Pareto-optimal, {title}", "yes", optimal,
                  notes=(FRONT_NOTE, *notes)),
            Claim(f"Xception-Lite dominates Xception, {title}", "yes", dominates, notes=notes),
            _dominates_here(sources, data),
        ]  # fmt: skip
    return claims


def _dominates_here(sources: Sources, data: str) -> Claim:
    figure = f"Xception-Lite dominates Xception, measured on {OURS_TITLE[OURS[data]]}"
    pair = trained(sources.seeds, OURS[data], LITE, XCEPTION)
    costs = [sources.cost_of(name) for name in (LITE, XCEPTION)]
    if pair is None or None in costs:
        finding = missing(NOT_TRAINED[data])
        return Claim(figure, "yes", finding, "", _notes(data))
    points = {
        name: (pair.spread(i).mean, costs[i]["peak_bytes"])
        for i, name in enumerate((LITE, XCEPTION))
    }
    value = " against ".join(
        f"{percent(accuracy)}, {memory / 1e6:,.0f} MB" for accuracy, memory in points.values()
    )
    basis = f"mean top-1, {pair.length(FULL_EPOCHS)}; peak at 224 px"
    dominates = front_of(points) == (LITE,)
    finding = judged(dominates, value, basis, after(pair.setting.epochs, FULL_EPOCHS))
    return Claim(figure, "yes", finding, f"seeds-{data}", _notes(data))
