"""What settings of departments can be, by name."""

from typing import Literal

MemoryKind = Literal["none", "ewma", "gru"]
"""What a department carries from period to period: nothing, running averages, or what it learns to
(a gated recurrent unit)."""
