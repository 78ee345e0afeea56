"""What can go wrong that is not the model's fault; every message is one line with a way out."""


class DeviceError(RuntimeError):
    """The device is at fault: it cannot be reached, or the run there crashed, hung or was cut."""


class ConnectionLost(DeviceError):
    """The connection to the device broke while a command ran on it."""


class ToolMissing(DeviceError):
    """A program is not installed; the message names the Debian package that has it.

    Args:
        program: its name.
        package: the Debian package.
        purpose: what it does, as a verb with its object ("builds the ARM runner").
    """

    def __init__(self, program: str, package: str, purpose: str) -> None:
        super().__init__(
            f"{program}, which {purpose}, is not installed. Install the system's package "
            f"'{package}' (apt-get install {package})"
        )
        self.program, self.package = program, package


class ProfilerUnavailable(DeviceError):
    """This LiteRT has no profiler that we know; measuring works without it."""
