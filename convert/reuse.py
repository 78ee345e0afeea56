"""Files of an earlier conversion that need not be written again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convert.modes import mode_named
from convert.options import ConversionOptions
from convert.source.calibration import Calibration, check_calibration
from convert.source.keras_file import sha256
from convert.tflite.sidecar import Sidecar

WITHOUT_EFFECT = ("description", "author", "license", "minimum_images", "verify")
"""Options that do not change what a file computes."""


def reusable(
    model_file: str | Path,
    paths: Mapping[str, str | Path],
    calibration: Calibration | None,
    options: ConversionOptions,
) -> dict[str, Sidecar]:
    """Find the files that come from this very model, these images and these options.

    Files without a valid sidecar are left out, and so are those of another model, such as this one
    before it was trained further.

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
    images = None
    if calibration is not None:
        checked = check_calibration(calibration, None, minimum=options.minimum_images)
        images = checked.facts["sha256"]
    options_now = json.loads(json.dumps(options.to_dict()))
    sidecars = {}
    for mode, path in paths.items():
        try:
            sidecar = Sidecar.read(path)
        except (FileNotFoundError, ValueError):
            continue
        if sidecar.model_sha256 != digest:
            continue
        other = _other_options(sidecar.options or {}, options_now)
        if mode_named(mode).calibrated and (sidecar.calibration or {}).get("sha256") != images:
            other.append("other calibration images")
        if other:
            raise ValueError(
                f"{path} was made from this model with {'; '.join(other)}. Use it as it is, or "
                "convert to another folder"
            )
        sidecars[mode] = sidecar
    return sidecars


def _other_options(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Say which options differ; those that did not exist yet had their present default."""
    return [
        f"{name}={before[name]!r}, not {value!r}"
        for name, value in now.items()
        if before.get(name, value) != value and name not in WITHOUT_EFFECT
    ]
