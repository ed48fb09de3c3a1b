"""Reading a saved fit: its model is built anew, and the stored solution and its law are put beside the model."""

import dataclasses
import os
from typing import overload

import numpy as np
import pandas as pd

from hellgan import discriminators, generators, losses
from hellgan.estimation import Estimator
from hellgan.gan import GAN
from hellgan.results import storage
from hellgan.results.base import EstimatedResults
from hellgan.results.gan import GANResults
from hellgan.samples.labels import unpacked

# What a saved fit of a GAN must hold for its model to be built anew.
_INGREDIENTS = ("generator", "discriminator", "loss", "columns", "latent", "n_simulated", "seed", "simulator")


@overload
def load(path: str | os.PathLike, *, generator=None, discriminator=None, loss=None) -> GANResults: ...
@overload
def load(path: str | os.PathLike, *, model: Estimator) -> EstimatedResults: ...
def load(
    path: str | os.PathLike,
    *,
    generator=None,
    discriminator=None,
    loss=None,
    model=None,
) -> EstimatedResults:
    """Read a result that ``save`` of a fit wrote; no code of the file is run.

    Parameters
    ----------
    path : path
        The file.
    generator, discriminator, loss : Generator, Discriminator, Loss
        The user's own, where the fit had one: functions are not stored.
    model : Estimator
        The estimator, on the data of the fit, where the fit is not of a GAN.

    Returns
    -------
    GANResults
        Or ``EstimatedResults`` where the fit is of another estimator.

    Raises
    ------
    ValueError
        For a file that is not such a result, or when a function that the fit used is not passed.
    """
    arrays, facts = storage.read(path)
    if facts["estimator"] != "GAN":
        return _of_another(path, model, arrays, facts)
    missing = set(_INGREDIENTS) - set(facts)
    if missing:
        raise ValueError(f"load: {os.fspath(path)} holds no {min(missing)}; give a file that save of a fit wrote.")
    parts = {"generator": generator, "discriminator": discriminator, "loss": loss}
    for name, given in parts.items():
        if given is None and facts[name] is None:
            raise ValueError(f"load: the fit used a {name} of your own; pass it as {name}=.")
    data = arrays["x"]
    if facts["columns"]:
        data = pd.DataFrame(data, columns=facts["columns"])
    model = GAN(
        data,
        generators.rebuild(**facts["generator"]) if generator is None else generator,
        discriminators.make(**facts["discriminator"]) if discriminator is None else discriminator,
        losses.get(facts["loss"]) if loss is None else loss,
        weights=arrays.get("weights"),
        latent=facts["latent"],
        n_simulated=facts["n_simulated"],
        seed=facts["seed"],
        reweight=facts.get("reweight", False),  # no fact of fits before there was the choice
    )
    if model.generator.name != facts["simulator"]:
        raise ValueError(
            f"load: the fit used the generator {facts['simulator']}, not {model.generator.name}; pass the fit's own."
        )
    try:
        origin = unpacked(facts.get("rows"), model.nobs)  # no fact of fits before there were labels
    except ValueError as error:
        raise ValueError(f"load: {os.fspath(path)} is damaged: {error}.") from None
    model.sample = dataclasses.replace(model.sample, origin=origin)
    saddle, law, covariance = storage.unpack(path, model.equations().solution_type, arrays, facts)
    sizes = {"generator": (model.generator, saddle.theta), "discriminator": (model.basis, saddle.alpha)}
    for name, (part, found) in sizes.items():
        if part.size != found.size:
            raise ValueError(
                f"load: the fit's {name} had {found.size} parameters, not {part.size}; pass the fit's own."
            )
    return GANResults(model, saddle, law, covariance)


def _of_another(path, model, arrays, facts) -> EstimatedResults:
    name = facts["estimator"]
    if model is None:
        raise ValueError(f"load: the fit is of the estimator {name}; pass it, on the same data, as model=.")
    if model.name != name:
        raise ValueError(f"load: the fit is of the estimator {name}, not {model.name}; pass that.")
    if not np.array_equal(model.sample.squeezed, arrays["x"]):
        raise ValueError(f"load: the data of the {name} that was passed are not those of the fit; pass it on these.")
    return EstimatedResults(model, *storage.unpack(path, model.equations().solution_type, arrays, facts))
