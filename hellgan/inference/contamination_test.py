"""The contamination test: whether a share of the data lies where the generator puts less, and where.

Equations (18) to (20) of ``docs/theory.md``.
"""

import dataclasses

import numpy as np

from hellgan import latents
from hellgan.balance import Balance

# A point is looked at where a share of a half would be twice its standard error: elsewhere the features cannot tell
# contamination there from other parameters.
_TOLD = 0.25


@dataclasses.dataclass(frozen=True, eq=False)
class ContaminationTest:
    """Whether a share of the data lies where the generator puts less: the largest of many one-sided statistics.

    Attributes
    ----------
    statistic : float
        Largest standardised share over the points looked at.
    pvalue : float
        By the law of that largest statistic where the generator fits.
    point : array (d,)
        Where the largest statistic is reached.
    share : float
        Estimated share of contamination at that point, were all of it there.
    share_error : float
        Standard error of ``share`` where there is no contamination.
    columns : list of str or None
        Names of the point's coordinates, where the data name them.
    """

    statistic: float
    pvalue: float
    point: np.ndarray
    share: float
    share_error: float
    columns: list[str] | None = None

    def __str__(self):
        names = [""] * len(self.point) if self.columns is None else [f"{column} = " for column in self.columns]
        where = ", ".join(f"{name}{value:.4g}" for name, value in zip(names, self.point, strict=True))
        share = f"share {self.share:.3f} (se {self.share_error:.3f}) at {where}"
        return f"contamination test: {self.statistic:.3f}, p-value {self.pvalue:.4f}; {share}"


def contamination(
    of: Balance, c: float, delta: np.ndarray, features: np.ndarray, mean: np.ndarray, points: np.ndarray
) -> ContaminationTest:
    """Test for contamination at points (k, d) of features (k, q).

    A share eps at y moves the difference of mean features by eps d, d = phi(y) - E phi. With theta estimated what is
    left of it is weighed by F = P' K P, (18), and at each point the share's estimate d' F delta / d' F d is
    standardised, (19). The p-value is (20).

    Parameters
    ----------
    of : Balance
        The quadratic game at the fit.
    c : float
        real'(0) of the loss.
    delta : (q,) array
        Difference of the samples' mean features at the fit.
    features, mean : (k, q) and (q,) arrays
        phi(y) at the points, and the simulated sample's mean, without the constant.
    points : (k, d) array
        Where contamination may lie.
    """
    of_theta, of_alpha = of.solution(c)
    form = (np.eye(len(mean)) - of.slope @ of_theta).T @ of_alpha  # c F
    values, vectors = np.linalg.eigh(form @ of.noise @ form.T)
    kept = values > 1e-9 * values[-1]
    towards = features - mean
    root = towards @ (vectors[:, kept] * np.sqrt(values[kept]))  # of the statistics' covariance
    size = np.linalg.norm(root, axis=1)
    units = np.einsum("kq,qr,kr->k", towards, form, towards)
    errors = size / np.sqrt(of.scale) / np.where(units > 0, units, np.nan)  # of the shares
    able = errors < _TOLD if np.any(errors < _TOLD) else errors == np.nanmin(errors)
    along = np.where(able, towards @ (form @ delta), 0.0)
    size = np.where(able, size, 1.0)
    statistics = np.where(able, np.sqrt(of.scale) * along / size, -np.inf)
    best = int(np.argmax(statistics))
    z = latents.draw("sobol", latents.normal, 2**14, int(kept.sum()), seed=0)[0]
    largest = np.full(len(z), -np.inf)
    for row in (root / size[:, None])[able]:
        np.maximum(largest, z @ row, out=largest)
    return ContaminationTest(
        float(statistics[best]),
        float(np.mean(largest >= statistics[best])),
        points[best],
        float(along[best] / units[best]),
        float(errors[best]),
    )
