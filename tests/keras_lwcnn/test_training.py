import json
import resource
import shutil
import warnings

import keras
import numpy as np
import pytest
from small_training import StopAt

from keras_lwcnn.condensation import Condensation, CondensationSchedule, is_condensed
from keras_lwcnn.data import ImageDataset, load_data
from keras_lwcnn.data.dataset import Split
from keras_lwcnn.models import MODELS, CondenseNeXt
from keras_lwcnn.training import AUGMENTATIONS, RECIPES, Recipe, recipe_named, train
from keras_lwcnn.training.augmentation import with_preparation
from keras_lwcnn.training.checkpoint import SETTINGS_FILE, WEIGHTS_FILE, TrainingDiverged
from keras_lwcnn.training.optimization import optimizer_of


def tiny_network(activation=None, classes=10, size=32):
    """Give a small classifier with what a resume has to restore: BN statistics and dropout."""
    return keras.Sequential(
        [
            keras.Input((size, size, 3)),
            keras.layers.Conv2D(8, 3, 4, activation="relu"),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.Dropout(0.1),
            keras.layers.Flatten(),
            keras.layers.Dense(classes, activation=activation),
        ],
        name="tiny",
    )


def condensing_network():
    return CondenseNeXt(
        input_shape=(32, 32, 3),
        classes=10,
        classifier_activation=None,
        stages=(1, 1),
        growth_rates=(8, 16),
        stem_strides=2,
    )


@pytest.fixture(scope="module")
def digits():
    return load_data("digits")


@pytest.fixture(scope="module")
def small(digits):
    """A data set that trains in a moment."""
    cut = Split(digits.train.images[:200], digits.train.labels[:200])
    return ImageDataset("small", cut, digits.val, digits.test, digits.class_names)


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_training_learns_and_leaves_model_and_record(digits, tmp_path, activation):
    recipe = Recipe(epochs=8, learning_rate=1e-2)
    result = train(tiny_network(activation), digits, recipe, tmp_path)
    assert result.history["val_top1"][-1] > 0.8
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.json", "model.keras"]

    record = json.loads((tmp_path / "model.json").read_text())
    assert record == result.to_dict()
    assert record["kind"] == "train"
    assert record["output"] == ("probabilities" if activation else "logits")
    assert len(record["history"]["val_loss"]) == 8

    loaded = keras.saving.load_model(tmp_path / "model.keras")
    scaled = digits.val.images.astype("float32") / 127.5 - 1
    top1 = (loaded.predict(scaled, verbose=0).argmax(-1) == digits.val.labels).mean()
    assert top1 == pytest.approx(record["history"]["val_top1"][-1], abs=1e-6)
    assert top1 == pytest.approx(record["val"]["top1"], abs=1e-6)


