"""A lower saddle point elsewhere, where the fitted law describes no bulk of the sample.

A family with a start of its own begins at robust summaries of the whole sample. Of two groups these may lie between
both, and so may the saddle point that is found from there, while another that describes the larger group has a lower
value. The test of the bulk rejects the first; then the search begins again on either side of the median.
"""

from typing import TYPE_CHECKING

from hellgan.estimation import JointLaw
from hellgan.inference import law
from hellgan.solver.certificate import SaddlePoint
from hellgan.solver.starts import sides

if TYPE_CHECKING:
    from hellgan.gan import GAN
    from hellgan.solver.equations import GameEquations


def lower(model: "GAN", equations: "GameEquations", saddle: SaddlePoint) -> tuple[SaddlePoint, JointLaw] | None:
    """Find a certified saddle point of lower value from the family's starts on either side of the sample's median.

    Returns it with its joint law; None where there is none, where the family brings no starts (its search has been
    elsewhere already), in several dimensions, and for a fit that is reweighted, whose values are those of different
    games.
    """
    if model.reserve() is not None or model.reweight or model.sample.d > 1:
        return None
    starts = sides(model.generator, model.sample.rows, model.sample.weights)
    found = [equations.solve(start, more=0) for start in starts]
    slack = 1e-9 * (1 + abs(saddle.value))  # the same point, found again
    better = [each for each in found if each.is_saddle and each.value < saddle.value - slack]
    inferred = [(each, law(equations, each)) for each in sorted(better, key=lambda each: each.value)]
    return next((each for each in inferred if not each[1].trouble), None)
