"""Which script made which committed table or figure, and what the script was then.

    .venv/bin/python benchmarks/origins.py NAME [NAME ...]

runs ``benchmarks/NAME.py``, keeps what it prints as ``benchmarks/results/NAME.md`` and records that. Scripts that write
files call `record` themselves. ``origins.json`` holds for each file the script, a digest of its code (comments,
docstrings and layout do not count) and a digest of the file: a file is out of date when its script has changed since,
and was edited by hand when it is not what the script wrote. `tests/test_origins.py` fails for either.
"""

import argparse
import ast
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEDGER = ROOT / "benchmarks" / "origins.json"


def code_digest(script: Path) -> str:
    """Digest of what a script does: of its syntax tree without docstrings, or of a notebook's code cells."""
    if script.suffix == ".ipynb":
        cells = json.loads(script.read_text(encoding="utf-8"))["cells"]
        return _digest("\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code").encode())
    tree = ast.parse(script.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return _digest(ast.unparse(tree).encode())


def file_digest(file: Path) -> str:
    """Digest of a file's bytes, or of a notebook's cells with their outputs."""
    if file.suffix != ".ipynb":
        return _digest(file.read_bytes())
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    return _digest(json.dumps(cells, sort_keys=True).encode())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def ledger() -> dict[str, dict[str, str]]:
    """What was recorded, by the files' paths from the root."""
    return json.loads(LEDGER.read_text(encoding="utf-8")) if LEDGER.exists() else {}


def record(files: Iterable[Path], script: Path | str) -> None:
    """Record files that a script has just written; files outside the repository are passed over."""
    script, entries = Path(script).resolve(), ledger()
    for file in map(Path.resolve, map(Path, files)):
        if file.is_relative_to(ROOT):
            entries[file.relative_to(ROOT).as_posix()] = {
                "script": script.relative_to(ROOT).as_posix(),
                "code": code_digest(script),
                "file": file_digest(file),
            }
    LEDGER.write_text(json.dumps(dict(sorted(entries.items())), indent=1) + "\n", encoding="utf-8")


def forget_times(notebook: Path) -> None:
    """Remove when each cell ran, which would make every run another file."""
    contents = json.loads(notebook.read_text(encoding="utf-8"))
    for cell in contents["cells"]:
        cell["metadata"].pop("execution", None)
    notebook.write_text(json.dumps(contents, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def faults() -> dict[str, str]:
    """What is wrong with a recorded file, by its path: nothing, one hopes."""
    found = {}
    for name, entry in ledger().items():
        file, script = ROOT / name, ROOT / entry["script"]
        if not file.exists() or not script.exists():
            found[name] = f"{name if not file.exists() else entry['script']} does not exist"
        elif code_digest(script) != entry["code"]:
            found[name] = f"older than {entry['script']}; run that again"
        elif file_digest(file) != entry["file"]:
            found[name] = f"not what {entry['script']} wrote; run that again"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Run benchmarks and keep what they print.")
    parser.add_argument("names", nargs="+", metavar="NAME", help="benchmarks/NAME.py, or a notebook that was just run")
    for name in parser.parse_args().names:
        if name.endswith(".ipynb"):
            forget_times(Path(name))
            record([Path(name)], name)
            continue
        script = ROOT / "benchmarks" / f"{name}.py"
        print(f"{script.name} ...", flush=True)
        printed = subprocess.run([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, check=True).stdout
        file = ROOT / "benchmarks" / "results" / f"{name}.md"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"Printed by `benchmarks/{name}.py`.\n\n{printed}", encoding="utf-8")
        record([file], script)
        print(printed)


if __name__ == "__main__":
    main()
