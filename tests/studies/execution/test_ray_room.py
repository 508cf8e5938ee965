"""A run's share of a machine, and how many runs a cluster gets at once, by what Ray says of its machines."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.recipe.recipe import Recipe
from assay.studies.execution import on_ray, ray_tasks
from assay.studies.execution.on_ray import Done, Ray
from assay.studies.execution.queue import Queue
from assay.studies.execution.ray_share import Room, Share, check_room
from assay.studies.execution.ray_task import Returned
from assay.studies.execution.store import Job, Outcome, Store

ray = pytest.importorskip("ray", reason="Ray is not installed")

ONE = Recipe().but({"train.threads": 1, "train.device": "cpu"})
ON_GPU = ONE.but({"train.device": "cuda"})
JOBS = [Job(ONE.but({"train.seed": seed})) for seed in range(8)]
SMALL, BIG = {"CPU": 2.0, "memory": 1e9}, {"CPU": 16.0, "GPU": 2.0}


@pytest.mark.parametrize(
    ("share", "machines", "room"),
    [
        (Share(1, 0), [SMALL, BIG], 18),
        (Share(4, 0.25), [SMALL, BIG], 4),
        (Share(1, 0.1), [{"CPU": 99, "GPU": 0.3}], 3),  # in binary 0.3 / 0.1 is a little less than 3
        (Share(1, 1), [SMALL], 0),
        (Share(3, 0), [SMALL, SMALL], 0),  # a run lies on one machine
        (Share(1, 0), [], 0),
    ],
)
def test_the_room_for_runs(share: Share, machines: list[dict[str, float]], room: int) -> None:
    assert share.room(machines) == room


def test_each_recipe_gets_what_it_needs() -> None:
    share = Share(2, 0.5)
    assert share.of(ONE) == Share(2, 0)
    assert share.of(ON_GPU.but({"train.threads": 4})) == Share(4, 0.5)
    assert share.of(ON_GPU.but({"data.workers": 6})) == Share(6, 0.5)
    assert share.of(ON_GPU.but({"train.device": "auto"})) == share


def test_a_part_of_several_gpus_is_refused() -> None:
    with pytest.raises(ValueError, match=r"gpus of a run on Ray: 1\.5 is neither a part of one nor a whole number"):
        Share(1, 1.5)


def test_a_run_that_no_machine_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": SMALL}, gone])
    check_room([Share(2, 0)])
    with pytest.raises(
        ValueError, match=r"a run takes 1 CPU and 0\.5 GPU, which no machine .* \(at most 2 CPU, 0 GPU\)"
    ):
        check_room([Share(1, 0), Share(1, 0.5)])


def test_gpus_that_no_run_takes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gpus of a run on Ray: 1, and all runs have train\.device cpu; state cuda"):
        Ray(gpus=1)(JOBS, Store(tmp_path))


def test_a_cluster_gets_what_it_has_room_for_and_one_that_grows_some_more() -> None:
    said: list[str] = []
    fixed, growing, share = Room(False, said.append), Room(True, said.append), Share(1, 1)
    assert [fixed.most(share, [BIG]), growing.most(share, [BIG])] == [2, 5]
    assert said == []
    assert [growing.most(share, [SMALL]), growing.most(share, [])] == [1, 1]
    assert said == ["no machine of the Ray cluster has room for a run with 1 CPU and 1 GPU; waiting for one"]
    assert growing.most(share, [BIG, BIG]) == 9
    assert fixed.most(share, [SMALL]) == 1  # its machine was lost
    assert len(said) == 2


class Cluster:
    """What Ray answers: its machines, and the tasks that end, each time it is asked."""

    def __init__(self) -> None:
        self.machines: list[dict[str, float]] = [SMALL]
        self.has: list[Job] = []

    def remote(self, job: Job, *_: object) -> str:
        self.has.append(job)
        return job.key

    def wait(self, refs: list[str], **_: object) -> tuple[list[str], list[str]]:
        """The oldest ends."""
        self.has.pop(0)
        return refs[:1], refs[1:]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A cluster that does nothing for a task."""
    it = Cluster()
    monkeypatch.setattr(on_ray, "connected", lambda _address: contextlib.nullcontext())
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": machine} for machine in it.machines])
    monkeypatch.setattr(ray_tasks, "remote", lambda *_, **__: it)
    monkeypatch.setattr(ray, "wait", it.wait)
    monkeypatch.setattr(ray, "get", lambda _ref: Returned(Outcome("finished")))
    monkeypatch.setattr(ray, "cancel", lambda *_, **__: None)
    return it


def keys(jobs: list[Job]) -> list[str]:
    return [job.key for job in jobs]


def test_what_there_is_no_room_for_is_left_to_others(cluster: Cluster, tmp_path: Path) -> None:
    done: Iterator[Done] = Ray()(JOBS, Store(tmp_path))
    assert next(done) == (JOBS[0], Outcome("finished"))
    assert keys(cluster.has) == keys(JOBS[1:2])
    with Queue(JOBS[1:], Store(tmp_path)) as elsewhere:
        taken = [elsewhere.take(), elsewhere.take()]
        assert taken == JOBS[2:4]
        rest = [next(done)[0] for _ in range(5)]
        assert rest == [JOBS[1], *JOBS[4:]]
    assert [job for job, _ in done] == JOBS[2:4]  # which the other has left undone


def test_a_machine_more_or_less_changes_how_much_is_handed_over(cluster: Cluster, tmp_path: Path) -> None:
    said: list[str] = []
    jobs = [Job(ON_GPU.but({"train.seed": seed})) for seed in range(8)]
    cluster.machines = [SMALL, BIG]
    done = Ray("auto", gpus=1, say=said.append)(jobs, Store(tmp_path))
    next(done)
    assert keys(cluster.has) == keys(jobs[1:2])
    cluster.machines = [SMALL, BIG, BIG]
    next(done)
    assert keys(cluster.has) == keys(jobs[2:5])
    assert said == []
    cluster.machines = [SMALL]
    assert [job for job, _ in done] == jobs[2:]
    assert said == ["no machine of the Ray cluster has room for a run with 1 CPU and 1 GPU; waiting for one"]
