"""Results: what a fit says, for every estimator, for those with a generator, and for parametric GANs."""

from hellgan.results.base import EstimatedResults
from hellgan.results.gan import OUTLIER, GANResults
from hellgan.results.kernel import KernelGANResults
from hellgan.results.law import LawResults
from hellgan.results.summary import compare

__all__ = ["OUTLIER", "EstimatedResults", "GANResults", "KernelGANResults", "LawResults", "compare"]
