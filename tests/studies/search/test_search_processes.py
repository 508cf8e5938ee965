"""Searches in processes: killed ones go on, several share the trials, Ray does them; and one on digits, for real."""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest
import searching
from optuna.pruners import NopPruner
from searching import Asked, by_rate, look

from assay.recipe.named import find_recipe
from assay.recipe.recipe import Recipe
from assay.studies.conduct import Execute
from assay.studies.execution import local, ray_share
from assay.studies.execution import on_ray as ray_module
from assay.studies.search.trials import TrialEnd
from assay.studies.search.workers import on_ray
from killing import Warm, warm

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes")]  # one worker starts the warm ones, and Ray
Make = Callable[[Callable[[Recipe], Sequence[float]]], Execute]


@pytest.fixture(scope="module")
def warm_searches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """Starts processes that search, in no time."""
    with warm(tmp_path_factory.mktemp("cache"), searching.__file__) as starter:
        yield starter


@pytest.fixture(params=[None, "trials.db"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """Of the trials: the default, a journal; or SQLite."""
    return request.param and str(tmp_path / request.param)


def search_in(folder: Path, searches: Warm, asked: Asked) -> int:
    """The exit status of what is asked for; what it said is beside the folder."""
    asked.write(folder)
    return searches.do(folder)


def test_a_killed_search_goes_on_with_the_same_values(
    warm_searches: Warm, tmp_path: Path, pretend: Make, begun: Callable[[], list[str]], storage: str | None
) -> None:
    assert search_in(tmp_path, warm_searches, Asked(4, storage, dies_in=3)) == -signal.SIGKILL
    assert len(begun()) == 3
    found = look(tmp_path, pretend(by_rate), trials=4, storage=storage, pruner=NopPruner())
    assert len(found.of_state("finished")) == 4
    assert not found.of_state("running")
    [killed] = found.of_state("put back")
    assert found.trials[killed.number + 1].values == killed.values
    assert Counter(begun())[killed.run] == 2
    assert len(begun()) == 5


def test_two_processes_share_a_storage(
    warm_searches: Warm, tmp_path: Path, begun: Callable[[], list[str]], storage: str | None
) -> None:
    status = search_in(tmp_path, warm_searches, Asked(8, storage, processes=2))
    assert status == 0, tmp_path.with_suffix(".out").read_text()
    found = look(tmp_path, lambda *_: iter(()), trials=1, storage=storage)
    assert len(found.trials) == len(found.of_state("finished")) == 8
    assert len(begun()) == len(set(begun())) == 8
    assert len(list(tmp_path.glob("*.searcher"))) == 2


on_a_ray = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")


@on_a_ray
@pytest.mark.usefixtures("local_ray")
def test_on_ray(tmp_path: Path, pretend: Make, begun: Callable[[], list[str]]) -> None:
    found = look(tmp_path, pretend(lambda recipe: [recipe.optim.lr / 100] * 4), trials=4, workers=on_ray())
    assert len(found.of_state("finished", "pruned")) == 4
    assert len(set(begun())) == len(begun()) == 4


@on_a_ray
@pytest.mark.usefixtures("local_ray")
def test_a_process_that_ray_loses_is_no_end_of_the_search(tmp_path: Path, pretend: Make) -> None:
    def die_once(recipe: Recipe) -> list[float]:
        if not (tmp_path / "died").exists():
            (tmp_path / "died").touch()
            os._exit(1)
        return [recipe.optim.lr / 100] * 4

    found = look(tmp_path, pretend(die_once), trials=3, workers=on_ray())
    assert len(found.of_state("finished", "pruned")) == 3
    assert not found.of_state("running")
    assert (tmp_path / "died").exists()


@on_a_ray
def test_a_search_that_no_machine_has_room_for_leaves_no_folder(
    tmp_path: Path, pretend: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_module, "connected", lambda _address: nullcontext())
    monkeypatch.setattr(ray_share, "machines", lambda: [{"CPU": 2.0}])
    with pytest.raises(ValueError, match="a run takes 64 CPU, which no machine"):
        look(tmp_path, pretend(by_rate), trials=3, workers=on_ray(cpus=64))
    assert not (tmp_path / "studies").exists()


@on_a_ray
@pytest.mark.usefixtures("local_ray")
def test_an_error_comes_back_from_ray_as_it_was() -> None:
    def fail() -> TrialEnd:
        raise ValueError("no such luck")

    with pytest.raises(ValueError, match=r"^no such luck$"):
        list(on_ray().repeat(fail, 1))


def test_a_search_on_digits_from_the_command_line(
    warm_runs: Warm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from assay.cli import Parser
    from assay.commands.study import search as command

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(local, "process_starter", lambda: nullcontext(warm_runs))
    parser = Parser()
    command.add_arguments(parser)
    given = "digits --over optim.lr=0.001..0.1 --trials 3 --confirm-seeds 7 --train.epochs 1 --train.select held-out"
    options = parser.parse_args(given.split())
    options.given = ["study", "search", *given.split()]
    assert command.execute(options) == 0
    said = capsys.readouterr().out
    assert "best.yaml" in said
    assert re.search(r"best of\s+the search|as given", said)
    folder = tmp_path / "studies" / "search-digits"
    table = (folder / "search.md").read_text()
    assert "seeds: 7\n" in table
    assert "1/1" in table
    assert (folder / "confirmation" / "table.md").exists()
    name, recipe = find_recipe(folder / "best.yaml")
    assert name == "best"
    from assay.api import train

    record = train(recipe, {"train.epochs": 1}, out=tmp_path / "trained")
    assert record.summary["status"] == "finished"
    assert command.execute(options) == 0
