"""What has to hold on every device: on the CPU now, and on a GPU where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from on_device import CHECKS, CUDA_CHECKS, no_step_waits


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_on_the_cpu(name: str, tmp_path: Path) -> None:
    assert CHECKS[name](torch.device("cpu"), tmp_path)


def test_the_steps_that_must_not_wait_are_taken(tmp_path: Path) -> None:
    assert no_step_waits("fast-94", torch.device("cpu"), tmp_path)["loss"] > 0


@pytest.mark.cuda
@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("name", CUDA_CHECKS)
def test_on_a_gpu(name: str, tmp_path: Path) -> None:
    assert CUDA_CHECKS[name](torch.device("cuda"), tmp_path)
