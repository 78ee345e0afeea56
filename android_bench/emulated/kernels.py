"""Naming the code of the stripped libLiteRt.so by the symbols of its sibling in the same wheel.

The wheel holds XNNPACK twice, compiled from the same sources in the same way: in libLiteRt.so,
which has no symbols, and in the library under LiteRT's Python interpreter, which has all of them. A
function's instructions are the same in both except for addresses, so every named function is
searched for in the stripped library with its addresses masked out. What matches nowhere, or is too
short to be distinguished, stays without a name; nothing is guessed. The method is our own design.
"""

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from android_bench.emulated.elf import Elf, Function
from android_bench.files import write_whole

_LEAST_WORDS = 6  # too many of the shorter functions are the same


def without_addresses(words: np.ndarray) -> np.ndarray:
    """Mask the parts of AArch64 instructions that depend on where code and data lie.

    These are the distances of `adr` and `adrp`, with the offset of an `add`, load or store that
    follows within eight instructions and builds on that register, and the targets of `b` and `bl`.
    """
    masked = words.copy()
    pages = (words & 0x1F000000) == 0x10000000
    masked[pages] &= 0x9F00001F
    masked[(words & 0x7C000000) == 0x14000000] &= 0xFC000000
    offsets = ((words & 0xFFC00000) == 0x91000000) | ((words & 0x3B000000) == 0x39000000)
    target, base = words & 31, words >> 5 & 31
    for k in range(1, 9):
        follows = pages[:-k] & offsets[k:] & (target[:-k] == base[k:])
        masked[k:][follows] &= 0xFFC003FF
    return masked


def name_functions(named: Elf, stripped: Elf) -> list[Function]:
    """Find the functions of one library in another that has the same code without symbols.

    Args:
        named: the library with symbols.
        stripped: the library without.

    Returns:
        The functions of `stripped` that could be named, sorted by address. Where several functions
        are the same instruction for instruction, they are named in the order of both libraries, or,
        when one library has more of them than the other, all by the first one's name.
    """
    (named_start, named_words), (start, words) = named.code(), stripped.code()
    source, code = without_addresses(named_words), without_addresses(words)
    keys = _rolling_hash(code)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    source_keys = _rolling_hash(source)

    alike = defaultdict(list)
    for function in named.functions():
        first, count = (function.address - named_start) // 4, function.size // 4
        if first >= 0 and first + count <= len(source) and count >= _LEAST_WORDS:
            alike[source[first : first + count].tobytes()].append((first, function))
    functions = {}
    for members in alike.values():
        first, function = members[0]
        count = function.size // 4
        low = np.searchsorted(keys, source_keys[first], "left")
        high = np.searchsorted(keys, source_keys[first], "right")
        places = [
            int(place)
            for place in order[low:high]
            if np.array_equal(code[place : place + count], source[first : first + count])
        ]
        if len(members) == len(places):
            names = [member.name for _, member in members]
        else:
            names = [function.name] * len(places)
        for place, name in zip(places, names, strict=True):
            address = start + 4 * place
            if address not in functions or functions[address].size < function.size:
                functions[address] = Function(name, address, function.size)
    return [functions[address] for address in sorted(functions)]


def _rolling_hash(words: np.ndarray) -> np.ndarray:
    """Hash the `_LEAST_WORDS` words from each position on."""
    count = len(words) - _LEAST_WORDS + 1
    hashes = np.zeros(count, np.uint64)
    for i in range(_LEAST_WORDS):
        hashes = hashes * np.uint64(6364136223846793005) + words[i : i + count]
    return hashes


@dataclass(frozen=True)
class SymbolTable:
    """The functions of one library, by offset in its file.

    Args:
        library: the file's name.
        starts: offsets, sorted.
        sizes: in bytes.
        names: of the functions.
    """

    library: str
    starts: tuple[int, ...] = field(repr=False)
    sizes: tuple[int, ...] = field(repr=False)
    names: tuple[str, ...] = field(repr=False)

    @classmethod
    def of(cls, library: str, functions: Iterable[Function], base: int) -> "SymbolTable":
        """Make a table from functions by address; `base` is `Elf.base()`."""
        rows = sorted((f.address - base, f.size, f.name) for f in functions)
        columns = tuple(zip(*rows, strict=True)) if rows else ((), (), ())
        return cls(library, *columns)

    def find(self, offset: int) -> str | None:
        """Return the name of the function that an offset lies in, or None."""
        index = bisect_right(self.starts, offset) - 1
        if index < 0 or offset >= self.starts[index] + self.sizes[index]:
            return None
        return self.names[index]

    def save(self, path: Path) -> Path:
        """Write the table as JSON."""
        value = {"library": self.library, "starts": self.starts, "sizes": self.sizes}
        return write_whole(path, json.dumps(value | {"names": self.names}).encode())

    @classmethod
    def load(cls, path: Path) -> "SymbolTable":
        """Read a table that `save` wrote."""
        value = json.loads(path.read_bytes())
        return cls(value["library"], *(tuple(value[key]) for key in ("starts", "sizes", "names")))
