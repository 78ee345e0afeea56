"""The page of claims says what the stored rows say, and nothing where there are none."""

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.claims import condensenet, condensenext, l_mobilenet, xception_lite
from benchmarks.claims.claim import Claim, Section, State, judged, markdown, missing
from benchmarks.claims.counts import Count, Counts
from benchmarks.claims.page import COMMANDS, HEAD, PAGE, SECTIONS, commands
from benchmarks.claims.seeds import Spread, spread, trained
from benchmarks.claims.sources import Sources, read_sources
from benchmarks.claims.xception_lite_trained import front_of, published_points
from keras_lwcnn.weights import ShippedSet
from keras_lwcnn.weights.measured import MeasuredMode

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


def only(section, words):
    """The one claim of a section whose figure has these whole words."""
    whole = re.compile(rf"{re.escape(words)}(?!\w)")
    found = [claim for claim in section.claims if whole.search(claim.figure)]
    assert len(found) == 1, [claim.figure for claim in found]
    return found[0]


def test_seeds_are_paired_and_summarized_by_mean_and_range():
    rows = [row("a", 0, 0.6), row("b", 0, 0.5), row("a", 1, 0.7), row("b", 1, 0.75)]
    found = trained(rows, "deeppcb96", "a", "b")
    assert found.differences() == pytest.approx([0.1, -0.05])
    assert found.spread(0).mean == pytest.approx(0.65)
    assert (found.spread(1).low, found.spread(1).high) == (0.5, 0.75)
    assert found.length(60) == "3 of 60 epochs, 72 px, 2 seeds"
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
    assert found.length(60).endswith("1 seed, trained in mixed_bfloat16 against float32")


def test_a_training_that_is_repeated_counts_once_by_its_last_row():
    rows = [row("a", 0, 0.6), row("a", 0, 0.7)]
    assert trained(rows, "deeppcb96", "a").spread() == Spread(0.7, 0.7, 0.7, 1)


@pytest.mark.parametrize("each", SECTIONS)
def test_without_rows_all_but_counts_and_published_points_is_not_measured(each):
    for claim in each.section(Sources(counts=STUB)).claims:
        if claim.command != "counts":
            assert claim.finding.value.startswith("not measured: "), claim.figure
            assert claim.finding.state in (State.MISSING, State.APART), claim.figure
            assert claim.command == "" or claim.command in ("host", "instructions"), claim.figure


def test_pcb_accuracies_by_seed_are_given_beside_the_published_but_not_judged_by_them():
    rows = [row("xception_lite", seed, 0.8 + 0.01 * seed) for seed in range(3)]
    rows += [row("xception", seed, 0.805) for seed in range(3)]
    section = xception_lite.section(Sources(counts=STUB, seeds=rows))
    claim = only(section, "top-1 of Xception-Lite, PCB")
    assert claim.finding.state is State.APART
    assert "81.00 % (80.00 to 82.00)" in claim.finding.value
    assert claim.finding.basis == "`deeppcb96`, 3 of 60 epochs, 72 px, 3 seeds"
    assert any("leaks" in note for note in claim.notes)
    gap = only(section, "at least as accurate as Xception, PCB").finding
    assert gap.value.startswith("+0.50 points (-0.50 to +1.50)")
    assert gap.state is State.HOLDS
    assert gap.extent == "after 3 of 60 epochs in the mean; 2 of 3 seeds"


def test_one_seed_has_no_range():
    rows = [row("xception_lite", 0, 0.8), row("xception", 0, 0.9)]
    section = xception_lite.section(Sources(counts=STUB, seeds=rows))
    gap = only(section, "at least as accurate as Xception, PCB").finding
    assert gap.value == "-10.00 points: 80.00 % against 90.00 %"
    assert (gap.state, gap.extent) == (State.FAILS, "after 3 of 60 epochs")


def test_dominance_needs_accuracy_and_memory():
    rows = [row("xception_lite", 0, 0.8), row("xception", 0, 0.7)]
    costs = [cost("xception_lite", 10, 100, 1.0), cost("xception", 20, 200, 2.0)]
    words = "dominates Xception, measured on `deeppcb96`"
    for given, state in ((costs, State.HOLDS), (costs[:1], State.MISSING)):
        sources = Sources(counts=STUB, seeds=rows, training_cost=given)
        assert only(xception_lite.section(sources), words).finding.state is state


@pytest.mark.parametrize("loaded", [True, False])
def test_seconds_of_a_loaded_machine_give_no_ratio(loaded):
    costs = [cost("xception_lite", 10, 100, 1.5, loaded), cost("xception", 20, 200, 2.0)]
    section = xception_lite.section(Sources(counts=STUB, training_cost=costs))
    finding = only(section, "time of an epoch, Xception-Lite over Xception, PCB").finding
    assert (finding.state is State.MISSING) == loaded
    assert loaded or finding.value == "0.75x"


@pytest.mark.parametrize(("top1", "state"), [(0.94, State.HOLDS), (0.92, State.FAILS)])
def test_the_target_is_judged_by_the_shipped_weights(top1, state):
    sources = Sources(counts=STUB, shipped=(shipped("l_mobilenet", top1),))
    claim = only(l_mobilenet.section(sources), "top-1 on cifar10")
    assert claim.finding.state is state
    assert claim.finding.extent == "after 24 of 200 epochs"
    assert claim.finding.value.count(f"{100 * top1:.2f} %") == 2
    assert any("8,000 test images" in note for note in claim.notes)


