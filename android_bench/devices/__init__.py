"""Devices by name: each is a transport, with few verbs (push, run, pull, facts, close)."""

import re
from typing import Any

from android_bench.devices.local import Completed
from android_bench.interfaces import Device

__all__ = ["Completed", "DEVICES", "Device", "open_device"]

#: The allowed forms of a device's name.
DEVICES = (
    "host",
    "ssh:[user@]host[:port]",
    "adb[:serial]",
    "emulated:cortex-a53|cortex-a55|cortex-a72|cortex-a76|neoverse-n1",
)


def open_device(name: str, **settings: Any) -> Device:
    """Open a device by its name.

    Args:
        name: one of the forms in `DEVICES`.
        **settings: what the device's class takes beside its address.

    Returns:
        The device, ready for use; close it, or use it as a context manager.

    Raises:
        ValueError: the name has none of the allowed forms.
        DeviceError: the device cannot be reached.
    """
    # Each device is imported on use: emulated cores load numpy, which `--help` does without.
    kind, colon, address = name.partition(":")
    if name == "host":
        from android_bench.devices.host import Host

        return Host(**settings)
    if kind == "ssh" and re.fullmatch(r"([^@\s]+@)?[^@\s]+", address):
        from android_bench.devices.ssh import SSH

        return SSH(address, **settings)
    if kind == "adb" and bool(colon) == bool(address):
        from android_bench.devices.adb import ADB

        return ADB(address or None, **settings)
    if kind == "emulated" and address:
        from android_bench.devices.emulated import Emulated

        return Emulated(address, **settings)
    raise ValueError(f"device={name!r} is unknown; allowed are {', '.join(DEVICES)}")
