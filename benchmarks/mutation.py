"""Break lines of the program at random, one at a time, and see which breaks the tests notice.

python benchmarks/mutation.py --count 20 --seed 0

Each break is small: a comparison, an operator, a condition or a number is exchanged for another. It is made in a copy
of the checkout. The tests of the room that the line belongs to run first, and all others where these pass, without the
slow ones. Each break is printed with the test that noticed it, if any did; some are no faults at all (a block size, a
tolerance). Before the first break all tests have to pass in the copy, or every break would seem to be noticed.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
PLACES = ("training", "data", "base/statistics.py", "studies")
TIMEOUT_SECONDS = 1800  # of a stage; a break that makes the tests hang is noticed too
NOTHING_COLLECTED = 5  # pytest's exit status
EXCHANGED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True)
class Break:
    """A line of a file, before and after."""

    file: Path
    line: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}\n    - {self.before.strip()}\n    + {self.after.strip()}"


def breaks(file: Path) -> Iterator[Break]:
    """All breaks of a file that stay within one line; annotations, docstrings and texts are left alone."""
    text = (HOME / file).read_text()
    lines = text.splitlines()
    for node in _nodes(ast.parse(text)):
        changed = _exchanged(node)
        if changed is None or node.lineno != node.end_lineno:
            continue
        line = lines[node.lineno - 1]
        if not line.isascii():  # offsets are of bytes, not of characters
            continue
        after = line[: node.col_offset] + changed + line[node.end_col_offset :]
        yield Break(file, node.lineno, line, after)


def _nodes(tree: ast.AST) -> Iterator[ast.expr]:
    """The expressions that are executed, without annotations and without what stands in a text."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list") or isinstance(tree, ast.JoinedStr | ast.ImportFrom):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.expr):
                yield child
            if isinstance(child, ast.AST):
                yield from _nodes(child)


def _exchanged(node: ast.expr) -> str | None:
    """The source of the broken expression; None where this kind is not broken."""
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=comparators) if type(operator) in EXCHANGED:
            broken: ast.expr = ast.Compare(left, [EXCHANGED[type(operator)]()], comparators)  # type: ignore[list-item]
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in EXCHANGED:
            broken = ast.BinOp(left, EXCHANGED[type(operator)](), right)  # type: ignore[arg-type]
        case ast.BoolOp(op=operator, values=values):
            broken = ast.BoolOp(EXCHANGED[type(operator)](), values)  # type: ignore[arg-type]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            broken = operand
        case ast.IfExp(test=test, body=body, orelse=orelse):
            broken = ast.IfExp(test, orelse, body)
        case ast.Constant(value=bool() as value):
            broken = ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            broken = ast.Constant(value + 1)
        case _:
            return None
    return f"({ast.unparse(broken)})"


def chosen(places: Sequence[str], count: int, seed: int) -> list[Break]:
    """Lines drawn without replacement, all with the same chance, and of each line one of its breaks."""
    roots = [HOME / "src/assay" / place for place in places]
    files = sorted({file for root in roots for file in (root.rglob("*.py") if root.is_dir() else [root])})
    by_line: dict[tuple[Path, int], list[Break]] = {}
    for file in files:
        for one in breaks(file.relative_to(HOME)):
            by_line.setdefault((one.file, one.line), []).append(one)
    draw = random.Random(seed)
    return [draw.choice(by_line[key]) for key in draw.sample(sorted(by_line), min(count, len(by_line)))]


def noticed_by(one: Break, tests: Sequence[str], home: Path, workers: str = "auto") -> str:
    """The first test of the copy at ``home`` that fails under the break, empty if none does; the file is put back."""
    file = home / one.file
    whole = file.read_text()
    lines = whole.splitlines(keepends=True)
    lines[one.line - 1] = f"{one.after}\n"
    file.write_text("".join(lines))
    try:
        stages = [stage for stage in (_own_tests(one.file, home), list(tests)) if stage]
        return next(filter(None, (failed(home, stage, workers) for stage in stages)), "")
    finally:
        file.write_text(whole)


def _own_tests(file: Path, home: Path) -> list[str]:
    """The folder of tests that mirrors the file's, or the nearest one above that is there."""
    folder = Path("tests", *file.parts[2:-1])
    while not (home / folder).is_dir():
        folder = folder.parent
    return [] if folder == Path("tests") else [str(folder)]


def failed(home: Path, tests: Sequence[str], workers: str = "auto") -> str:
    """The first of the tests of the copy at ``home`` that fails, or in words why they have no end; empty for none."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-n",
        workers,
        "-m",
        "not slow",
        "-p",
        "no:cacheprovider",
        *tests,
    ]
    environment = {**os.environ, "PYTHONPATH": str(home / "src")}
    try:
        done = subprocess.run(
            command, cwd=home, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return "a time limit"
    if done.returncode in (0, NOTHING_COLLECTED):
        return ""
    names = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, flags=re.MULTILINE)
    return names[0] if names else f"pytest's end with status {done.returncode}"


def main() -> int:
    """Break, test, and print what notices; 1 where nothing notices a break, 2 where the tests fail without one."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=20, help="lines to break (default: 20)")
    parser.add_argument("--seed", type=int, default=0, help="of the drawing (default: 0)")
    parser.add_argument("--in", dest="places", nargs="+", default=PLACES, metavar="PLACE", help="below src/assay")
    parser.add_argument("--tests", nargs="*", default=["tests"], help="what pytest runs after the room's own tests")
    parser.add_argument("--list", action="store_true", help="print the breaks and run nothing")
    options = parser.parse_args()
    found = chosen(options.places, options.count, options.seed)
    if options.list:
        print("\n".join(map(str, found)))
        return 0
    unnoticed = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "assay"
        shutil.copytree(HOME, home, ignore=shutil.ignore_patterns(".venv", ".git", "runs", "*_cache"))
        if name := failed(home, options.tests):
            print(f"without any break {name} fails: nothing can be said of breaks", file=sys.stderr)
            return 2
        for number, one in enumerate(found, start=1):
            name = noticed_by(one, options.tests, home)
            print(f"{number}/{len(found)} {f'noticed by {name}' if name else 'NOT NOTICED'}\n{one}", flush=True)
            unnoticed += [] if name else [one]
    print(f"{len(found) - len(unnoticed)} of {len(found)} breaks were noticed")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main())
