"""hellgan: parametric GANs estimated as a statistician would, with confidence intervals.

>>> import hellgan as hg
>>> result = hg.GAN(hg.datasets.load_newcomb(), generator=hg.generators.Normal()).fit()
>>> print(result.summary())  # doctest: +SKIP
"""

import importlib
from typing import TYPE_CHECKING, Any

from hellgan import constraints, discriminators, generators, latents, losses
from hellgan.cautions import ConvergenceWarning, FitWarning
from hellgan.constraints import interval, positive, real, simplex
from hellgan.execution.keeping import keep_programs
from hellgan.generators import generator
from hellgan.losses import Loss
from hellgan.version import VERSION

if TYPE_CHECKING:
    from hellgan import datasets, divergences, montecarlo, neural
    from hellgan.batch import BatchResults, fit_batch
    from hellgan.gan import GAN
    from hellgan.inference.bootstrap import Bootstrap
    from hellgan.inference.functionals import Functionals
    from hellgan.influence import Influence
    from hellgan.kernel_gan import KernelGAN
    from hellgan.loading import load
    from hellgan.montecarlo import (
        Cluster,
        Dependence,
        HeavyTails,
        Leverage,
        PointMass,
        Spread,
        Study,
        StudyResults,
        Vertical,
        truth,
    )
    from hellgan.results import GANResults, KernelGANResults, compare


__version__ = VERSION

# Imported when first asked for: statsmodels, pandas and scipy.stats take longer to import than JAX.
_LAZY = {
    "BatchResults": "hellgan.batch",
    "Bootstrap": "hellgan.inference.bootstrap",
    "Cluster": "hellgan.montecarlo",
    "Dependence": "hellgan.montecarlo",
    "Functionals": "hellgan.inference.functionals",
    "GAN": "hellgan.gan",
    "GANResults": "hellgan.results",
    "HeavyTails": "hellgan.montecarlo",
    "Influence": "hellgan.influence",
    "KernelGAN": "hellgan.kernel_gan",
    "KernelGANResults": "hellgan.results",
    "Leverage": "hellgan.montecarlo",
    "PointMass": "hellgan.montecarlo",
    "Spread": "hellgan.montecarlo",
    "Study": "hellgan.montecarlo",
    "StudyResults": "hellgan.montecarlo",
    "Vertical": "hellgan.montecarlo",
    "compare": "hellgan.results",
    "datasets": "",
    "divergences": "",
    "fit_batch": "hellgan.batch",
    "load": "hellgan.loading",
    "montecarlo": "",
    "neural": "",
    "truth": "hellgan.montecarlo",
}

__all__ = [
    "GAN",
    "BatchResults",
    "Bootstrap",
    "Cluster",
    "ConvergenceWarning",
    "Dependence",
    "FitWarning",
    "Functionals",
    "GANResults",
    "HeavyTails",
    "Influence",
    "KernelGAN",
    "KernelGANResults",
    "Leverage",
    "Loss",
    "PointMass",
    "Spread",
    "Study",
    "StudyResults",
    "Vertical",
    "compare",
    "constraints",
    "datasets",
    "discriminators",
    "divergences",
    "fit_batch",
    "generator",
    "generators",
    "interval",
    "keep_programs",
    "latents",
    "load",
    "losses",
    "montecarlo",
    "neural",
    "positive",
    "real",
    "simplex",
    "truth",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'hellgan' has no attribute {name!r}")
    home = _LAZY[name]
    value = getattr(importlib.import_module(home), name) if home else importlib.import_module(f"hellgan.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
