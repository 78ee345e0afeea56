"""The ARM cores that are emulated, and the files by which software recognises them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Core:
    """One core.

    Args:
        name: as in a device's name, and QEMU's `-cpu` where QEMU has the core.
        title: as rows name it.
        part: Arm's part number. XNNPACK chooses kernels by it, so it must fit the core.
        variant: the major revision.
        stand_in: the `-cpu` with the same instruction set for a QEMU without this core.
        features: of /proc/cpuinfo, as Linux writes them.
    """

    name: str
    title: str
    part: int
    variant: int = 0
    stand_in: str | None = None
    features: str = "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"

    def cpuinfo(self) -> str:
        """Return /proc/cpuinfo of a machine with one such core."""
        return (
            "processor\t: 0\n"
            "BogoMIPS\t: 100.00\n"
            f"Features\t: {self.features}\n"
            "CPU implementer\t: 0x41\n"
            "CPU architecture: 8\n"
            f"CPU variant\t: {self.variant:#x}\n"
            f"CPU part\t: {self.part:#x}\n"
            "CPU revision\t: 1\n\n"
        )


_V82 = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc asimddp"
)

#: By name. "max" is not here: some versions of QEMU compute wrong int8 results with it.
CORES = {
    core.name: core
    for core in (
        Core("cortex-a53", "Cortex-A53", 0xD03),
        Core("cortex-a55", "Cortex-A55", 0xD05, 2, "cortex-a76", _V82),
        Core("cortex-a72", "Cortex-A72", 0xD08),
        Core("cortex-a76", "Cortex-A76", 0xD0B, features=_V82),
        Core("neoverse-n1", "Neoverse-N1", 0xD0C, features=_V82),
    )
}


def find_core(name: str) -> Core:
    """Return a core by its name.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in CORES:
        raise ValueError(f"core={name!r} is unknown; allowed are {', '.join(CORES)}")
    return CORES[name]
