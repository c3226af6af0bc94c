"""What a compiled program does, read from XLA's text of it: kernels, copies, bytes and operations.

Every loop counts as often as it runs. Counted are what is launched and what each launch reads and
writes; a fusion reads of an operand only the part that it slices, and writes of an array that it
updates only the update. Shapes are as they lie in memory, padded to the tiles of a TPU.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cache, partial
from typing import Self

BITS = {"pred": 8, "bf16": 16}
FREE = {
    "parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "opt-barrier",
    "partition-id", "replica-id", "domain", "add-dependency",
}  # fmt: skip
MOVES = FREE | {
    "broadcast", "reshape", "transpose", "slice", "concatenate", "pad", "dynamic-slice", "gather",
    "dynamic-update-slice", "iota", "convert", "copy", "copy-start", "fusion", "reverse", "call",
}  # fmt: skip
COLLECTIVES = {
    "all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute",
    "collective-broadcast",
}  # fmt: skip
SLICES = ("dynamic-slice", "slice", "gather")
UPDATES = {"dynamic-update-slice": 1, "scatter": 2}
"""What replaces a part of its first operand, and which operand the part is."""
SHAPE = re.compile(
    r"([a-z]+[0-9]*[a-z0-9]*)\[([0-9,]*)\](?:\{([0-9,]*)(?::T\((\d+)(?:,(\d+))?\))?)?"
)
LINE = re.compile(r"^\s+(ROOT )?%?([\w.\-]+) = (.*)$")
HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")


@dataclass(frozen=True)
class Instruction:
    """One line of a computation."""

    name: str
    shape: str
    opcode: str
    operands: tuple[str, ...]
    rest: str  # its attributes

    def called(self, attribute: str) -> list[str]:
        """Names of computations that an attribute holds."""
        found = re.search(rf"\b{attribute}=\{{?(%?[\w.\-]+(?:, ?%[\w.\-]+)*)", self.rest)
        return [each.strip(" %") for each in found[1].split(",")] if found else []


@dataclass
class Computation:
    """Its instructions by name, in order."""

    lines: dict[str, Instruction] = field(default_factory=dict)
    root: str = ""

    def users(self, name: str) -> list[Instruction]:
        return [line for line in self.lines.values() if name in line.operands]

    def operand(self, line: Instruction, at: int) -> Instruction:
        return self.lines[line.operands[at]]


@dataclass(frozen=True)
class Counts:
    """Of a program, or of a part of it."""

    kernels: float = 0
    copies: float = 0
    collectives: float = 0
    bytes: float = 0
    flops: float = 0

    def __add__(self, other: Self) -> "Counts":
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def times(self, often: float) -> "Counts":
        return Counts(*(often * getattr(self, f.name) for f in fields(self)))

    @property
    def launches(self) -> float:
        return self.kernels + self.copies + self.collectives


def counts_of(text: str) -> Counts:
    """Of a whole program, on one of its devices."""
    computations, entry = parsed(text)

    @cache
    def of(name: str) -> Counts:
        inside = computations[name]
        every = (_counts(line, inside, computations, of) for line in inside.lines.values())
        return sum(every, Counts())

    return of(entry)


def parsed(text: str) -> tuple[dict[str, Computation], str]:
    """The computations by name, and the name of the one that is run."""
    computations: dict[str, Computation] = {}
    entry, now = "", Computation()
    for line in text.splitlines():
        if head := HEAD.match(line):
            now = computations[head[2]] = Computation()
            entry = head[2] if head[1] else entry
        elif found := LINE.match(line):
            instruction = _instruction(found[2], found[3])
            now.lines[instruction.name] = instruction
            now.root = instruction.name if found[1] else now.root
    return computations, entry


def size_of(shape: str, padded: bool = True) -> int:
    """Bytes of an array or of a tuple of them."""
    found = SHAPE.findall(shape)
    return sum(_elements(each, padded) * _bits(each[0]) // 8 for each in found)


def elements_of(shape: str) -> int:
    """Numbers in an array or in a tuple of them."""
    return sum(_elements(each, padded=False) for each in SHAPE.findall(shape))


def _instruction(name: str, text: str) -> Instruction:
    shape, text = _until_closed(text) if text.startswith("(") else text.split(" ", 1)
    opcode, text = text.strip().split("(", 1)
    operands, rest = _until_closed("(" + text)
    named = tuple(re.findall(r"%([\w.\-]+)", operands))
    return Instruction(name, shape, opcode, named, operands if opcode == "constant" else rest)


def _until_closed(text: str) -> tuple[str, str]:
    """What is in the first brackets, with them, and what follows."""
    depth = 0
    for at, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if not depth:
            return text[: at + 1], text[at + 1 :]
    return text, ""


def _counts(
    line: Instruction,
    inside: Computation,
    computations: dict[str, Computation],
    of: Callable[[str], Counts],
) -> Counts:
    """Of one instruction that is not inside a fusion."""
    kind = line.opcode.removesuffix("-start")
    if kind != line.opcode and kind not in COLLECTIVES:
        kind = "copy"  # between the memories of a TPU, beside what is computed
    if kind in FREE or kind.endswith(("-done", "-update")):
        return Counts()
    if kind == "while":
        body, condition = line.called("body")[0], line.called("condition")[0]
        return (of(body) + of(condition)).times(_trips(line, computations[condition]))
    if kind == "conditional":
        branches = line.called("branch_computations") or [
            *line.called("true_computation"), *line.called("false_computation")
        ]  # fmt: skip
        return max(map(of, branches), key=lambda each: each.launches)
    if kind in ("call", "async"):
        return sum(map(of, line.called("to_apply") + line.called("calls")), Counts())
    moved, flops = _bytes(line, inside, computations), _flops(line, inside, computations)
    return Counts(
        kernels=kind != "copy" and kind not in COLLECTIVES,
        copies=kind == "copy",
        collectives=kind in COLLECTIVES,
        bytes=moved,
        flops=flops,
    )


def _trips(loop: Instruction, condition: Computation) -> int:
    """How often a loop runs: as XLA says, else the number that its condition compares with."""
    if known := re.search(r'"known_trip_count":\{"n":"(\d+)"', loop.rest):
        return int(known[1])
    numbers = [
        int(found[1])
        for line in condition.lines.values()
        if line.opcode == "constant" and (found := re.search(r"^\((\d+)\)", line.rest))
    ]
    return max(numbers, default=1)


def _bytes(line: Instruction, inside: Computation, computations: dict[str, Computation]) -> int:
    """What a launch reads and writes."""
    size = partial(_size, inside)
    if line.opcode in SLICES:
        return 2 * size_of(line.shape)
    if line.opcode in UPDATES:
        return 2 * size(line.operands[UPDATES[line.opcode]])
    if line.opcode != "fusion":
        return size_of(line.shape) + sum(map(size, line.operands))
    fused = computations[line.called("calls")[0]]
    given = [each for each in fused.lines.values() if each.opcode == "parameter"]
    return _written(fused, fused.root) + sum(_read(fused, each) for each in given)


def _read(fused: Computation, given: Instruction) -> int:
    """Of a fusion's operand: the parts that it takes, nothing where a part of it is replaced."""
    users, whole = fused.users(given.name), size_of(given.shape)
    parts = 0
    for user in users:
        first = user.operands[0] == given.name
        if user.opcode in SLICES and first:
            parts += size_of(user.shape)
        elif not (user.opcode in UPDATES and first):
            return whole
    return min(parts, whole)


