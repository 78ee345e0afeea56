"""Trainings as processes: killed at any moment, and several of them together."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

PROGRAMS = Path(__file__).parent / "programs"
STEPS = 16  # 4 epochs of 4


def start(program, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, PROGRAMS / program, *map(str, arguments)],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(program, *arguments, expected=0, **environment):
    with start(program, *arguments, **environment) as process:
        _, errors = process.communicate()
    assert process.returncode == expected, errors[-3000:]


def weights(folder):
    return keras.saving.load_model(folder / "model.keras").get_weights()


def test_a_training_killed_at_any_moment_resumes_to_the_same_bits(tmp_path):
    # Two moments that nobody chose, and the one that could leave half a file.
    first, second = sorted(random.SystemRandom().sample(range(1, STEPS + 1), 2))
    print(f"killed at steps {first} and {second}")
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run("killed_training.py", whole, "-")
    for fate in ("saving:2", f"step:{first}", f"step:{second}"):
        with start("killed_training.py", cut, fate) as process:
            process.communicate()
        # A resumed training may be past the step already, and then comes to its end.
        assert process.returncode in (-signal.SIGKILL, 0)
    run("killed_training.py", cut, "-")
    for a, b in zip(weights(whole), weights(cut), strict=True):
        np.testing.assert_array_equal(a, b)
    records = [json.loads((folder / "model.json").read_text()) for folder in (whole, cut)]
    assert all(records[0][key] == records[1][key] for key in ("val", "history", "recipe"))


def test_two_processes_train_as_one_with_the_whole_batch(tmp_path):
    pytest.importorskip("jax")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    backend = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    with (
        start("two_processes.py", tmp_path, 0, port, **backend) as one,
        start("two_processes.py", tmp_path, 1, port, **backend) as two,
    ):
        errors = [process.communicate()[1] for process in (one, two)]
    assert (one.returncode, two.returncode) == (0, 0), "\n".join(e[-3000:] for e in errors)
    run("two_processes.py", tmp_path, "alone", **backend)

    def stored(name):
        archive = np.load(tmp_path / f"{name}.npz", allow_pickle=False)
        return [archive[key] for key in archive.files if key != "loss"]

    for a, b in zip(stored("0"), stored("1"), strict=True):
        np.testing.assert_array_equal(a, b)
    for name in ("0", "1"):
        for a, b in zip(stored(name), stored(f"{name}-resumed"), strict=True):
            np.testing.assert_array_equal(a, b)
    together, alone = (np.load(tmp_path / f"{name}.npz")["loss"] for name in ("0", "alone"))
    np.testing.assert_allclose(together, alone, rtol=1e-4)
    assert sorted(p.name for p in (tmp_path / "together" / "whole").iterdir()) == [
        "model.json",
        "model.keras",
    ]


def test_several_steps_a_call_train_as_single_ones(tmp_path):
    pytest.importorskip("jax")
    run("steps_per_call.py", tmp_path, KERAS_BACKEND="jax", JAX_PLATFORMS="cpu")
    single, several, cut = (
        dict(np.load(tmp_path / f"{name}.npz", allow_pickle=False)) for name in ("1", "3", "cut")
    )
    # The same steps in another program: sums in another order.
    close = {"rtol": 1e-3, "atol": 1e-5}
    for name, values in single.items():
        np.testing.assert_allclose(several[name], values, err_msg=name, **close)
    for name, values in cut.items():
        np.testing.assert_allclose(single[name], values, err_msg=name, **close)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1), "steps_per_call=0 is too small; at least 1 is allowed"),
        ((2, 1), "steps_per_call=2 works on the JAX backend only; this is tensorflow. Use 1"),
    ],
)
def test_a_number_of_steps_per_call_that_cannot_be_had_is_refused(arguments, message):
    from keras_lwcnn.training.scanning import check_steps_per_call

    with pytest.raises(ValueError, match=message):
        check_steps_per_call(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, "127.0.0.1:1", 0), "processes=1 is too small; allowed is 2 or more"),
        ((2, "127.0.0.1:1", 2), "process_id=2 is out of range; allowed is 0 to 1"),
        ((2, "127.0.0.1", 0), "coordinator='127.0.0.1' has no port; allowed is HOST:PORT"),
        ((2, "127.0.0.1:1", 0), "on the JAX backend .* this is tensorflow"),
    ],
)
def test_joining_wrongly_is_refused(arguments, message):
    from keras_lwcnn.training.distributed import join

    with pytest.raises(ValueError, match=message):
        join(*arguments)
