"""Comparators: classical estimators beside which a study puts its own, computed by well-kept libraries."""

from hellgan.montecarlo.comparators.catalogue import named, names
from hellgan.montecarlo.comparators.comparator import Comparator
from hellgan.montecarlo.comparators.density_power import DensityPower
from hellgan.montecarlo.comparators.hellinger import MinimumHellinger
from hellgan.montecarlo.comparators.huber import Huber
from hellgan.montecarlo.comparators.likelihood import MaximumLikelihood
from hellgan.montecarlo.comparators.medians import MedianMAD
from hellgan.montecarlo.comparators.min_cov_det import MinCovDet
from hellgan.montecarlo.comparators.moments import SimulatedMoments

__all__ = [
    "Comparator",
    "DensityPower",
    "Huber",
    "MaximumLikelihood",
    "MedianMAD",
    "MinCovDet",
    "MinimumHellinger",
    "SimulatedMoments",
    "named",
    "names",
]
