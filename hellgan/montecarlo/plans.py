"""Which methods run in which cells of a study, and how often."""

from collections.abc import Mapping
from typing import Any

from hellgan.checks import shown
from hellgan.definitions import definition, digest
from hellgan.montecarlo import methods
from hellgan.montecarlo.continuing import is_folder_name
from hellgan.montecarlo.design import Cell, Plan, checked_count, matches


def plans_of(given: Mapping[str, Any], cells: Mapping[str, Cell], replications: int, factors) -> dict[str, Plan]:
    """Read the methods of a study, each with the cells it runs in and its number of replications."""
    if not isinstance(given, Mapping) or not given:
        raise TypeError("methods: give a dict of names, such as {'root': dict(loss='root')}.")
    plans = {}
    for name, method in given.items():
        name = str(name)
        if not is_folder_name(name):
            raise ValueError(f"methods: {shown(name)} cannot name a folder; give a name without slashes.")
        try:
            entry = methods.read(name, method)
        except (ValueError, TypeError) as error:
            if str(error).startswith("methods"):
                raise
            raise type(error)(f"methods: {name}: {error}") from None
        chosen = tuple(key for key, cell in cells.items() if matches(entry.where, cell.labels, factors))
        if not chosen:
            raise ValueError(f"methods: {name} runs in no cell; let its where= hold for at least one.")
        wanted = (
            replications if entry.replications is None else checked_count(f"replications of {name}", entry.replications)
        )
        described = definition(entry.definition)
        plans[name] = Plan(name, entry.method, digest(described), described, wanted, chosen)
    return plans