def _written(fused: Computation, name: str) -> int:
    line = fused.lines[name]
    if line.opcode == "tuple":
        return sum(_written(fused, each) for each in line.operands)
    if line.opcode == "bitcast":
        return _written(fused, line.operands[0])
    if line.opcode in UPDATES:
        return _size(fused, line.operands[UPDATES[line.opcode]])
    return size_of(line.shape)


def _size(inside: Computation, name: str) -> int:
    return size_of(inside.lines[name].shape)


def _flops(line: Instruction, inside: Computation, computations: dict[str, Computation]) -> int:
    """Two for each term of a matrix product, one for each element of other arithmetic."""
    if line.opcode == "fusion":
        fused = computations[line.called("calls")[0]]
        return sum(_flops(each, fused, computations) for each in fused.lines.values())
    if line.opcode == "dot" or (line.opcode == "custom-call" and "contracting" in line.rest):
        dims = re.search(r'lhs_contracting_dim(?:ension)?s"?[=:][{\[]([^}\]]*)', line.rest)
        sizes = _dims(inside.operand(line, 0).shape)
        terms = math.prod(sizes[int(each)] for each in re.findall(r"\d+", dims[1] if dims else ""))
        return 2 * _elements(SHAPE.findall(line.shape)[0], padded=False) * terms
    if line.opcode == "convolution":
        labels = re.search(r"dim_labels=\w+_(\w+)->", line.rest)
        sizes = _dims(inside.operand(line, 1).shape)
        outputs = sizes[labels[1].index("o")] if labels else 1
        return 2 * elements_of(line.shape) * math.prod(sizes) // max(outputs, 1)
    if line.opcode in ("reduce", "reduce-window"):
        return elements_of(inside.operand(line, 0).shape)
    return 0 if line.opcode in MOVES or line.opcode == "custom-call" else elements_of(line.shape)


def _dims(shape: str) -> list[int]:
    return [int(each) for each in SHAPE.findall(shape)[0][1].split(",") if each]


def _elements(found: tuple[str, ...], padded: bool) -> int:
    """Numbers in an array; `padded`: to the tile that its layout names."""
    _, dims, order, *tile = found
    sizes = [int(each) for each in dims.split(",") if each]
    if padded and order and tile[0]:
        tiles = [int(each) for each in tile if each][::-1]
        for at, unit in zip(map(int, order.split(",")), tiles, strict=False):
            sizes[at] = -(-sizes[at] // unit) * unit
    return math.prod(sizes)


def _bits(kind: str) -> int:
    """Of a number of this type."""
    digits = re.search(r"\d+", kind)
    return BITS.get(kind) or (int(digits[0]) if digits else 0)
