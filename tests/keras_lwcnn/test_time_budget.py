import json

import keras
import pytest
from small_training import StopAt, network, noise

from keras_lwcnn.training import Recipe, pace, train
from keras_lwcnn.training.pace import Pace, measured_pace, seconds_of
from keras_lwcnn.training.running import Plan


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("90s", 90), ("8m", 480), ("1h", 3600), ("1h30m", 5400), ("0.5m", 30), (75, 75), ("75", 75)],
)
def test_durations_are_seconds_or_have_units(duration, seconds):
    assert seconds_of(duration) == seconds


@pytest.mark.parametrize("duration", ["8 minutes", "m", "-5", 0, "8m5", "nan", "inf", ""])
def test_what_is_no_duration_is_refused(duration):
    with pytest.raises(ValueError, match="is no duration; a number of seconds, or one with a unit"):
        seconds_of(duration)


def test_epochs_leave_time_for_the_start_the_validation_and_a_margin():
    paced = Pace(start_s=10.0, epoch_s=8.0, validation_s=2.0, images_per_s=100.0)
    assert paced.epochs_in(112.0 / 0.95) == 10
    assert paced.epochs_in(12.0) == 0
    assert paced.epochs_in(1.0) == 0


@pytest.fixture
def paced(monkeypatch):
    """Stand for a machine on which an epoch takes 10 s."""
    calls = []

    def measured(plan):
        calls.append(plan.model.name)
        return Pace(start_s=1.0, epoch_s=9.0, validation_s=1.0, images_per_s=11.1)

    monkeypatch.setattr(pace, "measured_pace", measured)
    return calls


def test_a_time_sets_the_epochs_and_the_record_says_so(paced, tmp_path, capsys):
    recipe = Recipe(epochs=99, batch_size=25, settle_batches=2)
    result = train(network(), noise(100), recipe, tmp_path, time_budget="36s")
    assert result.recipe["epochs"] == 3 == len(result.history["loss"])
    assert result.time_budget == {"seconds": 36.0, "epochs": 3, "images_per_s": 11.1}
    assert json.loads((tmp_path / "model.json").read_text())["time_budget"] == result.time_budget
    said = capsys.readouterr().err
    assert "3 epochs of small fit into 36 s at 11.1 images per second" in said


def test_a_run_that_goes_on_keeps_its_epochs_and_measures_nothing(paced, tmp_path):
    recipe = Recipe(batch_size=25, settle_batches=2)
    with pytest.raises(KeyboardInterrupt):
        train(network(), noise(100), recipe, tmp_path, time_budget=36, callbacks=[StopAt(6)])
    result = train(network(), noise(100), recipe, tmp_path, time_budget=36)
    assert result.recipe["epochs"] == 3
    assert len(paced) == 1


def test_another_time_for_an_unfinished_run_is_refused(paced, tmp_path):
    recipe = Recipe(batch_size=25, settle_batches=2)
    with pytest.raises(KeyboardInterrupt):
        train(network(), noise(100), recipe, tmp_path, time_budget=36, callbacks=[StopAt(6)])
    with pytest.raises(ValueError, match="checkpoint of another run, which differs in .*epochs"):
        train(network(), noise(100), recipe, tmp_path, time_budget=60)


def test_a_time_that_is_too_short_for_an_epoch_is_refused_before_training(paced, tmp_path):
    message = "time_budget=5 s is too short for one epoch of small, which takes 9 s here; at least "
    with pytest.raises(ValueError, match=message):
        train(network(), noise(100), Recipe(batch_size=25), tmp_path, time_budget=5)
    assert not any(tmp_path.iterdir())


def test_the_pace_is_measured_without_changing_the_model():
    model = network(keras.layers.Dropout(0.1))
    before = model.get_weights()
    plan = Plan(model, noise(100), Recipe(batch_size=5, settle_batches=2), "logits")
    measured = measured_pace(plan)
    assert min(measured.start_s, measured.epoch_s, measured.validation_s) > 0
    assert measured.images_per_s == pytest.approx(100 / measured.epoch_s)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_validation_images_can_be_trained_on_too(tmp_path):
    result = train(
        network(), noise(100), Recipe(epochs=1, batch_size=200, settle_batches=1), tmp_path,
        all_images=True,
    )  # fmt: skip
    assert result.all_images
    assert json.loads((tmp_path / "model.json").read_text())["all_images"] is True


def test_checkpoints_are_written_no_oftener_than_asked(tmp_path):
    recipe = Recipe(epochs=2, batch_size=25, settle_batches=1)
    with pytest.raises(KeyboardInterrupt):
        train(network(), noise(100), recipe, tmp_path, callbacks=[StopAt(6)],
              checkpoint_seconds=3600)  # fmt: skip
    assert not any(tmp_path.iterdir())
    with pytest.raises(ValueError, match="checkpoint_seconds=-1 is below 0; 0 .* or more"):
        train(network(), noise(100), recipe, tmp_path, checkpoint_seconds=-1)
