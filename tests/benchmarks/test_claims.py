"""The page of claims says what the stored rows say, and nothing where there are none."""

import re
from collections import defaultdict
from pathlib import Path

import pytest

from benchmarks.claims import answers
from benchmarks.claims.counts import BUILDS, Count, Counts
from benchmarks.claims.figure import State, number, numbers
from benchmarks.claims.page import PAGE, PAPERS, lines, page
from benchmarks.claims.sources import Sources, read_sources
from benchmarks.condensation_resume import TOLERANCE
from benchmarks.seed_statistics import Spread, spread, trained
from keras_lwcnn.weights import ShippedSet
from keras_lwcnn.weights.measured import MeasuredMode
from lwcnn.report.pareto import Objective, pareto_front

TEXT = PAPERS.read_text()
STUB = defaultdict(lambda: Count(10, 10, 10, 10))


@pytest.fixture(scope="module")
def counts():
    return Counts()


@pytest.fixture(scope="module")
def stored(counts):
    return read_sources(counts)


def row(network, seed, top1, data="deeppcb96", size=72, epochs=3, **more):
    """A made-up row, as benchmarks.seeds writes them."""
    return {
        "kind": "seed",
        "network": network,
        "seed": seed,
        "data": {"name": data, "input_shape": [size, size, 3], "images": {"test": 100}},
        "recipe": {"epochs": epochs, "batch_size": 32, "seed": seed, "precision": "float32"},
        "test_images": 100,
        "best_val_top1": top1 + 0.01,
        "float32_top1": top1,
        "int8_top1": top1 - 0.01,
        "int8_size": 2_850_000,
    } | more


def cost(network, activations, peak, seconds, loaded=False):
    return {
        "model": network,
        "setup": {"batch_size": 16, "image_size": 224, "classes": 101, "optimizer": "adamw",
                  "steps": 3},
        "estimate": {"weights": 1, "gradients": 1, "slots": 2, "activations": activations},
        "peak_bytes": peak,
        "mean_bytes": peak,
        "step_seconds": seconds,
        "backend": "tensorflow",
        "loaded": loaded,
    }  # fmt: skip


def shipped(network, top1, epochs=24):
    measured = tuple(
        MeasuredMode(mode, 8000, round(8000 * top1), top1, top1 - 0.006, top1 + 0.006, 700_000,
                     600_000, 0.0, 1.0)
        for mode in ("float32", "int8")
    )  # fmt: skip
    return ShippedSet(
        network, "cifar10", "", "", ("a", "b"), (32, 32, 3), (-1.0, 1.0),
        {"recipe": {"epochs": epochs}}, {}, "", measured,
    )  # fmt: skip


def section(title):
    """A paper's part of the data: prose, lines and notes."""
    return next(part for part in TEXT.split("\n## ") if part.startswith(title))


def only(title, words):
    """The one line of a paper whose figure has these whole words."""
    whole = re.compile(rf"{re.escape(words)}(?!\w)")
    matching = [line for line in lines(section(title)) if whole.search(line.figure)]
    assert len(matching) == 1, [line.figure for line in matching]
    return matching[0]


def finding(title, words, **rows):
    return only(title, words).finding(Sources(**{"counts": STUB, **rows}))


def test_seeds_are_paired_and_summarized_by_mean_and_range():
    rows = [row("a", 0, 0.6), row("b", 0, 0.5), row("a", 1, 0.7), row("b", 1, 0.75)]
    found = trained(rows, "deeppcb96", "a", "b")
    assert found.differences() == pytest.approx([0.1, -0.05])
    assert found.spread(0).mean == pytest.approx(0.65)
    assert (found.spread(1).low, found.spread(1).high) == (0.5, 0.75)
    assert found.basis(60) == "`deeppcb96`, 100 test images, 3 of 60 epochs, 72 px, 2 seeds"
    assert spread([0.5]) == Spread(0.5, 0.5, 0.5, 1)


def test_a_seed_without_its_pair_is_left_out_and_no_pair_is_no_training():
    rows = [row("a", 0, 0.6), row("b", 0, 0.5), row("a", 1, 0.9)]
    assert len(trained(rows, "deeppcb96", "a", "b").rows) == 1
    assert len(trained(rows, "deeppcb96", "a").rows) == 2
    assert trained(rows[2:], "deeppcb96", "a", "b") is None
    assert trained(rows, "cifar10", "a") is None


