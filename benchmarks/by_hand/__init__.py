"""The same periods by hand in numba: what a careful author without JAX would write.

One loop over stores, shared out among threads; inside, plain loops that LLVM vectorises, nothing
allocated, and the freedoms of hand-written code: no substitution where nobody was turned away,
attention touched only where a slate names a product, no normal quantile where a product has no
noise. Random words, uniforms and the Poisson inverse are those of `jaxsim.sampling`, so that every
unit can be held against the store's. `pip install -e '.[bench]'`.
"""

import hashlib
import tempfile
from pathlib import Path

import numba

from jaxsim import sampling


def _cache_folder() -> str:
    """Compiled programs by what they were compiled from: numba itself would not see that a file
    which the program's own file imports has changed."""
    files = [*Path(__file__).parent.glob("*.py"), Path(sampling.__file__)]
    content = b"".join(file.read_bytes() for file in sorted(files))
    name = f"by-hand-{hashlib.sha256(content).hexdigest()[:16]}"
    return str(Path(tempfile.gettempdir()) / name)


numba.config.CACHE_DIR = _cache_folder()

from benchmarks.by_hand.period import lost_sales_state, of_params, of_state  # noqa: E402
from benchmarks.by_hand.programs import lost_sales, periods, random_actions  # noqa: E402

__all__ = ["lost_sales", "lost_sales_state", "of_params", "of_state", "periods", "random_actions"]
