"""The same runs on Ray: equal bytes, whatever is killed, with a shared store or without one."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_study import DIGITS, SHORT, essence, small_plan, what_counts

from assay.run.folder import RunFolder
from assay.run.precision import stated
from assay.studies.conduct import StudyObserver, conduct
from assay.studies.execution import on_ray, ray_connection, ray_share, ray_tasks
from assay.studies.execution.on_ray import Ray
from assay.studies.execution.parcel import pack, unpack
from assay.studies.execution.ray_task import Driver
from assay.studies.execution.store import Job, Outcome, Store
from assay.studies.results import StudyResults
from killing import is_midway

ray = pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = pytest.mark.xdist_group("processes")  # one worker starts it

Undisturbed = tuple[Store, StudyResults]
Processes = Callable[..., dict[int, int]]


def pretend(monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    """Tell the workers something else of the driver than is so."""
    original = on_ray._driver

    @contextlib.contextmanager
    def other(store: Store) -> Iterator[Driver]:
        with original(store) as driver:
            yield replace(driver, **changes)

    monkeypatch.setattr(on_ray, "_driver", other)


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_study_gives_the_same_numbers_as_without_ray(undisturbed: Undisturbed, tmp_path: Path) -> None:
    store = Store(tmp_path)
    results = conduct(small_plan(), store, StudyObserver(), Ray())
    assert what_counts(results) == what_counts(undisturbed[1])
    for job in small_plan().order():
        assert essence(store, job) == essence(undisturbed[0], job)
    assert not list(tmp_path.glob(".*"))
    assert ray.is_initialized()


def family() -> list[Job]:
    """A teacher, its student, and a student of that one."""
    teacher = Job(SHORT)
    student = Job(SHORT.but({"train.seed": 1, "loss.teacher_weight": 0.5}), {"loss.teacher": teacher})
    return [teacher, student, Job(SHORT.but({"train.seed": 2, "loss.teacher_weight": 0.5}), {"loss.teacher": student})]


@pytest.mark.slow
def test_without_a_shared_folder_all_comes_back_through_the_driver(
    local_ray: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, store = Store(tmp_path / "shared"), Store(tmp_path / "store")
    teacher, student, last = family()
    refused = Job(SHORT.but({"train.batch_size": 5000}))
    ends = [(job.key, outcome.status) for job, outcome in Ray()([teacher, student, last], shared)]
    assert ends == [(job.key, "finished") for job in (teacher, student, last)]  # none before those that it needs
    unpack(pack(shared.folder(teacher)), store.folder(teacher))  # it was done before, and is not among the jobs
    pretend(monkeypatch, root=tmp_path / "of another host")
    found = {job.key: outcome for job, outcome in Ray()([student, last, refused], store)}
    assert [found[job.key].status for job in (student, last, refused)] == ["finished", "finished", "failed"]
    assert "train.batch_size" in found[refused.key].reason
    assert "train.batch_size" in store.log(refused).read_text()
    for job in (student, last):
        assert essence(store, job) == essence(shared, job)
        kept = {path.name for path in store.folder(job).iterdir()}
        assert kept == {path.name for path in shared.folder(job).iterdir()} - {"last.ckpt"}
        assert RunFolder(local_ray / "execution" / job.key).checkpoint.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_other_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, code="of yesterday")
    [(_, outcome)] = Ray()([Job(SHORT)], Store(tmp_path))
    assert outcome.status == "failed"
    assert outcome.reason.endswith("has another version of assay or its libraries")
    assert not (tmp_path / Job(SHORT).key).exists()


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_run_is_stopped_on_request_and_saves(undisturbed: Undisturbed, tmp_path: Path) -> None:
    store, stopped = Store(tmp_path), Job(stated(DIGITS))  # as the study's plan has it
    long = Job(DIGITS.but({"train.epochs": 100}))

    def watch(job: Job) -> bool:
        return job is long and (store.folder(job) / "last.ckpt").exists()

    ends = {job.key: outcome.status for job, outcome in Ray()([long, stopped], store, watch)}
    assert ends == {long.key: "interrupted", stopped.key: "finished"}
    assert essence(store, stopped) == essence(undisturbed[0], stopped)
    assert store.outcome(long) is None


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_study_is_stopped_and_killed_and_goes_on(
    undisturbed: Undisturbed,
    processes: Processes,
    wait_until: Callable[[Callable[[], object]], None],
    start_study: Callable[..., subprocess.Popen[bytes]],
    tmp_path: Path,
) -> None:
    """In a process that starts its own Ray, in one that joins a cluster, and in this one, where Ray runs already."""
    store = Store(tmp_path)
    for number, address, status in (
        (signal.SIGINT, "its own", 1),  # an InterruptedStudyError
        (signal.SIGKILL, ray.get_runtime_context().gcs_address, -signal.SIGKILL),
    ):
        study = start_study(store, address)
        wait_until(lambda: processes(store))
        study.send_signal(number)
        assert study.wait() == status
        wait_until(lambda: not processes(store))
    conduct(small_plan(), store, StudyObserver(), Ray())  # on the Ray that is running
    for job in small_plan().order():
        assert essence(store, job) == essence(undisturbed[0], job)
    assert {path.name[:8] for path in tmp_path.glob(".*")} <= {".driver-"}  # the killed one's mark


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_killed_workers_lose_nothing(undisturbed: Undisturbed, processes: Processes, tmp_path: Path) -> None:
    store = Store(tmp_path)
    killed: list[int] = []

    class Killing(StudyObserver):
        def watch(self, job: Job) -> bool:
            if len(killed) < 2 and is_midway(store.folder(job)):
                for worker in set(processes(store, job).values()) - set(killed):
                    os.kill(worker, signal.SIGKILL)
                    killed.append(worker)
                    assert is_midway(store.folder(job))
            return False

    results = conduct(small_plan(), store, Killing(), Ray(retries=10))
    assert len(killed) == 2
    assert what_counts(results) == what_counts(undisturbed[1])
    for job in small_plan().order():
        assert essence(store, job) == essence(undisturbed[0], job)


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_worker_that_is_lost_too_often_fails_its_run_alone(processes: Processes, tmp_path: Path) -> None:
    store, victim, fine = Store(tmp_path), Job(DIGITS.but({"train.epochs": 60})), Job(SHORT)
    student = Job(SHORT.but({"train.seed": 1, "loss.teacher_weight": 0.5}), {"loss.teacher": victim})

    def kill(job: Job) -> bool:
        if job is victim and (store.folder(job) / "last.ckpt").exists():
            for parent in processes(store, job).values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(parent, signal.SIGKILL)
        return False

    refused = Job(SHORT.but({"train.batch_size": 5000}))
    ends = {job.key: outcome for job, outcome in Ray(retries=0)([refused, victim, student], store, kill)}
    assert ends[victim.key].status == "failed"
    assert ends[victim.key].reason.startswith("Ray gave up: The worker died unexpectedly")
    assert ends[student.key] == Outcome("failed", f"the run {victim.key} that it needs did not finish")
    assert ends[refused.key].status == "failed"
    assert "train.batch_size" in ends[refused.key].reason
    assert all(store.outcome(job) == ends[job.key] for job in (victim, student, refused))
    assert list(Ray()([fine], store)) == [(fine, Outcome("finished"))]


@pytest.mark.parametrize(("gpus", "seen"), [(0, ""), (1, "0")])
def test_a_run_sees_the_gpus_that_it_asked_for(gpus: float, seen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(ray_connection, "keep_server", lambda: None)
    assert ray_connection._call_at_worker(os.environ.get, gpus, ["CUDA_VISIBLE_DEVICES"]) == seen
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"


def test_runs_are_killed_where_the_driver_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled: list[tuple[str, dict[str, bool]]] = []
    task = SimpleNamespace(remote=lambda *_: "reference")
    monkeypatch.setattr(on_ray, "connected", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": {"CPU": 1}}])
    monkeypatch.setattr(ray_tasks, "remote", lambda *_, **__: task)
    monkeypatch.setattr(ray, "wait", lambda *_, **__: 1 / 0)
    monkeypatch.setattr(ray, "cancel", lambda ref, **how: cancelled.append((ref, how)))
    with pytest.raises(ZeroDivisionError):
        list(Ray()([Job(SHORT)], Store(tmp_path)))
    assert cancelled == [("reference", {"force": True})]


def test_a_missing_cluster_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
        with pytest.raises(ValueError, match=f"no Ray cluster at {address}"):
            ray_connection._join(address)


def test_what_ray_cannot_do_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"train\.threads"):
        Ray()([Job(SHORT.but({"train.threads": None}))], Store(tmp_path))
    with pytest.raises(ValueError, match=r"train\.device: cuda:0, for a run with 0 GPUs on Ray; .* or state cpu"):
        Ray()([Job(SHORT.but({"train.device": "cuda:0"}))], Store(tmp_path))
    with pytest.raises(ValueError, match="cpus of a run on Ray: 0 is not a number above 0"):
        Ray(cpus=0)
    with pytest.raises(ValueError, match="cpus of a run on Ray: True is not a number above 0"):
        Ray(cpus=True)
    with pytest.raises(ValueError, match="retries of a run on Ray: -1 is too few"):
        Ray(retries=-1)
    assert list(Ray()([], Store(tmp_path))) == []
    monkeypatch.setattr(ray_share.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ValueError, match=r"Ray is not installed: pip install 'assay\[ray\]'"):
        Ray()
