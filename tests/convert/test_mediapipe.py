"""Our files in the image classifier of MediaPipe Tasks, as apps on phones open them."""

import json
import os
import subprocess
import sys
from ctypes.util import find_library

import keras
import numpy as np
import pytest

from android_bench.worker import open_interpreter
from convert import to_tflites
from keras_lwcnn.data import load_data, scale_images

REQUIREMENT = "mediapipe>=1.2,<1.3"
LIBRARIES = {"EGL": "libegl1", "GLESv2": "libgles2"}
"""What MediaPipe needs of a Linux system, and the packages that have it."""
IMAGES = 100
LEAD = 1e-4
"""Two best scores that lie nearer together tie: float rounding may turn their order."""

CLASSIFY = """
import json, sys
import mediapipe, numpy as np
from mediapipe.tasks.python import BaseOptions, vision
answer = {}
for path in sys.argv[2:]:
    options = vision.ImageClassifierOptions(BaseOptions(model_asset_path=path), max_results=1)
    with vision.ImageClassifier.create_from_options(options) as classifier:
        results = [
            classifier.classify(mediapipe.Image(mediapipe.ImageFormat.SRGB, pixels))
            for pixels in np.load(sys.argv[1])
        ]
    best = [result.classifications[0].categories[0] for result in results]
    answer[path] = [(found.index, found.category_name, found.score) for found in best]
print(json.dumps(answer))
"""


@pytest.fixture(scope="module")
def mediapipe_python(pytestconfig):
    """Python of a virtual environment with MediaPipe, whose absl-py is not TensorFlow's."""
    if sys.platform == "linux":
        missing = [package for name, package in LIBRARIES.items() if not find_library(name)]
        if missing:
            unavailable(f"needs the packages {', '.join(missing)}")
    folder = pytestconfig.cache.mkdir("mediapipe")
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    # Both are done at once when an earlier run did them.
    for words in ([sys.executable, "-m", "venv", folder],
                  [python, "-m", "pip", "install", "--quiet", REQUIREMENT]):  # fmt: skip
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr or done.stdout).strip().splitlines()[-1]
            unavailable(f"{REQUIREMENT} cannot be installed here: {reason}")
    return python


def unavailable(reason):
    """Skip the test, or fail it in CI, where everything has to run."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="module")
def data():
    """CIFAR-10 where real images are given, else digits: 32 px."""
    return load_data("cifar10" if os.environ.get("LWCNN_DATA") else "digits")


@pytest.fixture(scope="module")
def files(data, tmp_path_factory):
    """Mode -> file of a small network that has seen the training images once."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(data.test.images.shape[1:]),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(len(data.class_names), activation="softmax"),
        ]
    )
    images = scale_images(data.train.images[:5000], (-1, 1))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(images, data.train.labels[:5000], batch_size=32, epochs=3, verbose=0)
    folder = tmp_path_factory.mktemp("mediapipe")
    paths = {mode: folder / f"{mode}.tflite" for mode in ("float32", "int8_uint8")}
    to_tflites(
        model,
        list(paths),
        images[:100],
        paths=paths,
        input_range=(-1, 1),
        class_names=data.class_names,
    )
    return paths


def scores_of(path, pixels):
    """Run a file on raw pixels: uint8 inputs take them as they are, float ones in [-1, 1]."""
    interpreter = open_interpreter(path)
    source, target = (
        details[0]
        for details in (interpreter.get_input_details(), interpreter.get_output_details())
    )
    raw = source["dtype"] is np.uint8
    scores = []
    for image in pixels if raw else scale_images(pixels, (-1, 1)):
        interpreter.set_tensor(source["index"], image[None])
        interpreter.invoke()
        scores.append(interpreter.get_tensor(target["index"])[0].astype(np.float64))
    scale, zero_point = target["quantization"] if raw else (1, 0)
    return (np.array(scores) - zero_point) * scale


def test_mediapipe_names_the_class_that_our_interpreter_names(
    mediapipe_python, files, data, tmp_path
):
    pixels = data.test.images[:IMAGES]
    np.save(tmp_path / "pixels.npy", pixels)
    # -I: nothing of this environment's path.
    done = subprocess.run(
        [mediapipe_python, "-I", "-c", CLASSIFY, tmp_path / "pixels.npy", *files.values()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    for mode, path in files.items():
        index, name, score = map(np.array, zip(*answers[str(path)], strict=True))
        scores = scores_of(path, pixels)
        np.testing.assert_allclose(score, scores.max(axis=1), atol=LEAD, err_msg=mode)
        ordered = np.sort(scores, axis=1)
        decided = ordered[:, -1] - ordered[:, -2] > LEAD
        assert decided.mean() > 0.8
        assert len(set(index[decided])) > 2
        np.testing.assert_array_equal(index[decided], scores.argmax(axis=1)[decided], mode)
        assert (name == np.array(data.class_names)[index]).all()
