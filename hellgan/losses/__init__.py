"""Adversarial losses as functions of the log density ratio v = log p/p_theta.

A discriminator is written through its log ratio v(x); the loss is a pair of scalar functions, and the
discriminator maximises while the generator minimises

    V(theta, alpha) = E real(v_alpha(X)) + E fake(v_alpha(G_theta(Z)))                 (1)

In these terms the optimal v is log p/p_theta for every loss of the catalogue, so that the discriminator's
parameters mean the same thing whatever the loss. Equation numbers are those of ``docs/theory.md``.
"""

from hellgan.losses.catalogue import (
    Loss,
    alpha,
    check,
    checked,
    get,
    hellinger,
    kl,
    least_squares,
    log,
    log_ns,
    names,
    root,
    root_ns,
)
from hellgan.losses.derivatives import derivatives

__all__ = [
    "Loss",
    "alpha",
    "check",
    "checked",
    "derivatives",
    "get",
    "hellinger",
    "kl",
    "least_squares",
    "log",
    "log_ns",
    "names",
    "root",
    "root_ns",
]