def test_a_run_stopped_in_mid_epoch_resumes_to_the_weights_of_an_unbroken_one(
    small, tmp_path, capsys
):
    recipe = Recipe(epochs=4, batch_size=32, label_smoothing=0.1, augmentation="shift_flip")
    start = tiny_network()
    initial = start.get_weights()
    whole = train(start, small, recipe, tmp_path / "whole")

    stopped = tiny_network()
    stopped.set_weights(initial)
    with pytest.raises(KeyboardInterrupt):
        train(stopped, small, recipe, tmp_path / "cut", callbacks=[StopAt(15)])
    assert (tmp_path / "cut" / WEIGHTS_FILE).is_file()
    assert "going on" not in capsys.readouterr().err
    resumed = train(tiny_network(), small, recipe, tmp_path / "cut")
    assert f"going on after epoch 2/4, from {tmp_path / 'cut'}" in capsys.readouterr().err

    assert resumed.history == whole.history
    first, second = (
        keras.saving.load_model(tmp_path / name / "model.keras").get_weights()
        for name in ("whole", "cut")
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not (tmp_path / "cut" / SETTINGS_FILE).exists()


def test_a_checkpoint_of_another_recipe_is_refused(small, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(tiny_network(), small, Recipe(epochs=3), tmp_path, callbacks=[StopAt(5)])
    with pytest.raises(ValueError, match="checkpoint of another run, which differs in recipe"):
        train(tiny_network(), small, Recipe(epochs=4), tmp_path)
    assert (tmp_path / WEIGHTS_FILE).is_file()


@pytest.mark.parametrize("poisoned", [0, 1])
def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_checkpoint(
    small, tmp_path, poisoned
):
    class Poison(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == poisoned:
                self.model.trainable_variables[-1].assign(
                    keras.ops.full_like(self.model.trainable_variables[-1], float("nan"))
                )

    with pytest.raises(TrainingDiverged, match="the loss became nan at step") as caught:
        train(tiny_network(), small, Recipe(epochs=3), tmp_path, callbacks=[Poison()])
    assert not (tmp_path / "model.keras").exists()
    if poisoned:
        assert f"checkpoint of the last whole epoch is in {tmp_path}" in str(caught.value)
        assert len(json.loads((tmp_path / SETTINGS_FILE).read_text())["history"]["loss"]) == 1
    else:
        assert "no epoch was whole before" in str(caught.value)
        assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (dict(classes=7), "10 classes: .None, 10. is needed"),
        (dict(size=48), r"the model takes \(48, 48, 3\), the images of small are \(32, 32, 3\)"),
        (dict(activation="sigmoid"), "the model ends in 'sigmoid'; allowed are softmax and None"),
    ],
)
def test_a_model_that_does_not_fit_the_data_is_refused(small, tmp_path, network, message):
    with pytest.raises(ValueError, match=message):
        train(tiny_network(**network), small, Recipe(), tmp_path)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("epochs", 0),
        ("batch_size", -1),
        ("optimizer", "adagrad"),
        ("schedule", "step"),
        ("warmup", 1.0),
        ("loss", "hinge"),
        ("ema", 1.0),
        ("settle_batches", -1),
        ("precision", "float16"),
        ("pruning_share", 0.0),
        ("group_lasso", -1.0),
        ("learning_rate", 0.0),
        ("weight_decay", -0.1),
        ("augmentation", "mixup"),
        ("label_smoothing", 1.0),
    ],
)
def test_recipe_settings_out_of_range_are_refused_with_their_value(setting, value):
    with pytest.raises(ValueError) as raised:
        Recipe(**{setting: value})
    assert str(value) in str(raised.value) and setting.split("_")[0] in str(raised.value)


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="weight_decay=0.01 does not fit adam.*Take 0"):
        Recipe(optimizer="adam")
    with pytest.raises(
        ValueError,
        match="label_smoothing=0.1 goes with .*cross_entropy; this is class_balanced_focal",
    ):
        Recipe(loss="class_balanced_focal", label_smoothing=0.1)


def test_recipes_by_name_survive_their_dict_and_an_unknown_setting_is_refused():
    for named in RECIPES.values():
        assert named.network in MODELS
        settings = json.loads(json.dumps(named.to_dict()))
        for key in ("kind", "id", "source"):
            del settings[key]
        assert Recipe.from_dict(settings) == named.recipe
    assert recipe_named("ours", "l_mobilenet", "cifar10").recipe.epochs == 200
    assert recipe_named("condensenet/cifar10/published", "x", "y").recipe.learning_rate == 0.1
    with pytest.raises(ValueError, match="no recipe 'l_mobilenet/digits/ours'; there are l_mobil"):
        recipe_named("ours", "l_mobilenet", "digits")
    with pytest.raises(ValueError, match="momentum is no setting of a recipe; allowed are epochs"):
        Recipe.from_dict({"momentum": 0.9})


def learning_rates(recipe, steps):
    optimizer = optimizer_of(recipe, steps)
    optimizer.build([])
    rates = []
    for step in range(steps):
        optimizer.iterations.assign(step)
        rates.append(float(optimizer.learning_rate))
    return np.array(rates)


def test_the_learning_rate_follows_its_schedule():
    cosine = learning_rates(Recipe(learning_rate=0.1, warmup=0.25), 40)
    np.testing.assert_allclose(cosine[:11], np.linspace(0, 0.1, 11), atol=1e-7)
    np.testing.assert_allclose(cosine[25], 0.05, atol=1e-7)
    assert cosine[-1] < 1e-3
    constant = Recipe(schedule="constant", learning_rate=0.1, warmup=0.25)
    np.testing.assert_allclose(learning_rates(constant, 40)[10:], 0.1, atol=1e-7)
    plain = learning_rates(Recipe(schedule="constant", learning_rate=0.1, warmup=0.0), 5)
    np.testing.assert_allclose(plain, 0.1, atol=1e-7)


