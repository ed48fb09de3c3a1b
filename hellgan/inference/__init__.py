"""Inference on any estimator: the joint law, covariances, tests, intervals, functionals, bootstrap."""

from hellgan.estimation import Covariance, JointLaw, Sandwich
from hellgan.inference.linked import intervals, near_edges, observations_seen
from hellgan.inference.sandwich import law, laws, natural_covs, sandwich_at, sandwiches

__all__ = [
    "Covariance",
    "JointLaw",
    "Sandwich",
    "intervals",
    "law",
    "laws",
    "natural_covs",
    "near_edges",
    "observations_seen",
    "sandwich_at",
    "sandwiches",
]
