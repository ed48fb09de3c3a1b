"""Compiled programs kept on disk, so that a later process with models of the same shapes loads them."""

import os
import sys
from pathlib import Path

import jax

VARIABLE = "HELLGAN_PROGRAMS"  # a folder, or "off"


def keep_programs(folder: str | os.PathLike | None = None) -> Path:
    """Keep compiled programs in a folder, and load from there what it holds of them.

    Compilation is what most of a first fit waits for. The command line keeps its programs unless the environment
    variable ``HELLGAN_PROGRAMS`` is ``off``; in Python this is to be called, before the first fit. It sets JAX's
    compilation cache for the whole process, so that programs of others are kept there, too. The folder may be removed
    at any time.

    Parameters
    ----------
    folder : path, optional
        Unless given the one that ``HELLGAN_PROGRAMS`` names, or ``hellgan/programs`` among the user's cached files
        (``~/.cache`` on Linux). It is made where it is missing. Programs are code: let nobody else write there.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    TypeError, OSError
        For a folder that is no path, or cannot be made or written to.

    Examples
    --------
    >>> import hellgan as hg
    >>> folder = hg.keep_programs("/tmp/programs")  # doctest: +SKIP
    """
    if folder is not None and not isinstance(folder, (str, os.PathLike)):
        raise TypeError(f"folder: got {folder!r}; give a path, or nothing for the user's own.")
    named = os.environ.get(VARIABLE, "")
    where = Path(folder) if folder is not None else Path(named) if named not in ("", "off") else _own()
    try:
        where.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise OSError(f"folder: {str(where)!r} cannot be made ({error}); give another.") from None
    if not os.access(where, os.W_OK):
        raise OSError(f"folder: {str(where)!r} cannot be written to; give another.")
    from jax.experimental.compilation_cache import compilation_cache

    jax.config.update("jax_compilation_cache_dir", str(where))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    compilation_cache.reset_cache()  # which is set up once, perhaps before this call
    return where


def keep_by_default() -> None:
    """Keep programs where nobody has said otherwise, to JAX or by the environment, and a folder can be had."""
    is_set = getattr(jax.config, "jax_compilation_cache_dir", None) is not None
    is_off = os.environ.get(VARIABLE) == "off" or not getattr(jax.config, "jax_enable_compilation_cache", True)
    if is_set or is_off:
        return
    try:
        keep_programs()
    except OSError:
        return  # compiling anew takes longer, and does no harm


def _own() -> Path:
    """The folder of this package among the user's cached files."""
    home = Path.home()
    if sys.platform == "win32":
        cache = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        cache = home / "Library" / "Caches"
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return cache / "hellgan" / "programs"
