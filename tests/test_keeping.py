"""Compiled programs kept on disk: where, when, and that a second process compiles nothing again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import hellgan as hg

ROOT = Path(hg.__file__).parents[1]
MISSES = """
import json, sys
import jax.monitoring
found = {"hits": 0, "misses": 0}
def note(event, **facts):
    for kind in found:
        if event.endswith(f"compilation_cache/cache_{kind}"):
            found[kind] += 1
jax.monitoring.register_event_listener(note)
"""
FIT = f"{MISSES}import hellgan.cli; code = hellgan.cli.main(['fit', '-'])"
SAID = "; sys.stderr.write('told ' + json.dumps([code, found]))"


def process(code: str, **environment: str) -> tuple:
    """Run in a process of its own without JAX's settings; exit code, standard output and what was found."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "HELLGAN_", "XDG_"))}
    clean |= {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(
        [sys.executable, "-c", code + SAID],
        input=hg.datasets.csv_text("newcomb"),
        capture_output=True,
        text=True,
        env=clean,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    code, found = json.loads(done.stderr.rpartition("told ")[2])
    return code, done.stdout, found


def test_the_second_command_compiles_nothing(tmp_path):
    first = process(FIT, XDG_CACHE_HOME=str(tmp_path))
    folder = tmp_path / "hellgan" / "programs"
    kept = sorted(folder.iterdir())
    assert first[0] == 0
    assert kept
    assert folder.stat().st_mode & 0o077 == 0  # nobody else's
    second = process(FIT, XDG_CACHE_HOME=str(tmp_path))
    assert second[1] == first[1]
    assert second[2]["misses"] < first[2]["misses"]
    assert second[2]["hits"] >= 4
    # Neither into the home folder, nor anywhere, where it is not wanted; another folder is another.
    assert process(FIT, HELLGAN_PROGRAMS="off", XDG_CACHE_HOME=str(tmp_path / "off"))[2]["hits"] == 0
    assert not (tmp_path / "off").exists()
    process(FIT, HELLGAN_PROGRAMS=str(tmp_path / "own"), XDG_CACHE_HOME=str(tmp_path / "off"))
    assert list((tmp_path / "own").iterdir())
    theirs = process(FIT, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "theirs"), XDG_CACHE_HOME=str(tmp_path / "off"))
    assert theirs[0] == 0
    assert not (tmp_path / "off").exists()


def test_a_folder_that_cannot_be_made_does_not_stop_a_command(tmp_path):
    (tmp_path / "file").write_text("")
    assert process(FIT, HELLGAN_PROGRAMS=str(tmp_path / "file" / "programs"))[0] == 0


def test_in_python_it_is_asked_for(tmp_path):
    code = f"{MISSES}import jax, hellgan as hg; before = jax.config.jax_compilation_cache_dir; "
    code += "jax.jit(lambda x: x + 1)(1.0); "  # JAX has set up its cache, without a folder
    code += f"folder = hg.keep_programs({str(tmp_path / 'own')!r}); "
    code += "hg.GAN(hg.datasets.load_newcomb(), 'normal').fit(); code = [before, str(folder)]"
    code, _, _ = process(code)
    assert code == [None, str(tmp_path / "own")]
    assert list((tmp_path / "own").iterdir())


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(TypeError, match="folder: got 3; give a path"):
        hg.keep_programs(3)  # pyright: ignore[reportArgumentType]
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"folder: .* cannot be made .*; give another"):
        hg.keep_programs(tmp_path / "file" / "programs")