def test_trainings_of_different_settings_are_not_mixed_and_the_longest_counts():
    other = row("b", 0, 0.9) | {"recipe": {"epochs": 3, "batch_size": 64, "seed": 0}}
    assert trained([row("a", 0, 0.6), other], "deeppcb96", "a", "b") is None
    longer = [row("a", 0, 0.8, epochs=9), row("b", 0, 0.7, epochs=9)]
    found = trained([row("a", 0, 0.6), row("b", 0, 0.5), *longer], "deeppcb96", "a", "b")
    assert found.setting.epochs == 9


def test_the_precision_is_the_machines_and_keeps_no_pair_apart():
    gpu, cpu = row("a", 0, 0.6), row("b", 0, 0.5)
    gpu["recipe"] = gpu["recipe"] | {"precision": "mixed_bfloat16"}
    cpu["recipe"] = cpu["recipe"] | {"precision": "float32"}
    found = trained([gpu, cpu], "deeppcb96", "a", "b")
    assert found.differences() == pytest.approx([0.1])
    assert found.basis(60).endswith("1 seed, trained in mixed_bfloat16 against float32")


def test_a_training_that_is_repeated_counts_once_by_its_last_row():
    rows = [row("a", 0, 0.6), row("a", 0, 0.7)]
    assert trained(rows, "deeppcb96", "a").spread() == Spread(0.7, 0.7, 0.7, 1)


def test_without_rows_only_counts_are_known():
    for line in lines(TEXT):
        known = line.finding(Sources(counts=STUB))
        if known.command != "counts":
            assert (known.state, known.command) == (State.MISSING, ""), line
            assert re.match("no |the package holds no weights", known.value), line


def test_pcb_accuracies_by_seed_are_given_beside_the_published_but_not_judged_by_them():
    rows = [row("xception_lite", seed, 0.8 + 0.01 * seed) for seed in range(3)]
    rows += [row("xception", seed, 0.805) for seed in range(3)]
    known = finding("Xception-Lite", "top-1 of Xception-Lite, PCB", seeds=rows)
    assert known.state is State.APART
    assert "81.00 % (80.00 to 82.00)" in known.value
    assert known.basis == "`deeppcb96`, 100 test images, 3 of 60 epochs, 72 px, 3 seeds"
    assert any("leaks" in note for note in notes_of("Xception-Lite", "top-1 of Xception-Lite, PCB"))
    gap = finding("Xception-Lite", "at least as accurate as Xception, PCB", seeds=rows)
    assert gap.value.startswith("+0.50 points (-0.50 to +1.50)")
    assert gap.state is State.HOLDS
    assert gap.extent == "after 3 of 60 epochs in the mean; 2 of 3 seeds"


def notes_of(title, words):
    notes = dict(re.findall(r"(?m)^(\d+)\. (.+(?:\n   .+)*)$", section(title)))
    return [notes[each] for each in only(title, words).notes.split(", ")]


def test_one_seed_has_no_range():
    rows = [row("xception_lite", 0, 0.8), row("xception", 0, 0.9)]
    gap = finding("Xception-Lite", "at least as accurate as Xception, PCB", seeds=rows)
    assert gap.value == "-10.00 points: 80.00 % against 90.00 %"
    assert (gap.state, gap.extent) == (State.FAILS, "after 3 of 60 epochs")


def test_dominance_needs_accuracy_and_memory():
    words = "dominates Xception in accuracy and training memory, PCB"
    costs = [cost("xception_lite", 10, 100, 1.0), cost("xception", 20, 200, 2.0)]
    smaller = [cost("xception_lite", 10, 100, 1.0), cost("xception", 20, 50, 2.0)]
    for top1, stored, state in (
        (0.8, costs, State.HOLDS),
        (0.6, costs, State.FAILS),
        (0.8, smaller, State.FAILS),
        (0.8, costs[:1], State.MISSING),
    ):
        rows = [row("xception_lite", 0, top1), row("xception", 0, 0.7)]
        known = finding("Xception-Lite", words, seeds=rows, training_cost=stored)
        assert known.state is state


