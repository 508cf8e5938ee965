"""Whatever a file holds, its reader answers: exit status 0, 1 or 2, with one line where it is 2."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attack_world import build_world
from attacking import KINDS, Case, draw, fault_of

EXAMPLES = 10  # of each kind; benchmarks/attack.py draws as many as there is time for


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_world(tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize("kind", KINDS)
@given(chance=st.randoms(use_true_random=False))
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
def test_a_mutated_file_gets_an_answer(kind: str, chance: Random, world: Path) -> None:
    assert fault_of(draw(world, kind, chance), world) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_the_files_are_sound_before_they_are_mutated(kind: str, world: Path) -> None:
    file, _, readers = KINDS[kind]
    for read in readers:
        assert fault_of(Case(kind, (world / file).read_bytes(), read), world, may_refuse=False) == ""