def test_the_averaged_weights_are_those_that_are_validated_and_saved(small, tmp_path):
    class LastWeights(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.kernel = np.array(self.model.trainable_variables[0])

    last = LastWeights()
    recipe = Recipe(epochs=2, schedule="constant", ema=0.99)
    model = tiny_network()
    result = train(model, small, recipe, tmp_path, callbacks=[last])
    assert result.history["val_loss"][-1] == pytest.approx(result.val["loss"], rel=1e-4)
    assert np.abs(model.trainable_variables[0] - last.kernel).max() > 1e-3


def warned_of(what, data, recipe, out):
    """Train, and return the warnings that name `what`."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(tiny_network(), data, recipe, out, show_progress=False)
    return [str(one.message) for one in caught if what in str(one.message)]


@pytest.mark.parametrize(
    ("epochs", "settle_batches", "warned"), [(1, 0, True), (1, 1, False), (20, 0, False)]
)
def test_too_few_steps_for_moving_averages_are_warned_of(
    small, tmp_path, epochs, settle_batches, warned
):
    """With momentum 0.9, 4 steps leave 66 % of the initial statistics, and 80 steps 0.02 %."""
    recipe = Recipe(epochs=epochs, batch_size=50, settle_batches=settle_batches)
    found = warned_of("batch normalization", small, recipe, tmp_path)
    assert bool(found) == warned
    assert not warned or "4 steps of this training 65.6% of" in found[0]


@pytest.mark.parametrize(("ema", "warned"), [(0.99, True), (0.5, False), (0.0, False)])
def test_too_few_steps_for_averaged_weights_are_warned_of(small, tmp_path, ema, warned):
    """4 steps leave 96 % of the initial weights with 0.99, and 6 % with 0.5; 16 steps none."""
    recipe = Recipe(epochs=4 if ema < 0.9 else 1, batch_size=50, ema=ema)
    found = warned_of("averaged weights", small, recipe, tmp_path)
    assert bool(found) == warned
    assert not warned or "96.1% of the averaged weights" in found[0]
    assert not warned or "take at most 0.316 (--ema 0.316)" in found[0]


def test_statistics_are_settled_over_the_batches_that_are_asked(small, tmp_path):
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.BatchNormalization(momentum=0.99, name="bn")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(10)(x), name="slow")
    recipe = Recipe(epochs=1, batch_size=50, augmentation="none", settle_batches=4)
    train(model, small, recipe, tmp_path)
    scaled = small.train.images.astype("float32") / 127.5 - 1
    maps = np.asarray(model.get_layer("conv")(scaled))
    bn = model.get_layer("bn")
    # Four batches of 50 are all images.
    np.testing.assert_allclose(bn.moving_mean, maps.mean(axis=(0, 1, 2)), rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(bn.moving_variance, maps.var(axis=(0, 1, 2)), rtol=0.1)
    assert bn.momentum == 0.99


def test_mixed_precision_trains_and_saves_a_float32_network(small, tmp_path):
    recipe = Recipe(epochs=6, batch_size=32, learning_rate=1e-2, precision="mixed_bfloat16")
    model = tiny_network()
    result = train(model, small, recipe, tmp_path)
    assert result.history["loss"][-1] < 0.8 * result.history["loss"][0]
    # Validated in bfloat16 while training, in float32 at the end.
    assert result.history["val_loss"][-1] == pytest.approx(result.val["loss"], rel=0.05)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
    scaled = small.val.images.astype("float32") / 127.5 - 1
    top1 = (loaded.predict(scaled, verbose=0).argmax(-1) == small.val.labels).mean()
    assert result.val["top1"] == pytest.approx(top1, abs=1e-6)


def test_mixed_precision_trains_learned_groups_with_a_lasso(small, tmp_path):
    model = condensing_network()
    recipe = Recipe(epochs=2, batch_size=50, precision="mixed_bfloat16", group_lasso=1e-3)
    result = train(model, small, recipe, tmp_path)
    assert result.history["loss"][-1] < result.history["loss"][0]
    assert is_condensed(model)


def test_the_class_balanced_loss_trains(small, tmp_path):
    recipe = Recipe(epochs=6, batch_size=32, learning_rate=1e-2, loss="class_balanced_focal")
    history = train(tiny_network("softmax"), small, recipe, tmp_path).history
    assert history["loss"][-1] < 0.8 * history["loss"][0]


@pytest.mark.parametrize("setting", ["group_lasso=1e-05", "pruning_share=0.4"])
def test_settings_of_learned_groups_are_refused_for_a_network_without(small, tmp_path, setting):
    name, value = setting.split("=")
    with pytest.raises(ValueError, match=f"{setting} is for networks with learned groups"):
        train(tiny_network(), small, Recipe(**{name: float(value)}), tmp_path)


def test_a_disk_without_space_for_a_checkpoint_is_said_before_one_is_begun(
    small, tmp_path, monkeypatch
):
    with pytest.raises(KeyboardInterrupt):
        train(tiny_network(), small, Recipe(epochs=3), tmp_path, callbacks=[StopAt(5)])
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    size = len(files[WEIGHTS_FILE])
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=size - 1))
    with pytest.raises(OSError, match=f"a checkpoint takes [0-9,]+ bytes, {size - 1:,} are free"):
        train(tiny_network(), small, Recipe(epochs=3), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
    monkeypatch.undo()
    assert len(train(tiny_network(), small, Recipe(epochs=3), tmp_path).history["loss"]) == 3


def test_a_full_disk_leaves_the_last_good_checkpoint(small, tmp_path):
    recipe = Recipe(epochs=3)
    with pytest.raises(KeyboardInterrupt):
        train(tiny_network(), small, recipe, tmp_path, callbacks=[StopAt(5)])
    good = (tmp_path / WEIGHTS_FILE).read_bytes()
    # What a full disk does to a process: a file cannot grow any more.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(good) // 2, limits[1]))
    try:
        with pytest.raises(OSError):
            train(tiny_network(), small, recipe, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / WEIGHTS_FILE).read_bytes() == good
    assert not list(tmp_path.glob(".partial*"))
    assert train(tiny_network(), small, recipe, tmp_path).history["loss"]


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_every_augmentation_keeps_pixels_in_their_range(small, augmentation):
    passing = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Identity()])
    model = with_preparation(passing, augmentation, (-1.0, 1.0))
    moved = np.asarray(model(small.train.images[:16], training=True))
    assert moved.min() >= -1 - 1e-5 and moved.max() <= 1 + 1e-5


def test_erasing_makes_a_part_of_every_second_image_grey():
    keras.utils.set_random_seed(0)
    passing = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Identity()])
    model = with_preparation(passing, "shift_flip_erase", (-1.0, 1.0))
    light = np.full((400, 32, 32, 3), 200, np.uint8)
    grey = (np.abs(np.asarray(model(light, training=True))) < 1e-3).all(axis=-1)
    erased = grey.any(axis=(1, 2))
    assert 0.4 < erased.mean() < 0.6
    areas = grey[erased].mean(axis=(1, 2))
    assert areas.min() > 0.01 and areas.max() < 0.35 and 0.13 < areas.mean() < 0.2


def test_augmentation_acts_while_training_only(small):
    passing = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Identity()])
    model = with_preparation(passing, "shift_flip", (-1.0, 1.0))
    pixels = small.train.images[:16]
    plain = keras.ops.convert_to_numpy(model(pixels, training=False))
    np.testing.assert_allclose(plain, pixels / 127.5 - 1, atol=1e-6)
    moved = keras.ops.convert_to_numpy(model(pixels, training=True))
    assert np.abs(moved - plain).max() > 1
    # Each image is shifted for itself, by whole pixels: no new grey values.
    assert set(np.unique(moved.round(4))) <= {*np.unique(plain.round(4)), -1.0}


def test_a_condensed_network_resumes_and_is_recorded_as_it_was_saved(small, tmp_path):
    def condensation():
        return Condensation(CondensationSchedule(total=4))

    recipe = Recipe(epochs=4, batch_size=50)
    with pytest.raises(KeyboardInterrupt):
        train(condensing_network(), small, recipe, tmp_path, callbacks=[condensation(), StopAt(6)])
    model = condensing_network()
    # The schedule that the recipe describes is the one that the first call was given.
    result = train(model, small, recipe, tmp_path)
    assert is_condensed(model)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert is_condensed(loaded)
    scaled = small.val.images.astype("float32") / 127.5 - 1
    top1 = (loaded.predict(scaled, verbose=0).argmax(-1) == small.val.labels).mean()
    assert top1 == pytest.approx(result.val["top1"], abs=1e-6)
