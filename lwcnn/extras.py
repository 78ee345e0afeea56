"""What of the package is installed: the base measures, each extra brings further verbs."""

from importlib.util import find_spec

EXTRAS = {
    "report": ("jinja2", "matplotlib", "PIL"),
    "train": ("keras", "PIL", "psutil", "sklearn"),
    "convert": ("keras", "tensorflow", "ai_edge_quantizer", "PIL", "scipy", "sklearn"),
    "optimize": ("tensorflow_model_optimization", "tf_keras"),
}
"""Extra of setup.cfg -> the modules that tell that it is installed."""


class ExtraMissing(ValueError):
    """An extra of the package is not installed; the message says how to install it."""


def check_extra(name: str, what: str) -> None:
    """Check that an extra is installed, without importing any of it.

    Args:
        name: one of `EXTRAS`.
        what: what needs it, for the message.

    Raises:
        ExtraMissing: a module of the extra cannot be found.
    """
    missing = [module for module in EXTRAS[name] if find_spec(module) is None]
    if missing:
        raise ExtraMissing(
            f"{what} needs the extra {name!r}, of which {', '.join(missing)} cannot be found. "
            f"Run: pip install 'keras-lwcnn[{name}]'"
        )
