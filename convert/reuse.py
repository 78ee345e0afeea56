"""Files of an earlier conversion that a new one would only write again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convert.modes import mode_named
from convert.options import ConversionOptions
from convert.source.calibration import Calibration, check_calibration
from convert.source.keras_file import sha256
from convert.tflite.sidecar import read_sidecar

WITHOUT_EFFECT = ("description", "author", "license", "minimum_images", "verify")
"""Options that change nothing of what a file computes."""


def reusable(
    model_file: str | Path,
    paths: Mapping[str, str | Path],
    calibration: Calibration | None,
    options: ConversionOptions,
) -> dict[str, dict[str, Any]]:
    """Find the files that come from this very model, these images and these options.

    Files without a valid sidecar and those of another model, such as this one before it was trained
    on, are left out.

    Args:
        model_file: the `.keras` file.
        paths: mode -> where its file would be written.
        calibration: images for the calibrated modes.
        options: of the conversion.

    Returns:
        mode -> sidecar of each file that can be used again.

    Raises:
        ValueError: a file comes from this model with other images or options, so that to write over
            it would lose what was asked for before.
    """
    digest = sha256(model_file)
    images = None if calibration is None else check_calibration(calibration, None).facts["sha256"]
    asked = json.loads(json.dumps(options.to_dict()))
    found = {}
    for mode, path in paths.items():
        try:
            facts = read_sidecar(path)
        except (FileNotFoundError, ValueError):
            continue
        if facts.get("model_sha256") != digest:
            continue
        other = [
            f"{name}={facts['options'][name]!r}, not {value!r}"
            for name, value in asked.items()
            if facts["options"].get(name, value) != value and name not in WITHOUT_EFFECT
        ]
        if mode_named(mode).calibrated and facts["calibration"]["sha256"] != images:
            other.append("other calibration images")
        if other:
            raise ValueError(
                f"{path} was made from this model with {'; '.join(other)}. Use it as it is, or "
                "convert to another folder"
            )
        found[mode] = facts
    return found
