"""Reading a saved fit: its model is built anew, and the stored solution and its law are put beside the model."""

import dataclasses
import os
from typing import Any, overload

import numpy as np
import pandas as pd

from hellgan import discriminators, generators, losses
from hellgan.checks import first_sentence, shown
from hellgan.estimation import Estimator
from hellgan.gan import GAN
from hellgan.kernel_gan import KernelGAN
from hellgan.kernels.placement import Placement
from hellgan.results import storage
from hellgan.results.archive import Archive
from hellgan.results.base import EstimatedResults
from hellgan.results.gan import GANResults
from hellgan.results.kernel import KernelGANResults
from hellgan.samples.labels import unpacked

# What a saved fit of a GAN must hold for its model to be built anew.
_INGREDIENTS = {
    "generator": (dict, type(None)),
    "discriminator": (dict, type(None)),
    "loss": (str, type(None)),
    "columns": (list, type(None)),
    "latent": str,
    "n_simulated": int,
    "seed": int,
    "simulator": str,
}
# Those of a kernel GAN: no discriminator, but its kernel.
_OF_KERNEL = {name: kind for name, kind in _INGREDIENTS.items() if name != "discriminator"} | {"placement": dict}
_MOST = 2**31  # simulated observations, more than which no memory holds


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
        Or ``KernelGANResults``; ``EstimatedResults`` where the fit is of an estimator of the user's own.

    Raises
    ------
    ValueError
        For a file that is not such a result, or when a function that the fit used is not passed.
    """
    arrays, facts = storage.read(path)
    is_kernel = facts["estimator"] == KernelGAN.name
    if facts["estimator"] != "GAN" and not is_kernel:
        return _of_another(model, arrays, facts)
    for name, kind in (_OF_KERNEL if is_kernel else _INGREDIENTS).items():
        if name not in facts:
            raise ValueError(f"load: {arrays.path} holds no {name}; give a file that save of a fit wrote.")
        if not isinstance(facts[name], kind) or (kind is int and isinstance(facts[name], bool)):
            raise arrays.damaged(f"its {name} is {shown(facts[name])}")
    given = {"generator": generator, "loss": loss}
    model = _model(arrays, facts, given if is_kernel else {**given, "discriminator": discriminator})
    if model.generator.name != facts["simulator"]:
        raise ValueError(
            f"load: the fit in {arrays.path} used the generator {shown(facts['simulator'])}, not "
            f"{model.generator.name}; pass the fit's own."
        )
    sizes = {"generator": (model.generator.size, _length(arrays, "solution.theta"))}
    if isinstance(model, GAN):
        sizes["discriminator"] = model.basis.size, _length(arrays, "solution.alpha")
    for name, (size, found) in sizes.items():
        if size != found:
            raise ValueError(
                f"load: the fit's {name} in {arrays.path} had {found} parameters, not {size}; pass the fit's own."
            )
    try:
        origin = unpacked(facts.get("rows"), model.nobs)  # no fact of fits before there were labels
    except ValueError as error:
        raise arrays.damaged(str(error)) from None
    model.sample = dataclasses.replace(model.sample, origin=origin)
    if isinstance(model, KernelGAN):
        return KernelGANResults(model, *storage.unpack(arrays, facts, model.equations()))
    model.formula = facts.get("formula")
    if not isinstance(model.formula, (str, type(None))):
        raise arrays.damaged(f"its formula is {shown(model.formula)}")
    return GANResults(model, *storage.unpack(arrays, facts, model.equations()))


def _model(arrays: Archive, facts: dict, given: dict) -> GAN | KernelGAN:
    """Build the model of a saved fit anew, of the file's parts and the user's."""
    make = {
        "generator": lambda recipe: generators.rebuild(**recipe),
        "discriminator": lambda recipe: discriminators.make(**recipe),
        "loss": losses.get,
    }
    parts = {}
    for name, own in given.items():
        if own is None and facts[name] is None:
            raise ValueError(f"load: the fit used a {name} of your own; pass it as {name}=, for {arrays.path}.")
        parts[name] = own if own is not None else _built(arrays, name, lambda name=name: make[name](facts[name]))
    if facts["n_simulated"] > _MOST:
        raise arrays.damaged(f"its n_simulated is {shown(facts['n_simulated'])}")

    def built():
        data = arrays["x"]
        if facts["columns"]:
            data = pd.DataFrame(data, columns=facts["columns"])
        how = {name: facts[name] for name in ("latent", "n_simulated", "seed")}
        if facts["estimator"] == KernelGAN.name:
            return _kernel_model(arrays, facts, data, parts, how)
        # There is no fact of fits before there was the choice to reweight.
        return GAN(data, **parts, weights=arrays.get("weights"), **how, reweight=facts.get("reweight", False))

    return built() if any(own is not None for own in given.values()) else _built(arrays, "model", built)


def _kernel_model(arrays: Archive, facts: dict, data, parts: dict, how: dict) -> KernelGAN:
    """Build a kernel GAN anew, with the bandwidths that it had: those of other weights, perhaps."""
    recipe: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in facts["placement"].items()}
    arguments = Placement(**recipe).arguments()
    model = KernelGAN(data, **parts, **arguments, weights=arrays.get("weights"), **how)
    for name in ("bandwidths", "phi", "compression"):
        found = arrays[name]
        if found.shape != getattr(model, name).shape or not np.all(np.isfinite(found)):
            raise arrays.damaged(f"{name} has the shape {found.shape}")
        setattr(model, name, found)
    return model


def _built(arrays: Archive, what: str, build):
    try:
        return build()
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, MemoryError) as error:
        raise arrays.damaged(f"its {what} cannot be built: {first_sentence(error)}") from None


def _length(arrays: Archive, name: str) -> int:
    if name not in arrays:
        raise ValueError(f"load: {arrays.path} holds no {name}; give a file that save of a fit wrote.")
    return arrays[name].size


def _of_another(model, arrays: Archive, facts: dict) -> EstimatedResults:
    name = facts["estimator"]
    if model is None:
        raise ValueError(
            f"load: the fit is of the estimator {shown(name)}; pass it, on the same data, as model=, for {arrays.path}."
        )
    if not all(hasattr(model, part) for part in ("name", "equations")):
        raise TypeError(f"model: got {shown(model)}; give the estimator of the fit, on its data.")
    if model.name != name:
        raise ValueError(f"load: the fit is of the estimator {shown(name)}, not {model.name}; pass that.")
    equations = model.equations()
    if not np.array_equal(equations.sample.squeezed, arrays["x"]):
        raise ValueError(f"load: the data of the {name} that was passed are not those of the fit; pass it on these.")
    return EstimatedResults(model, *storage.unpack(arrays, facts, equations))
