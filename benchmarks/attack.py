"""Damage every kind of file that assay reads, at random, and see that its readers answer: in one line, without a crash.

python benchmarks/attack.py --minutes 30 --seed 0

Each case has a number: its seed. `--case KIND SEED` repeats one and shows the whole answer; `--keep` writes its file.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from attack_world import build_world
from attacking import KINDS, draw, fault_of


def main() -> None:
    options = parse()
    with tempfile.TemporaryDirectory() as place:
        world = build_world(Path(place))
        if options.case:
            sys.exit(repeat(world, *options.case, keep=options.keep))
        cases, faults = attack(world, options.minutes, options.seed)
    print(", ".join(f"{kind} {cases[kind]}" for kind in KINDS))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{cases.total()} cases, {faults} faults, at most {memory:.2f} GiB of memory")
    sys.exit(faults > 0)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default: 30)")
    parser.add_argument("--seed", type=int, default=0, help="of the first case; the next ones follow (default: 0)")
    parser.add_argument("--case", nargs=2, metavar=("KIND", "SEED"), help="repeat one case")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="with --case: write the damaged file")
    return parser.parse_args()


def attack(world: Path, minutes: float, seed: int) -> tuple[Counter[str], int]:
    """Draw cases of all kinds in turn until the time is over; print each fault with the way to repeat it."""
    cases: Counter[str] = Counter()
    faults, end = 0, time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        for kind in KINDS:
            number = seed + cases[kind]
            cases[kind] += 1
            fault = fault_of(draw(world, kind, Random(number)), world)
            if fault:
                faults += 1
                last = fault.strip().splitlines()[-1]
                print(f"python benchmarks/attack.py --case {kind} {number}\n  {last[:300]}", flush=True)
    return cases, faults


def repeat(world: Path, kind: str, number: str, keep: Path | None) -> int:
    """Repeat a case, print what is wrong with the answer, and return whether something is."""
    case = draw(world, kind, Random(int(number)))
    if keep:
        keep.write_bytes(case.content)
    fault = fault_of(case, world)
    print(fault or "no fault")
    return bool(fault)


if __name__ == "__main__":
    main()
