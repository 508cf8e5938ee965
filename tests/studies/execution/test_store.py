"""Runs are found again by what decides their numbers, and by nothing else."""

import shutil
from pathlib import Path

import pytest

from assay.base.json_files import write_json
from assay.recipe.recipe import Recipe, read_recipe
from assay.run.folder import RunFolder, check_same
from assay.run.run import run
from assay.studies.execution import store as module
from assay.studies.execution.code_version import code_version
from assay.studies.execution.parcel import pack, unpack
from assay.studies.execution.store import Job, Outcome, Store, job_with_full_paths, with_full_paths

WITHOUT_EFFECT = {
    "data.root": "/elsewhere",
    "data.workers": 3,
    "data.cache": "off",
    "train.checkpoint_minutes": 1.5,
    "train.tensorboard": False,
}
FIELDS = [f"{section}.{name}" for section, fields in Recipe().to_dict().items() for name in fields]


def another(field: str) -> Recipe:
    """A recipe that differs in that field, be the value a valid one or not."""
    section, _, name = field.partition(".")
    changed = getattr(Recipe(), section).model_copy(update={name: "another"})
    return Recipe().model_copy(update={section: changed})


def test_equal_recipes_have_equal_keys() -> None:
    assert Job(Recipe()).key == Job(Recipe().but({"train.epochs": 10})).key
    assert len(Job(Recipe()).key) == 16


@pytest.mark.parametrize("name", WITHOUT_EFFECT)
def test_what_changes_no_number_changes_no_key(name: str) -> None:
    assert Job(Recipe().but({name: WITHOUT_EFFECT[name]})).key == Job(Recipe()).key


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("name", [name for name in FIELDS if name not in WITHOUT_EFFECT])
def test_any_other_field_changes_the_key(name: str) -> None:
    assert Job(another(name)).key != Job(Recipe()).key


def test_other_code_changes_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Job(Recipe()).key
    monkeypatch.setattr(module, "code_version", lambda: "of tomorrow")
    assert Job(Recipe()).key != before
    assert len(code_version()) == 16


def test_full_paths_change_no_key_and_hold_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.pth").touch()
    (tmp_path / "default").touch()
    paths = {"data.name": "folder:photos", "data.root": "data", "model.pretrained": "weights.pth"}
    student = Job(Recipe().but(paths), {"loss.teacher": Job(Recipe().but({"data.name": "folder:photos"}))})
    placed = job_with_full_paths(student)
    keys = [job.key for one in (student, placed) for job in (one, *one.after.values())]
    monkeypatch.chdir("/")
    assert keys[:2] == keys[2:] == [job.key for job in (placed, *placed.after.values())]
    assert placed.recipe.data.name == f"folder:{tmp_path / 'photos'}"
    assert placed.recipe.data.root == tmp_path / "data"
    assert placed.recipe.model.pretrained == str(tmp_path / "weights.pth")
    assert with_full_paths(Recipe().but({"model.pretrained": "default"})).model.pretrained == "default"
    assert with_full_paths(Recipe().but({"model.pretrained": "V1"})).model.pretrained == "V1"


def test_a_run_goes_on_however_the_path_of_its_images_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = Recipe().but({"data.name": "folder:photos"})
    check_same(before, before.but({"data.name": f"folder:{tmp_path}/x/../photos"}), epochs_done=1)
    with pytest.raises(ValueError, match=r"data\.name was folder:photos"):
        check_same(before, before.but({"data.name": "folder:others"}), epochs_done=1)


def test_what_comes_before_is_part_of_the_key_and_its_place_is_not() -> None:
    teacher, student = Job(Recipe()), Recipe().but({"model.width": 0.5})
    placed = student.but({"loss.teacher": "/somewhere"})
    key = Job(student, {"loss.teacher": teacher}).key
    assert key == Job(placed, {"loss.teacher": teacher}).key
    assert key != Job(student).key
    assert key != Job(placed).key
    assert key != Job(student, {"loss.teacher": Job(Recipe().but({"train.seed": 1}))}).key
    assert key != Job(student, {"model.pretrained": teacher}).key


def test_a_set_of_images_is_known_by_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe().but({"data.name": "folder:photos"})
    keys = set()
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        keys |= {Job(recipe).key, Job(recipe.but({"data.name": f"folder:{tmp_path / place}/photos"})).key}
    assert len(keys) == 2


def test_the_store_fills_in_the_folders_of_runs_before(tmp_path: Path) -> None:
    teacher = Job(Recipe())
    student = Job(Recipe().but({"model.width": 0.5}), {"loss.teacher": teacher})
    assert Store(tmp_path).recipe(student).loss.teacher == str(tmp_path / teacher.key)


def test_failures_are_noted_and_forgotten(tmp_path: Path) -> None:
    store, job = Store(tmp_path / "not yet there"), Job(Recipe().but({"train.epochs": 1, "data.size": 16}))
    assert store.outcome(job) is None
    store.note(job, Outcome("failed", "no room"))
    assert store.outcome(job) == Outcome("failed", "no room")
    store.note(job, Outcome("interrupted"))
    assert store.outcome(job) is None
    store.note(job, Outcome("failed", "no room"))
    run(job.recipe, store.folder(job))
    assert store.outcome(job) == Outcome("finished")
    write_json(RunFolder(store.folder(job)).summary, {"status": "diverged", "epoch": 3})
    assert store.outcome(job) == Outcome("diverged", "diverged in epoch 3")


