"""Reports of studies, read: their tables, and entries with an error in brackets."""

import re

import numpy as np

ENTRY = re.compile(r"(-?\d+(?:\.\d+)?) \((\d+(?:\.\d+)?)\)")


def tables(text) -> dict[str, list[list[str]]]:
    """Read tables by the line above them, which ends in a colon; the first row is the header."""
    found = {}
    for title, body in re.findall(r"^([^|\n]+):\n\n((?:\|.*\n)+)", text, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in body.splitlines()]
        found[title] = [rows[0], *rows[2:]]
    return found


def agrees(printed: str, value) -> np.ndarray:
    """Whether numbers are the printed one, to its last digit."""
    digits = len(printed.partition(".")[2])
    return np.abs(np.asarray(value, float) - float(printed)) <= 0.5000001 * 10.0**-digits