def test_shipped_weights_of_the_smallest_condensenext_replace_the_brief_training():
    sources = Sources(counts=STUB, shipped=(shipped("condensenext_tiny", 0.8, 12),))
    section = condensenext.section(sources)
    claim = only(section, "top-1 of stages 4-4-4")
    assert (claim.command, claim.finding.state) == ("weights", State.APART)
    assert claim.finding.basis.startswith("shipped weights: 12 of 300 epochs")
    assert only(section, "size of the trained model, stages 4-4-4").finding.value == "0.70 MB"


@pytest.mark.parametrize(("other", "state"), [(0.904, State.HOLDS), (0.906, State.FAILS)])
def test_similar_accuracy_is_at_most_half_a_point_below(other, state):
    rows = [row(name, 0, top1, "cifar10", 32, 24)
            for name, top1 in (("l_mobilenet", 0.9), ("mobilenet_v2", other))]  # fmt: skip
    section = l_mobilenet.section(Sources(counts=STUB, seeds=rows))
    claim = only(section, "similar accuracy as MobileNetV2, cifar10")
    assert (claim.finding.state, claim.command) == (state, "seeds-l_mobilenet")
    assert claim.finding.basis == "24 of 200 epochs, 32 px, 1 seed"


def test_a_condensenet_error_is_judged_by_its_trainings():
    rows = [row("condensenet", 0, 0.95, "cifar10", 32, 300)]
    section = condensenet.section(Sources(counts=STUB, seeds=rows))
    finding = only(section, "error of CondenseNet-86, cifar10").finding
    assert (finding.value, finding.state) == ("5.00 %", State.HOLDS)


@pytest.mark.parametrize(
    ("network", "words", "state"),
    [
        ("condensenext", "the one of 29 M MACs", State.HOLDS),
        ("condensenext_large", "the largest under 3.0 MB as int8", State.FAILS),
    ],
)
def test_our_targets_of_a_condensenext_error_are_judged_by_its_trainings(network, words, state):
    rows = [row(network, 0, 0.94, "cifar10", 32, 300, int8_size=2_850_000)]
    claim = only(condensenext.section(Sources(counts=STUB, seeds=rows)), words)
    assert (claim.finding.value, claim.finding.state) == ("6.00 % (int8: 2.85 MB)", state)
    untrained = only(condensenext.section(Sources(counts=STUB)), words)
    assert untrained.finding.state is State.MISSING


def test_the_published_points_have_the_fronts_that_pareto_gives():
    points = {data: published_points(data) for data in ("caltech101", "pcb")}
    assert set(front_of(points["caltech101"])) == {
        "xception_lite", "keras_mobilenet_v2", "efficientnet_v2_b1"
    }  # fmt: skip
    assert front_of(points["pcb"]) == ("xception_lite", "keras_mobilenet_v2")


def test_real_counts_and_rows_give_the_documented_values(stored):
    section = l_mobilenet.section(stored)
    parameters = only(section, "times fewer parameters than MobileNetV2").finding
    assert parameters.value.startswith("3.77x")
    assert only(section, "layers").finding.value == "38"
    fewer = only(condensenext.section(stored), "fewer FLOPs than CondenseNet").finding
    assert fewer.value.startswith("53.51 % (29.0 M against 62.4 M MACs)")
    exact = [claim for claim in xception_lite.section(stored).claims
             if claim.figure.startswith(("parameters", "MACs"))]  # fmt: skip
    assert len(exact) == 8
    assert all(claim.finding.state is State.HOLDS for claim in exact)


def test_instructions_are_never_judged_as_times(stored):
    for each in (l_mobilenet, condensenext, xception_lite):
        claims = each.section(stored).claims
        counted = [claim for claim in claims if claim.command == "instructions"]
        assert counted
        for claim in counted:
            assert claim.finding.state is State.APART
            assert "fewer instructions" in claim.finding.value
            assert claim.finding.basis.startswith("emulated")
        for claim in claims:
            assert ("host" in claim.finding.basis) <= ("instructions" not in claim.finding.value)


def test_every_cell_is_one_line_and_every_command_is_named(stored):
    for each in (l_mobilenet, condensenext, xception_lite):
        for claim in each.section(stored).claims:
            assert claim.command in ("", *COMMANDS)
            cells = (claim.figure, claim.published, claim.finding.value, claim.finding.basis)
            assert not any(re.search(r"[|\n]", cell) for cell in cells)


def test_notes_are_numbered_once_in_the_order_of_their_lines():
    finding = judged(True, "1", "counted")
    claims = (
        Claim("a", "1", finding, notes=("First.",)),
        Claim("b", "2", missing("no rows"), "", notes=("Second.", "First.")),
    )
    text = markdown(Section("Title", "About.", claims))
    assert text.count("First.") == 1
    assert "| a | 1 | 1 | counted | **holds** | [counts](#commands) | 1 |" in text
    assert "| b | 2 | not measured: no rows | - | **not measured** | - | 1, 2 |" in text


def test_the_page_is_what_the_rows_say_now(stored):
    """All but CondenseNet's counts, which are checked to the digit in test_costs.py."""
    page = PAGE.read_text()
    told = "docs/claims.md is old: run python -m benchmarks.claims"
    assert page.startswith(HEAD), told
    assert page.endswith(commands()), told
    for each in (l_mobilenet, condensenext, xception_lite):
        assert markdown(each.section(stored)) in page, told
    errors = markdown(condensenet.section(replace(stored, counts=STUB))).splitlines()
    assert {line for line in errors if line.startswith("| top-1")} <= set(page.splitlines()), told


def test_a_folder_without_rows_is_read_as_nothing_measured(tmp_path: Path):
    sources = read_sources(STUB, tmp_path)
    assert not (sources.host or sources.seeds or sources.instructions or sources.training_cost)
