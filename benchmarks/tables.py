"""Make the tables of README and docs anew: `make tables`.

    .venv/bin/python benchmarks/tables.py [NAME ...]

A table in a document stands below a comment that says where it comes from, ``<!-- benchmarks/results/NAME.md -->``: the
table of that file that has the same header is copied. With ``<!-- benchmarks/results/NAME.md: some rows -->`` only the
rows that are there already are renewed, by their first cell. `tests/test_tables.py` fails where this would change a
page.

With names, these benchmarks run first. What ``benchmarks/NAME.py`` prints is kept as ``benchmarks/results/NAME.md``,
with a line that says who made it (``provenance.py``); ``coverage`` and the studies, ``benchmarks/studies/NAME.py``,
write their own files.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import provenance
from machine import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TABLE = re.compile(r"(?:^\|.*\|\n)+", re.MULTILINE)
PLACE = re.compile(rf"^<!-- (benchmarks/\S+\.md)(: some rows)? -->\n\n({TABLE.pattern})", re.MULTILINE)


def renewed(page: str) -> str:
    """A page with its tables as the benchmarks printed them last."""

    def table(place: re.Match) -> str:
        file, some, old = place.groups()
        begin = place.group(0)[: -len(old)]
        header, rule, *rows = old.splitlines()
        new = list(_rows(ROOT / file, header))
        if some:
            of = {first(row): row for row in new}
            new = [of[first(row)] for row in rows]
        return "\n".join([begin + header, rule, *new]) + "\n"

    return PLACE.sub(table, page)


def first(row: str) -> str:
    """A row's first cell."""
    return row.split("|")[1].strip()


def _rows(file: Path, header: str) -> Iterator[str]:
    for found in TABLE.findall(file.read_text(encoding="utf-8")):
        begin, _, *rows = found.splitlines()
        if begin == header:
            yield from rows
            return
    raise ValueError(f"{file.name} has no table with the header {header}")


def renew(page: Path) -> None:
    """Renew a page in its place, and say what was renewed; nothing where it has no tables."""
    before = page.read_text(encoding="utf-8")
    after = renewed(before)
    pairs = list(zip(PLACE.findall(before), PLACE.findall(after), strict=True))
    changed = [new[0] for old, new in pairs if old != new]
    if changed:
        page.write_text(after, encoding="utf-8")
    if pairs:
        told = f"{len(changed)} renewed ({', '.join(dict.fromkeys(changed))})" if changed else "none differs"
        print(f"{page.relative_to(ROOT)}: tables {len(pairs)}, {told}")


def run(script: Path) -> None:
    """Run a benchmark and keep its results."""
    print(f"{script.relative_to(ROOT)} ...", flush=True)
    results, command = script.parent / "results", [sys.executable, str(script)]
    if script.parent.name == "studies" or script.stem == "coverage":
        subprocess.run([*command, "--out", str(results)], check=True)
        return
    now = provenance.commit()
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    print(printed)
    file = results / f"{script.stem}.md"
    file.parent.mkdir(exist_ok=True)
    file.write_text(printed, encoding="utf-8")
    provenance.sign([file], provenance.line(script, now))


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the tables of README and docs anew.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks or studies to run before")
    scripts = []
    for name in parser.parse_args().names:
        places = [ROOT / "benchmarks" / f"{name}.py", ROOT / "benchmarks" / "studies" / f"{name}.py"]
        found = [place for place in places if place.exists()]
        if not found:
            parser.error(f"there is no {places[0].relative_to(ROOT)}, nor {places[1].relative_to(ROOT)}")
        scripts.append(found[0])
    for script in scripts:
        run(script)
    for page in PAGES:
        renew(page)


if __name__ == "__main__":
    main()
