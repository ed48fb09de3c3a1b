"""The comparators by name."""

import dataclasses

from hellgan import generators
from hellgan.checks import shown
from hellgan.montecarlo.comparators.comparator import Comparator
from hellgan.montecarlo.comparators.density_power import DensityPower
from hellgan.montecarlo.comparators.hellinger import MinimumHellinger
from hellgan.montecarlo.comparators.huber import Huber
from hellgan.montecarlo.comparators.likelihood import MaximumLikelihood
from hellgan.montecarlo.comparators.medians import MedianMAD
from hellgan.montecarlo.comparators.min_cov_det import MinCovDet
from hellgan.montecarlo.comparators.moments import SimulatedMoments

_NAMED: dict[str, type[Comparator]] = {
    "ml": MaximumLikelihood,
    "median_mad": MedianMAD,
    "huber": Huber,
    "min_cov_det": MinCovDet,
    "density_power": DensityPower,
    "minimum_hellinger": MinimumHellinger,
    "simulated_moments": SimulatedMoments,
}


def names() -> tuple[str, ...]:
    """List the comparators by name."""
    return tuple(_NAMED)


def named(name: str, **arguments) -> Comparator:
    """Build a comparator from its name, as designs in TOML do.

    Parameters
    ----------
    name : str
    **arguments
        Arguments of the comparator; ``model`` may be a family's name, or a table of the name, ``family``, and the
        family's arguments.

    Raises
    ------
    ValueError
        For a name or a family that is not known.
    TypeError
        For an argument that the comparator does not take.
    """
    if not isinstance(name, str) or name not in _NAMED:
        raise ValueError(f"comparator: {shown(name)} is not known; give one of {', '.join(_NAMED)}.")
    taken = [field.name for field in dataclasses.fields(_NAMED[name])]
    unknown = [argument for argument in arguments if argument not in taken]
    if unknown:
        raise TypeError(f"{name}: {unknown[0]} is no argument; it takes {', '.join(taken)}.")
    model = arguments.get("model")
    if isinstance(model, str):
        arguments["model"] = generators.make(model)
    elif isinstance(model, dict):
        if "family" not in model:
            raise ValueError(f"{name}: model has no family; give it, as in model = {{family = 'Normal'}}.")
        arguments["model"] = generators.make(**model)
    return _NAMED[name](**arguments)
