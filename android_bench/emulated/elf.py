"""Just enough of the ELF format (64 bits, little-endian) to read code and its symbols."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

_SECTION = np.dtype(
    "u4, u4, u8, u8, u8, u8, u4, u4, u8, u8"
)  # name, type, flags, address, offset, size, link, info, alignment, entry size
_SYMBOL = np.dtype("u4, u1, u1, u2, u8, u8")  # name, info, other, section, address, size
_SYMTAB, _DYNSYM, _FUNCTION, _EXECUTABLE = 2, 11, 2, 4


@dataclass(frozen=True)
class Function:
    """A function as the symbol table has it; the address is relative to the file's base."""

    name: str
    address: int
    size: int


class Elf:
    """An ELF file, read whole.

    Args:
        path: the file.

    Raises:
        ValueError: it is no 64-bit little-endian ELF file.
    """

    def __init__(self, path: Path) -> None:
        self.content = path.read_bytes()
        if self.content[:6] != b"\x7fELF\x02\x01":
            raise ValueError(
                f"{path} is no 64-bit little-endian ELF file: it starts with {self.content[:6]!r}"
            )
        offset = int.from_bytes(self.content[40:48], "little")
        count = int.from_bytes(self.content[60:62], "little")
        self.sections = np.frombuffer(self.content, _SECTION, count, offset)

    def code(self) -> tuple[int, np.ndarray]:
        """Return address and 32-bit words of the largest executable section."""
        executable = [s for s in self.sections if int(s["f2"]) & _EXECUTABLE]
        text = max(executable, key=lambda section: int(section["f5"]))
        words = np.frombuffer(self.content, "<u4", int(text["f5"]) // 4, int(text["f4"]))
        return int(text["f3"]), words

    def functions(self) -> list[Function]:
        """Return the defined functions of the symbol tables, sorted by address."""
        functions = {}
        for section in self.sections:
            if section["f1"] not in (_SYMTAB, _DYNSYM):
                continue
            count = int(section["f5"]) // _SYMBOL.itemsize
            names = int(self.sections[int(section["f6"])]["f4"])
            for symbol in np.frombuffer(self.content, _SYMBOL, count, int(section["f4"])):
                if symbol["f1"] & 15 != _FUNCTION or not symbol["f3"] or not symbol["f5"]:
                    continue
                start = names + int(symbol["f0"])
                name = self.content[start : self.content.index(b"\0", start)].decode()
                functions[name] = Function(name, int(symbol["f4"]), int(symbol["f5"]))
        return sorted(functions.values(), key=lambda function: (function.address, function.name))

    def base(self) -> int:
        """Return what to subtract from an address of the code to get its offset in the file."""
        address, _ = self.code()
        section = next(s for s in self.sections if int(s["f3"]) == address)
        return address - int(section["f4"])
