"""What training costs: the estimate to the published figures, and the meter on a small network."""

import json
import sys

import keras
import numpy as np
import pytest
from keras import layers

from keras_lwcnn.models import build
from keras_lwcnn.training import TrainingSetup, cost, estimate_memory, measure_training
from keras_lwcnn.training.cost_worker import ResidentSet
from lwcnn.main import main
from lwcnn.rows import read_rows

TINY = TrainingSetup(batch_size=2, image_size=32, classes=10, steps=2)


def megabytes(size):
    return round(size / 1e6)


def state(memory):
    return memory.weights + memory.gradients + memory.slots


def test_every_part_of_the_estimate_is_counted_by_hand():
    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2D(2, 1, use_bias=False)(inputs)  # 6 weights; keeps its input: 48
    x = layers.BatchNormalization()(x)  # 4 trainable, 4 not; keeps its input: 32
    model = keras.Model(inputs, layers.Flatten()(x))
    found = estimate_memory(model, batch_size=5)
    assert (found.weights, found.gradients, found.slots) == (4 * 14, 4 * 10, 4 * 20)
    assert found.activations == 4 * 5 * (48 + 32)
    assert found.total - found.beyond_weights == found.weights
    assert estimate_memory(model, 5, "sgd").slots == 4 * 10


def test_xception_keeps_the_published_activations_and_state():
    found = estimate_memory(build("xception"), batch_size=16)
    assert round(found.activations / 1e9, 2) == 1.54
    # Published as 337 MB, four tensors for every weight; the statistics of normalizations,
    # 54,528 weights, have neither gradient nor moments.
    assert megabytes(state(found)) == 336
    assert megabytes(state(found) + 3 * 4 * 54_528) == 337


def test_xception_lite_keeps_the_published_state_and_less_activations_than_xception():
    model = build("xception_lite")
    found = estimate_memory(model, batch_size=16)
    assert megabytes(state(found)) == 253
    # Published as 1.29 GB. That leaves out the images, and the first block's ReLU, which comes
    # right after the stem's: its output is equal, but it is another tensor, which training keeps.
    assert round(found.activations / 1e9, 2) == 1.35
    images, repeated = 224 * 224 * 3, np.prod(model.get_layer("entry1_1_relu").output.shape[1:])
    assert round((found.activations - 4 * 16 * (images + repeated)) / 1e9, 2) == 1.29


@pytest.mark.parametrize(("batch_size", "optimizer"), [(0, "adamw"), (4, "lion")])
def test_an_estimate_of_nothing_is_refused(batch_size, optimizer):
    with pytest.raises(ValueError, match=r"0|'lion'.*adamw, sgd"):
        estimate_memory(build("l_mobilenet"), batch_size, optimizer)


def test_samples_see_what_a_block_takes_and_returns():
    memory = ResidentSet()
    with memory.sampled():
        taken = np.ones(25_000_000)  # 200 MB
        memory.sample()
        del taken
        memory.sample()
    assert 190e6 < max(memory.samples) < 400e6
    assert memory.samples[-1] < 50e6


def test_the_command_measures_a_network_in_a_process_of_its_own(tmp_path, capsys):
    path = tmp_path / "rows.jsonl"
    words = "shufflenet_v2_x0_5 --batch-size 2 --image-size 32 --classes 10 --steps 2 --rounds 1"
    assert main(["train-cost", *words.split(), "--rows", str(path)]) == 0
    shown = capsys.readouterr().out
    (row,) = read_rows(path, kind="training_cost")
    assert row["setup"] == TINY.to_dict()
    assert row["peak_bytes"] >= row["mean_bytes"] > row["estimate"]["gradients"]
    assert row["first_step_seconds"] > 0 and row["step_seconds"] == row["round_step_seconds"][0]
    assert row["gpu_peak_bytes"] is None and row["backend"] == keras.backend.backend()
    assert f"{megabytes(row['peak_bytes']):,}" in shown and "not a phone's" in shown


WORKER = """
import json, sys
setup, name = json.loads(sys.argv[1]), sys.argv[2]
with open({log!r}, "a+") as log:
    print(name, file=log)
    log.seek(0)
    turn = log.read().splitlines().count(name)
print("chatter")
print(json.dumps(dict(
    baseline_bytes=100 * turn, peak_bytes=10 * turn, mean_bytes=turn, gpu_peak_bytes=5 * turn,
    first_step_seconds=9.0, step_seconds=[turn, turn, 50 * turn], backend="jax",
)))
"""


def test_networks_take_turns_and_their_rounds_are_put_together(tmp_path, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setattr(cost, "COMMAND", (sys.executable, "-c", WORKER.format(log=str(log))))
    names = ["shufflenet_v2_x0_5", "l_mobilenet"]
    told = []
    found = measure_training(names, TINY, rounds=3, progress=told.append)
    assert log.read_text().split() == 3 * names
    assert told[0] == "round 1/3, shufflenet_v2_x0_5" and len(told) == 6
    assert [each.model for each in found] == names
    last = json.loads(json.dumps(found[1].to_dict()))
    assert last["round_step_seconds"] == [1, 2, 3] and last["step_seconds"] == 2
    assert last["round_peak_bytes"] == [10, 20, 30] and last["peak_bytes"] == 30
    assert (last["mean_bytes"], last["baseline_bytes"], last["gpu_peak_bytes"]) == (2, 200, 15)


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", r"killed \(SIGKILL\).*memory"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", "SIGABRT"),
        ("raise MemoryError('9 GB\\na hint')", r"exit code 1: MemoryError: 9 GB \("),
    ],
)
def test_a_process_that_ends_early_is_told_with_what_was_needed(monkeypatch, script, found):
    monkeypatch.setattr(cost, "COMMAND", (sys.executable, "-c", script))
    with pytest.raises(RuntimeError, match=rf"'l_mobilenet' .*{found}.*GB were available"):
        measure_training(["l_mobilenet"], TINY)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("resnet", "'resnet'"),
        ("l_mobilenet l_mobilenet", "different"),
        ("l_mobilenet --batch-size 0", "batch_size=0 is too small; allowed is 1 or more"),
        ("l_mobilenet --image-size -1", "image_size=-1 is too small; allowed is 1 or more"),
        ("xception --image-size 32", "71"),
        ("l_mobilenet --classes 1", "classes=1 is too small; allowed is 2 or more"),
        ("l_mobilenet --steps 0", "steps=0 is too small; allowed is 1 or more"),
        ("l_mobilenet --rounds 0", "rounds=0 is too small; allowed is 1 or more"),
    ],
)
def test_bad_values_leave_one_line_before_anything_is_measured(monkeypatch, capsys, words, found):
    monkeypatch.setattr(cost, "COMMAND", ("/nothing/to/run",))
    assert main(["train-cost", *words.split()]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("lwcnn train-cost: ") and found in line


def test_an_unknown_optimizer_is_refused_with_those_that_there_are(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train-cost", "l_mobilenet", "--optimizer", "lion"])
    line = capsys.readouterr().err.splitlines()[-1]
    assert "'lion'" in line and "adamw" in line and "sgd" in line