@pytest.mark.parametrize("loaded", [True, False])
def test_seconds_of_a_loaded_machine_give_no_ratio(loaded):
    costs = [cost("xception_lite", 10, 100, 1.5, loaded), cost("xception", 20, 200, 2.0)]
    words = "time per epoch, Xception-Lite over Xception, PCB"
    known = finding("Xception-Lite", words, training_cost=costs)
    assert (known.state is State.MISSING) == loaded
    assert loaded or known.value == "0.75x"


@pytest.mark.parametrize(("top1", "state"), [(0.94, State.HOLDS), (0.92, State.FAILS)])
def test_the_target_is_judged_by_the_shipped_weights(top1, state):
    weights = (shipped("l_mobilenet", top1),)
    known = finding("L-Mobilenet", "top-1 on cifar10", shipped=weights)
    assert (known.state, known.extent) == (state, "after 24 of 200 epochs")
    assert known.value.count(f"{100 * top1:.2f} %") == 2
    assert "8,000 test images" in known.basis


def test_the_smallest_condensenext_is_known_by_its_shipped_weights():
    weights = (shipped("condensenext_tiny", 0.8, 12),)
    known = finding("CondenseNeXt", "top-1 of stages 4-4-4", shipped=weights)
    assert (known.command, known.state) == ("weights", State.APART)
    assert known.basis.startswith("shipped weights: `cifar10`, 8,000 test images, 12 of 300 epochs")
    size = finding("CondenseNeXt", "size of the trained model, stages 4-4-4", shipped=weights)
    assert (size.value, size.state) == ("0.70 MB", State.HOLDS)


@pytest.mark.parametrize(("other", "state"), [(0.904, State.HOLDS), (0.906, State.FAILS)])
def test_similar_accuracy_is_at_most_half_a_point_below(other, state):
    rows = [row(name, 0, top1, "cifar10", 32, 24)
            for name, top1 in (("l_mobilenet", 0.9), ("mobilenet_v2", other))]  # fmt: skip
    known = finding("L-Mobilenet", "similar accuracy as MobileNetV2, cifar10", seeds=rows)
    assert (known.state, known.command) == (state, "seeds-l_mobilenet")
    assert known.basis == "`cifar10`, 100 test images, 24 of 200 epochs, 32 px, 1 seed"


@pytest.mark.parametrize(
    ("paper", "network", "words", "top1", "state"),
    [
        ("CondenseNet", "condensenet", "error of CondenseNet-86, cifar10", 0.95, State.HOLDS),
        ("CondenseNet", "condensenet", "error of CondenseNet-86, cifar10", 0.94, State.FAILS),
        ("CondenseNeXt", "condensenext", "the one of 29 M MACs", 0.94, State.HOLDS),
        ("CondenseNeXt", "condensenext", "top-1 error, cifar10", 0.94, State.APART),
        (
            "CondenseNeXt",
            "condensenext_large",
            "the largest under 3.0 MB as int8",
            0.94,
            State.FAILS,
        ),
    ],
)
def test_an_error_is_judged_by_the_trainings_of_its_network(paper, network, words, top1, state):
    rows = [row(network, 0, top1, "cifar10", 32, 300)]
    known = finding(paper, words, seeds=rows)
    error = f"{100 - 100 * top1:.2f} % (int8: 2.85 MB)"
    assert (known.value, known.state) == (error, state)
    assert finding(paper, words).state is State.MISSING


def test_the_published_points_have_the_fronts_that_pareto_gives():
    """They are told in the prose, since nothing has to be measured for them."""
    text = " ".join(section("Xception-Lite").split())
    objectives = Objective("accuracy", maximize=True), Objective("memory", maximize=False)
    accuracies = {"EfficientNetV2B1, PCB": "55.25", "MobileNetV2, PCB": "50.50"}
    for number_of_data, data in enumerate(("Caltech-101", "PCB")):
        rows = []
        for network in ("Xception-Lite", "Xception", "EfficientNetV2B1", "MobileNetV2"):
            name = f"{network}, {data}"
            memory = only("Xception-Lite", f'"MB" of {network} in training').published
            accuracy = accuracies.get(name) or only("Xception-Lite", f"top-1 of {name}").published
            rows.append({"model": network, "accuracy": number(accuracy),
                         "memory": float(numbers(memory)[number_of_data])})  # fmt: skip
        front = pareto_front(rows, objectives)
        others = [front.labels[i] for i in front.order if front.on_front[i]][1:]
        assert f"on {data} with {' and '.join(others)}" in text
        pair = pareto_front(rows[:2], objectives)
        assert list(pair.on_front) == [True, False]


