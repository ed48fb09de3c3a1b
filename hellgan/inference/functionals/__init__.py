"""Functionals of the fitted law: means, quantiles, probabilities; their errors by the delta method, from theta's.

A functional is a function of theta alone: its value and its derivative at the estimate are computed so well that the
simulation's own error is small beside the statistical one. A mean is that of ``REPEATS`` Sobol samples of ``POINTS``
points each. Where the latent draw is one number and the generator is monotone in it, quantiles and probabilities are
exact, q(p) = G(theta, Q(p)); elsewhere they are those of all the points, with

    dq / dtheta = E[dG / dtheta | G = q],    dF(t) / dtheta = -f(t) E[dG / dtheta | G = t]

from the points that are nearest in order.
"""

from hellgan.inference.functionals.estimates import Functionals
from hellgan.inference.functionals.law import POINTS, REPEATS, cdf, functional, mean, quantile

__all__ = ["POINTS", "REPEATS", "Functionals", "cdf", "functional", "mean", "quantile"]
