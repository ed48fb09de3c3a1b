"""The overidentification test: whether the generator fits, by the value of the game, (4) of ``docs/theory.md``."""

import dataclasses

import numpy as np

from hellgan.balance import Balance
from hellgan.inference.tails import weighted_chi2_sf
from hellgan.losses import Loss


@dataclasses.dataclass(frozen=True, eq=False)
class OveridentificationTest:
    """Whether the generator fits: the value of the game against its law under a correct model.

    Attributes
    ----------
    statistic : float
        (4), scaled by n (Sobol latents) or nm/(n + m).
    df : int
        q - p, features less parameters.
    pvalue : float
    weights : (r,) array
        The limit law is that of the sum of ``weights`` times independent chi-square variables of one degree of
        freedom; all 1 where it is chi-square with ``df`` degrees of freedom.
    robust : bool
        Whether the law allows a generator that matches the features without being right elsewhere.
    """

    statistic: float
    df: int
    pvalue: float
    weights: np.ndarray
    robust: bool

    def __str__(self):
        form = "misspecification-robust" if self.robust else "plain"
        law = f"df {self.df}" + (f", mean weight {mean:.3f}" if abs((mean := np.mean(self.weights)) - 1) > 5e-4 else "")
        return f"overidentification test ({form}): {self.statistic:.3f}, {law}, p-value {self.pvalue:.4f}"


def require_test(loss: Loss, p: int, q: int) -> None:
    """Refuse a loss whose optimum is not the log density ratio, and features q that do not outnumber parameters p."""
    if not loss.is_calibrated:
        raise ValueError(f"overidentification test: the optimum of the loss {loss.name} is not the log density ratio.")
    if q <= p:
        raise ValueError(
            f"overidentification test: {q} features for {p} parameters leave nothing to test; give more features."
        )


def overidentification(value: float, loss: Loss, of: Balance, robust: bool) -> OveridentificationTest:
    """Test the generator by the value of the game, (4).

    Parameters
    ----------
    value : float
        V_n at the root, without the ridge.
    loss : Loss
    of : Balance
        The quadratic game at the root: with the ``"real"`` sample's covariance or, for the robust form, the
        ``"pooled"`` one.
    robust : bool
        Allow misspecification: the null is then that the generator matches the features' means, not that it is right.

    Raises
    ------
    ValueError
        For a loss that is not calibrated, and for q <= p.
    """
    q, p = of.slope.shape
    require_test(loss, p, q)
    statistic = float(loss.chi2_factor * of.scale * (value - loss.value_at_equality))  # (4)
    weights = limit_weights(loss.c, loss.chi2_factor, of)[: q - p]
    return OveridentificationTest(statistic, q - p, weighted_chi2_sf(weights, statistic), weights, robust)


def limit_weights(c: float, factor: float, of: Balance) -> np.ndarray:
    """Weights (..., q) of the chi-square variables in the limit law of (4), ridge and estimated theta allowed for.

    With delta the difference of the samples' mean features, alpha = c K delta for K = (c C + 2 Lambda)^-1, theta
    projects delta by P = I - J (J' K J)^-1 J' K, and V - V_0 = c alpha' delta - (c/2) alpha' C alpha. Without a
    ridge the form is P' C^-1 P; where, besides, C is the noise's covariance, q - p of the weights, which come largest
    first, are 1 and the rest 0. ``c`` is real'(0) of the loss and ``factor`` its 4A/c^2.
    """
    return weights_of_form(form_of(c, factor, of), of)


def weights_of_form(form: np.ndarray, of: Balance) -> np.ndarray:
    """Weights (..., q), largest first, of the chi-square variables that a form (..., q, q) is in the limit."""
    size = np.sqrt(np.diagonal(of.covariance, axis1=-2, axis2=-1))
    units = size[..., :, None] * size[..., None, :]
    values, vectors = np.linalg.eigh(of.noise / units)
    root = vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :]
    return np.linalg.eigvalsh(np.swapaxes(root, -1, -2) @ (form * units) @ root)[..., ::-1]


def form_of(c: float, factor: float, of: Balance) -> np.ndarray:
    """The quadratic form (..., q, q) of delta that (4), over its scale, is to second order; as `limit_weights` says."""
    of_theta, of_alpha = of.solution(c)
    left = np.eye(of_alpha.shape[-1]) - of.slope @ of_theta  # P
    form = factor * (c * np.swapaxes(of_alpha, -1, -2) @ (left - of.covariance @ of_alpha / 2))
    return (form + np.swapaxes(form, -1, -2)) / 2
