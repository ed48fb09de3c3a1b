"""How often programs of the package have been compiled."""


def compilations(*programs) -> list[int]:
    """Give for each program how many structures and shapes of its arguments it has been compiled for."""
    return [program.compiled._cache_size() for program in programs]
