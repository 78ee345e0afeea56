import keras
import numpy as np
import pytest

CLASSES = 7


@pytest.fixture(scope="session")
def images():
    """Smooth random pictures in [-1, 1], each different."""
    random = np.random.RandomState(0)
    coarse = random.uniform(-1, 1, (120, 8, 8, 3)).astype(np.float32)
    return np.clip(coarse.repeat(3, axis=1).repeat(3, axis=2) * 1.5, -1, 1)


@pytest.fixture(scope="session")
def labels(images):
    """Seven classes that the mean colour decides, so that a small model can learn them."""
    means = images.mean(axis=(1, 2)) @ np.array([1.0, 2.0, 4.0])
    return np.digitize(means, np.quantile(means, np.arange(1, CLASSES) / CLASSES))


def build(classes=CLASSES, activation="softmax", name="small"):
    layers = keras.layers
    inputs = x = keras.Input((24, 24, 3), name="pixels")
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="stem_conv")(x)
    x = layers.BatchNormalization(name="stem_bn", momentum=0.9)(x)
    x = layers.ReLU(name="stem_relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(x)
    x = layers.BatchNormalization(name="depthwise_bn", momentum=0.9)(x)
    x = layers.ReLU(name="depthwise_relu")(x)
    x = layers.Conv2D(16, 1, name="pointwise")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    outputs = layers.Dense(classes, activation=activation, name="predictions")(x)
    return keras.Model(inputs, outputs, name=name)


@pytest.fixture(scope="session")
def build_model():
    return build


@pytest.fixture(scope="session")
def model(images, labels):
    """A small trained classifier."""
    keras.utils.set_random_seed(0)
    made = build()
    made.compile(keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    made.fit(images, labels, batch_size=24, epochs=20, verbose=0)
    return made


@pytest.fixture(scope="session")
def files(model, images, tmp_path_factory):
    """Mode -> path of the small model's file, as logits."""
    from convert import MODES, to_tflites

    folder = tmp_path_factory.mktemp("files")
    paths = {mode: folder / f"{mode}.tflite" for mode in MODES}
    to_tflites(model, list(MODES), images, paths=paths, input_range=(-1.0, 1.0), output="logits")
    return paths
