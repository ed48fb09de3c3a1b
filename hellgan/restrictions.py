"""What a user writes for a restriction of the parameters, read: equations, arrays, functions."""

import re
from decimal import Decimal

import numpy as np

from hellgan.solver.restricted import Linear, Restriction, Smooth
from hellgan.validation import first_sentence, shown

_DEPENDENT = 1e-9  # below this relative singular value equations say the same


def read(restriction, fit) -> Restriction:
    """Read a restriction of a fit's natural parameters; the caller holds ``jax.enable_x64``.

    Parameters
    ----------
    restriction : str, sequence of str, (r, k) array, (array, values) or callable
        ``"loc = 27, scale = 5"``; rows of coefficients of all k natural numbers, equal to 0 or to the ``values``; or a
        function of the named natural parameters, zero where the hypothesis holds, that JAX can trace.

    Raises
    ------
    ValueError, TypeError
        For what is none, and for equations that depend on each other.
    """
    g = fit.generator
    if callable(restriction):
        found = Smooth(g, restriction)
        try:
            h, slope = found.at(fit.saddle.theta)
        except Exception as error:
            raise ValueError(
                f"restriction: {first_sentence(error) or type(error).__name__}; give a function of "
                f"{', '.join(g.parameters)} in jax.numpy, zero where the hypothesis holds."
            ) from error
        if not (np.all(np.isfinite(h)) and np.all(np.isfinite(slope))):
            raise ValueError(
                "restriction: the function or its derivative is not finite at the estimate; give one smooth there."
            )
    else:
        matrix, target = _linear(restriction, g.names)
        _check_inside(matrix, target, g)
        found = Linear(g, matrix, target)
        slope = found.at(fit.saddle.theta)[1]
    r = len(slope)
    if r == 0:
        raise ValueError("restriction: it has no equation; give at least one.")
    if r > g.size:
        raise ValueError(f"restriction: {r} equations for {g.size} free parameters; give at most as many as those.")
    scaled = slope * np.sqrt(np.diag(fit.covariance.theta))  # in standard errors, so that units do not count
    sizes = np.linalg.norm(scaled, axis=1)
    values = np.linalg.svd(scaled / np.where(sizes > 0, sizes, 1.0)[:, None], compute_uv=False)
    if np.any(sizes == 0) or values[-1] <= _DEPENDENT * values[0]:
        raise ValueError(
            "restriction: its equations depend on each other, or do not react to the parameters, at the estimate; give "
            "equations with linearly independent derivatives."
        )
    return found


def _linear(restriction, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Give C (r, k) and b (r,) of linear equations C natural = b."""
    is_text = isinstance(restriction, str)
    if is_text or (isinstance(restriction, list) and restriction and all(isinstance(s, str) for s in restriction)):
        return _parsed(restriction if is_text else ", ".join(restriction), names)
    matrix, target = restriction if isinstance(restriction, tuple) and len(restriction) == 2 else (restriction, None)
    try:
        matrix = np.atleast_2d(np.asarray(matrix, np.float64))
        target = np.zeros(len(matrix)) if target is None else np.ravel(np.asarray(target, np.float64))
    except (TypeError, ValueError):
        raise TypeError(
            f"restriction: got {shown(restriction)}; give equations such as '{names[0]} = 1', an array of "
            "coefficients, a pair of array and values, or a function of the parameters."
        ) from None
    if matrix.ndim != 2 or matrix.shape[1] != len(names) or target.shape != matrix.shape[:1]:
        raise ValueError(
            f"restriction: shapes {matrix.shape} and {target.shape}; give one column for each of {', '.join(names)}, "
            "and one value for each row."
        )
    if not (np.all(np.isfinite(matrix)) and np.all(np.isfinite(target))):
        raise ValueError("restriction: its coefficients are not all finite; give finite numbers.")
    return matrix, target


def _parsed(text: str, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Read equations; names may hold brackets, commas or operators, and stand in backquotes or not."""
    aliases = {name: f"parameter_{k}_" for k, name in enumerate(names)}
    longest = sorted(names, key=len, reverse=True)
    alternatives = "|".join(re.escape(name) for name in longest)
    plain = re.sub(
        rf"`({alternatives})`|(?<![\w.])({alternatives})(?!\w)", lambda found: aliases[found[1] or found[2]], text
    )
    plain = re.sub(r"(?<![\w.])(\d+\.?\d*|\.\d+)[eE][+-]?\d+", lambda found: f"{Decimal(found[0]):f}", plain)
    unknown = [word for word in re.findall(r"(?<![\w.])[^\W\d]\w*", plain) if word not in aliases.values()]
    if unknown:
        raise ValueError(f"restriction: {unknown[0]} is no parameter; the parameters are {', '.join(names)}.")
    example = f"give linear equations such as '{names[0]} = 1', separated by commas"
    equations = plain.split(",")
    if any(equation.count("=") > 1 or not equation.strip() for equation in equations):
        raise ValueError(f"restriction: got {shown(text)}; {example}.")
    from formulaic.utils.constraints import LinearConstraints

    try:
        # Of "a = -2" formulaic makes one operator "= -"; of a difference of brackets it does not.
        differences = ["-".join(f"({side})" for side in equation.split("=")) for equation in equations]
        found = LinearConstraints.from_spec(",".join(differences), variable_names=list(aliases.values()))
        matrix, target = (
            np.asarray(found.constraint_matrix, np.float64),
            np.asarray(found.constraint_values, np.float64),
        )
    except Exception as error:
        raise ValueError(f"restriction: {shown(text)} is not understood; {example}.") from error
    return matrix.reshape(-1, len(names)), target.reshape(-1)


def _check_inside(matrix, target, generator):
    """Refuse an equation for one number that lies outside its space."""
    for row, value in zip(matrix, target, strict=True):
        alone = np.flatnonzero(row)
        if len(alone) != 1:
            continue
        name, space, wanted = generator.names[alone[0]], generator.element_spaces[alone[0]], value / row[alone[0]]
        if not space.lower < wanted < space.upper:
            raise ValueError(
                f"restriction: {name} = {wanted:g} is outside ({space.lower:g}, {space.upper:g}); give a value inside."
            )
