"""The divergence that a loss induces between two laws, or the laws of two samples, and parameters that minimise it.

A calibrated loss has its optimal discriminator at v = log p/q. There, by the envelope theorem, the slope of
the game's value in q is the generator's payoff at v, so what the generator descends is

    D(P, Q) = integral of F(p, q),    F(p, q) = integral from t = p to t = q of [g(log p/t) - g(0)] dt    (D)

with g what the generator minimises. For a zero-sum game g is ``fake``, and F is the value of the game above
its value at equality, p [real(v) - real(0)] + q [fake(v) - fake(0)]; for the others D is the *effective*
divergence (``docs/theory.md``, section 1). F is nonnegative where g decreases.

`laws` says what may stand for a law, `kernels` holds F, `quadrature` integrates, `between` and `population` use them.
`samples` estimates divergences from samples, by kernel densities or a `classifier`, and tests equality by
`permutations`; `neural_distance` asks only how well small networks tell two samples apart.
"""

from hellgan.divergences.between import divergence, gaussian_divergence
from hellgan.divergences.kernels import divergence_function
from hellgan.divergences.laws import density, mixture
from hellgan.divergences.neural_distance import NeuralDistance, neural_distance
from hellgan.divergences.population import PopulationFit, population_bias, population_fit
from hellgan.divergences.quadrature import Density
from hellgan.divergences.samples import DivergenceEstimate, KernelObjective, estimate, kernel_objective

__all__ = [
    "Density",
    "DivergenceEstimate",
    "KernelObjective",
    "NeuralDistance",
    "PopulationFit",
    "density",
    "divergence",
    "divergence_function",
    "estimate",
    "gaussian_divergence",
    "kernel_objective",
    "mixture",
    "neural_distance",
    "population_bias",
    "population_fit",
]
