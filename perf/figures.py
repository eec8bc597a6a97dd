"""Figures that a benchmark has measured: printed for people, written for the budget."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured.

    Attributes:
        name: What it is called in the budget and in the docs, such as
            ``gateway.search_10.jsonrpc``.
        value: What was measured.
        unit: ``x`` for a ratio of two medians of one run, ``ms``, ``MiB``, ``1/s``.
        of: In one line, what was measured, over what.
    """

    name: str
    value: float
    unit: str
    of: str


def options(description: str | None, *, rounds: int) -> ArgumentParser:
    """Answer what reads the options that every benchmark has.

    Args:
        description: The benchmark's docstring; its first line is shown.
        rounds: How often each thing is measured unless told.
    """
    first = (description or "").partition("\n")[0]
    parser = ArgumentParser(description=first)
    parser.add_argument(
        "--rounds", type=int, default=rounds, help="default %(default)s"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser


def report(figures: Sequence[Figure], to: Path | None) -> None:
    """Print the figures, and write them where they were asked for.

    Args:
        figures: What was measured.
        to: A file; None writes none.
    """
    width = max((len(figure.name) for figure in figures), default=0)
    for figure in figures:
        value = f"{figure.value:10.3f} {figure.unit:4}"
        sys.stdout.write(f"{figure.name:{width}} {value} {figure.of}\n")
    if to is not None:
        to.write_text(json.dumps([asdict(figure) for figure in figures], indent=1))


def read(path: Path) -> list[Figure]:
    """Read figures that were written by ``report``."""
    return [Figure(**figure) for figure in json.loads(path.read_text())]