def test_a_probed_run_without_its_traces_is_damaged(tmp_path: Path) -> None:
    store, job = Store(tmp_path), Job(Recipe().but({"data.size": 16, "train.epochs": 1, "probe.every": 10}))
    run(job.recipe, store.folder(job))
    assert store.outcome(job) == Outcome("finished")
    (store.folder(job) / "surface.jsonl").unlink()
    outcome = store.outcome(job)
    assert outcome is not None
    assert outcome.status == "failed"
    assert outcome.reason.endswith("the probe's traces are missing")


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    store, job = Store(tmp_path), Job(Recipe())
    store.folder(job).mkdir()
    RunFolder(store.folder(job)).summary.write_text("{")
    outcome = store.outcome(job)
    assert outcome is not None
    assert outcome.status == "failed"
    assert "its record is damaged" in outcome.reason
    assert "summary.json" in outcome.reason
    store.set_aside(job)
    assert store.outcome(job) is None
    assert (tmp_path / f"{job.key}.damaged" / "summary.json").read_text() == "{"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("summary.json", '{"status": "finished"}', "summary.json: figures are missing"),
        ("summary.json", '{"status": "finished", "test": {}, "seconds": 1}', "summary.json: figures are missing"),
        ("env.json", '{"cores": NaN}', "env.json: not JSON: NaN is no number of JSON"),
    ],
)
def test_a_record_without_what_a_table_needs_is_damaged(
    finished_run: Path, tmp_path: Path, name: str, text: str, said: str
) -> None:
    store, job = Store(tmp_path), Job(read_recipe(finished_run / "recipe.yaml"))
    folder = Path(shutil.copytree(finished_run, store.folder(job)))
    assert store.outcome(job) == Outcome("finished")
    (folder / name).write_text(text)
    assert store.outcome(job) == Outcome("failed", f"its record is damaged: {folder / said}")


@pytest.mark.parametrize(
    "text", ["", '{"epoch": 1}\n', '{"epoch": 1, "test_accuracy": 0.5, "test_loss": 1}\n{"epoch": 2}\n']
)
def test_a_run_selected_by_the_test_split_needs_its_epochs(finished_run: Path, tmp_path: Path, text: str) -> None:
    store, job = Store(tmp_path), Job(read_recipe(finished_run / "recipe.yaml").but({"train.select": "test"}))
    folder = Path(shutil.copytree(finished_run, store.folder(job)))
    (folder / "recipe.yaml").write_text(job.recipe.to_yaml())
    (folder / "metrics.jsonl").write_text(text)
    assert store.outcome(job) == Outcome(
        "failed", f"its record is damaged: {folder / 'metrics.jsonl'}: figures of epochs are missing"
    )


def test_a_failure_whose_reason_cannot_be_read_is_still_a_failure(tmp_path: Path) -> None:
    store, job = Store(tmp_path), Job(Recipe())
    for text in ("[" * 100_000, "3", "{"):
        (tmp_path / f"{job.key}.failed.json").write_text(text)
        outcome = store.outcome(job)
        assert outcome is not None
        assert outcome.reason.startswith(f"its reason cannot be read: {tmp_path / job.key}.failed.json: ")


def fill(folder: Path, **contents: str) -> Path:
    (folder / "tb").mkdir(parents=True)
    (folder / "tb" / "events").write_text("curves")
    for name, content in contents.items():
        (folder / name.replace("_", ".")).write_text(content)
    return folder


def test_a_run_folder_travels_whole_and_without_its_checkpoint(tmp_path: Path) -> None:
    there = fill(tmp_path / "there", summary_json="{}", last_ckpt="weights", recipe_yaml="a: 1")
    parcel = pack(there)
    assert parcel == {"tb/events": b"curves", "summary.json": b"{}", "recipe.yaml": b"a: 1"}
    unpack(parcel, tmp_path / "store" / "here")
    assert pack(tmp_path / "store" / "here") == parcel
    assert {path.name for path in (tmp_path / "store").iterdir()} == {"here", "here.lock"}


def test_an_arriving_folder_takes_the_place_of_an_unfinished_one_only(tmp_path: Path) -> None:
    parcel = {"summary.json": b"{}", "metrics.jsonl": b"new"}
    unfinished = fill(tmp_path / "unfinished", last_ckpt="weights", metrics_jsonl="old")
    finished = fill(tmp_path / "finished", summary_json="{}", metrics_jsonl="old")
    fill(tmp_path / ".unfinished.new", left_over="by a kill")
    unpack(parcel, unfinished)
    unpack(parcel, finished)
    unpack({}, tmp_path / "nothing")
    assert pack(unfinished) == parcel
    assert not (unfinished / "last.ckpt").exists()
    assert (finished / "metrics.jsonl").read_text() == "old"
    assert not (tmp_path / "nothing").exists()
    assert not list(tmp_path.glob(".*"))