def test_real_counts_and_rows_give_the_documented_values(stored):
    ratio = only("L-Mobilenet", "times fewer parameters than MobileNetV2").finding(stored)
    assert ratio.value.startswith("3.77x")
    assert only("L-Mobilenet", "layers").finding(stored).value == "38"
    fewer = only("CondenseNeXt", "fewer FLOPs than CondenseNet").finding(stored)
    assert fewer.value.startswith("53.51 % (29.0 M against 62.4 M MACs)")
    exact = [
        line.finding(stored)
        for line in lines(section("Xception-Lite"))
        if line.figure.startswith(("parameters", "MACs")) and numbers(line.published)
    ]
    assert len(exact) == 8
    assert all(known.state is State.HOLDS for known in exact)


def test_instructions_are_never_judged_as_times(stored):
    counted = [line for line in lines(TEXT) if line.call.startswith("instructions ")]
    assert len(counted) == 9
    for line in counted:
        known = line.finding(stored)
        assert known.state is State.APART
        assert "fewer instructions" in known.value
        assert known.basis.startswith("emulated")
    for line in lines(TEXT):
        if line.call.startswith("host "):
            assert "instructions" not in line.finding(stored).value


def test_every_line_is_one_line_and_names_a_command_and_notes_that_the_page_has(stored):
    commands = set(re.findall(r"(?m)^\| ([\w-]+) \| `.*` \|$", section("Commands")))
    for part in TEXT.split("\n## ")[1:-1]:
        notes = set(re.findall(r"(?m)^(\d+)\. ", part))
        used = set()
        for line in lines(part):
            known = line.finding(stored)
            assert known.command in {"", *commands}
            assert not re.search(r"[|\n]", known.value + known.basis)
            used |= set(re.findall(r"\d+", line.notes))
        assert used == notes, part[:40]
    assert f"{TOLERANCE:g} of the largest output" in TEXT


def test_every_line_names_an_answer_and_networks_that_can_be_counted():
    for line in lines(TEXT):
        name, *words = line.call.split()
        assert name in answers.ANSWERS
        if name in ("parameters", "macs", "layers", "condensed_counts"):
            assert words[0] in BUILDS


def test_a_line_is_answered_in_its_place():
    text = (
        "About.\n\n| figure | published | answered by | notes |\n| --- | --- | --- | --- |\n"
        "| a | 10 | `parameters x` | 1 |\n| b | 3x | `host x y int8 32` | - |\n\n1. First.\n"
    )
    assert page(Sources(counts=STUB), text) == (
        "About.\n\n| figure | published | measured here | of what | state | command | notes |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        "| a | 10 | 10 | counted | **holds** | [counts](#commands) | 1 |\n"
        "| b | 3x | no timing of x is stored | - | **not measured** | - | - |\n\n1. First.\n"
    )


def test_the_page_is_what_the_rows_say_now(stored):
    """All but CondenseNet's counts, which are checked to the digit in test_costs.py."""
    written = PAGE.read_text().split("\n## ")
    parts = TEXT.split("\n## ")
    assert len(written) == len(parts)
    for part, old in zip(parts, written, strict=True):
        kept = re.sub(r"(?m)^.*`condensed_counts .*$", "", part)
        new = page(stored, kept)
        old = re.sub(r"(?m)^\| FLOPs and parameters of .*$", "", old)
        assert new == old, "docs/claims.md is old: run python -m benchmarks.claims"


def test_a_folder_without_rows_is_read_as_nothing_measured(tmp_path: Path):
    sources = read_sources(STUB, tmp_path)
    assert not (sources.host or sources.seeds or sources.instructions or sources.training_cost)
