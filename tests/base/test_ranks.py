"""Shares are disjoint and make up the whole; sums, texts and failures reach every rank."""

import pytest
import torch

from assay.base.ranks import ALONE, EndedElsewhereError, Ranks
from ranks_in_threads import in_threads


@pytest.mark.parametrize(("images", "size"), [(145, 3), (8, 3), (2, 3), (6, 2), (5, 1)])
def test_shares_are_disjoint_and_make_up_the_whole(images: int, size: int) -> None:
    shares = [Ranks(rank, size).share(torch.arange(images)) for rank in range(size)]
    assert torch.cat(shares).tolist() == list(range(images))
    lengths = [len(share) for share in shares]
    assert max(lengths) - min(lengths) <= 1


def test_each_part_is_shared_by_itself() -> None:
    shares = [Ranks(rank, 2).share(torch.arange(10), parts=2).tolist() for rank in range(2)]
    assert shares == [[0, 1, 2, 5, 6, 7], [3, 4, 8, 9]]


def test_alone_is_the_whole() -> None:
    values = torch.arange(3)
    assert ALONE.share(values, parts=3) is values
    ALONE.add_up([values])
    ALONE.copy_first([values])
    with ALONE.together():
        assert values.tolist() == [0, 1, 2]
    assert (ALONE.any(False), ALONE.any(True), ALONE.text_of_first("né")) == (False, True, "né")


def test_tensors_of_several_types_and_layouts_are_added_up() -> None:
    def work(ranks: Ranks) -> list[torch.Tensor]:
        image = torch.arange(24.0).view(1, 2, 3, 4).to(memory_format=torch.channels_last)
        tensors = [image * (ranks.rank + 1), torch.tensor(ranks.rank), torch.tensor([0.1], dtype=torch.float64)]
        ranks.add_up(tensors)
        return tensors

    for image, rank, tenth in in_threads(3, work):
        assert torch.equal(image, 6 * torch.arange(24.0).view(1, 2, 3, 4))
        assert rank.item() == 3
        assert tenth.item() == pytest.approx(0.3, rel=1e-15)


def test_all_have_the_text_and_the_numbers_of_the_first() -> None:
    def work(ranks: Ranks) -> tuple[str, str, list[int], bool]:
        numbers = torch.tensor([ranks.rank + 7])
        ranks.copy_first([numbers])
        texts = [ranks.text_of_first(text) for text in (f"rüns/{ranks.rank}" * (ranks.rank + 1), "")]
        return texts[0], texts[1], numbers.tolist(), ranks.any(ranks.rank == 2)

    assert in_threads(3, work) == [("rüns/0", "", [7], True)] * 3


@pytest.mark.parametrize("failing", [{1}, {1, 2}, {0, 1, 2}])
def test_a_block_is_left_by_all_or_by_none(failing: set[int]) -> None:
    def work(ranks: Ranks) -> str:
        try:
            with ranks.together():
                if ranks.rank in failing:
                    raise ValueError(f"of {ranks.rank}")
        except (ValueError, EndedElsewhereError) as error:
            return str(error)
        return "went on"

    other = "another process of the run has failed"
    assert in_threads(3, work) == [f"of {rank}" if rank == min(failing) else other for rank in range(3)]
