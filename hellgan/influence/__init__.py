"""What single observations do to a fit: influence functions, case deletion, contamination."""

from hellgan.influence.cases import Influence
from hellgan.influence.contamination import BiasCurve, Breakdown
from hellgan.influence.deletion import Decisive, Jackknife

__all__ = ["BiasCurve", "Breakdown", "Decisive", "Influence", "Jackknife"]
