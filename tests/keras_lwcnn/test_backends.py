"""One fit step, saving and loading on the backends other than the suite's own."""

import importlib.util
import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys, tempfile, pathlib
import keras, numpy as np
import keras_lwcnn
from keras_lwcnn.data import ImageDataset, load_data
from keras_lwcnn.data.dataset import Split
from keras_lwcnn.training import Recipe, train
from keras_lwcnn.training.settling import settle_statistics

assert keras.backend.backend() == sys.argv[1]
digits = load_data("digits")
cut = Split(digits.train.images[:32], digits.train.labels[:32])
small = ImageDataset("small", cut, cut, cut, digits.class_names)
# Small members of the families: what is tried is the backend, and compiling takes its time there.
networks = {
    "l_mobilenet": dict(stages=((16, 1),), strides=(2, 2)),
    "condensenext": dict(stages=(1, 1), growth_rates=(8, 16)),
}
for name, arguments in networks.items():
    model = keras_lwcnn.build(
        name, input_shape=(32, 32, 3), classes=10, classifier_activation=None, **arguments
    )
    before = [np.array(w) for w in model.get_weights()]
    with tempfile.TemporaryDirectory() as out:
        recipe = Recipe(epochs=1, batch_size=32, ema=0.5, schedule="constant")
        result = train(model, small, recipe, out)
        loaded = keras.saving.load_model(pathlib.Path(out) / "model.keras")
    # Validated with the averaged weights, which are those that stay. Condensing the classifier
    # changes the network after the last validation.
    if name != "condensenext":
        np.testing.assert_allclose(result.history["val_loss"][-1], result.val["loss"], rtol=1e-4)
    assert any((a != b).any() for a, b in zip(before, model.get_weights()))
    x = small.train.images[:4].astype("float32") / 127.5 - 1
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-5
    )
    settle_statistics(model, [x[:2], x[2:]])
    maps = keras.ops.convert_to_numpy(model.get_layer("stem_conv")(x))
    first = next(layer for layer in model.layers if hasattr(layer, "moving_mean"))
    moving_mean = keras.ops.convert_to_numpy(first.moving_mean)
    np.testing.assert_allclose(moving_mean, maps.mean((0, 1, 2)), atol=1e-5)
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_networks_fit_save_and_load(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, backend],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]


INITIAL = """
import keras, numpy as np
from keras_lwcnn.models import build

assert keras.backend.backend() == "jax"
compiled = []
from jax import monitoring
monitoring.register_event_duration_secs_listener(
    lambda name, seconds, **_: compiled.append(name) if "backend_compile" in name else None
)

def weights(seed):
    keras.utils.set_random_seed(seed)
    return build("l_mobilenet", classifier_activation=None, weights=None).get_weights()

one, same, other = weights(3), weights(3), weights(4)
for a, b in zip(one, same):
    np.testing.assert_array_equal(a, b)
kernels = [(a, b) for a, b in zip(one, other) if a.ndim == 4]
assert len(kernels) == 49 and not any((a == b).any() for a, b in kernels)
largest = max((a for a, _ in kernels), key=lambda kernel: kernel.size)
# He's initialization: a normal distribution cut at two of its own standard deviations.
stddev = np.sqrt(2 / np.prod(largest.shape[:-1]))
np.testing.assert_allclose(largest.std(), stddev, rtol=0.02)
assert np.abs(largest).max() <= 2 * stddev / 0.8796 + 1e-6
# A network has some 90 arrays of as many shapes; what is compiled are zeros and ones.
assert len(compiled) < 60, len(compiled)
"""


def test_initial_weights_are_drawn_on_jax_without_a_compilation_for_each_kernel():
    if importlib.util.find_spec("jax") is None:
        pytest.skip("jax is not installed")
    done = subprocess.run(
        [sys.executable, "-c", INITIAL],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
