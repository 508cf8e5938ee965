"""Bad input: exit status 2, one line that says what is wrong, no traceback, and nothing written."""

import errno
import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from assay.cli import main
from assay.run.record import RunRecord

COMMAND = Path(sys.executable).with_name("assay")
MakeFolder = Callable[..., Path]
BAD = {
    "empty": b"",
    "text": b"this is no picture\n",
    "truncated": None,  # the first half of a PNG
    "corrupt": b"\x89PNG\r\n\x1a\n" + bytes(60),
}


@pytest.fixture(scope="module")
def trained(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    return RunRecord.read(shutil.copytree(finished_run, tmp_path_factory.mktemp("runs") / "digits"))


@pytest.fixture
def here(trained: RunRecord, make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with inputs of all kinds; the run lies in ``run``."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained.folder, "run")
    model = Path("run/model.safetensors").read_bytes()
    Path("cut.safetensors").write_bytes(model[: len(model) // 2])
    Path("text.safetensors").write_text("not a model")
    spoil_header(Path("run/model.safetensors"), Path("header.safetensors"))
    Path("pickle.safetensors").write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    Path("nothing").mkdir()
    os.mkfifo("pipe")
    Path("file.txt").write_text("text")
    levels = [f", a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    Path("laughs.yaml").write_text(f"train: {{a0: &a0 [x, x]{''.join(levels)}}}")
    make_folder(Path("pets"), {"cat": 8, "dog": 8})
    make_folder(Path("gap"), {"cat": 8})
    Path("gap/dog").mkdir()
    make_folder(Path("alone"), {"cat": 8})
    Path("broken.zip").write_bytes(b"PK\x03\x04 and then nothing of the kind")
    Path("broken.tar").write_bytes(b"no tar")
    with zipfile.ZipFile("no-images.zip", "w") as archive:
        archive.writestr("readme.txt", "text")
    return tmp_path


def spoil_header(model: Path, out: Path) -> None:
    """The same weights under a header that tells of a deviation of 0."""
    with safe_open(model, framework="pt") as file:
        header = json.loads(file.metadata()["assay"])
    header["preprocessing"]["std"] = [0.0]
    save_file(load_file(model), out, metadata={"assay": json.dumps(header)})


def spoil(folder: Path, kind: str, name: str = "spoiled.jpg") -> Path:
    """A file that is named like an image and is none, or not a whole one."""
    whole = next(folder.glob("*.png")).read_bytes()
    content = BAD[kind]
    (folder / name).write_bytes(whole[: len(whole) // 2] if content is None else content)
    return folder / name


def call(arguments: Sequence[str]) -> int:
    try:
        return main(list(arguments))
    except SystemExit as leave:
        return int(leave.code or 0)


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def refusal(arguments: str | Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that the command leaves with status 2, having written nothing in the working folder."""
    before = listing(Path())
    status = call(arguments.split() if isinstance(arguments, str) else arguments)
    printed = capsys.readouterr()
    assert status == 2
    assert printed.err.startswith("assay: ")
    assert printed.err.count("\n") == 1
    assert printed.err.endswith("\n")
    assert printed.out == ""
    assert listing(Path()) == before
    return printed.err.removeprefix("assay: ").rstrip()


COMMAND_LINES = [
    ("trin digits", "unknown command 'trin': did you mean train?"),
    ("", "the following arguments are required: COMMAND"),
    ("train", "the following arguments are required: RECIPE"),
    ("predict run", "the following arguments are required: INPUT"),
    ("train digits extra --out new", "unexpected argument 'extra'"),
    ("train digits --optim.lrr 3 --out new", "unknown option --optim.lrr: did you mean --optim.lr?"),
    ("train digits --epochs=3", "unknown option --epochs: did you mean --train.epochs?"),
    ("recipes shw", "did you mean show?"),
    ("recipes show", "which recipe? assay recipes show NAME"),
    ("recipes show dgits", "unknown recipe 'dgits': did you mean digits?"),
]
RECIPES = [
    ("train dgits --out new", "unknown recipe 'dgits': did you mean digits?"),
    ("train resnet18-cfar --out new", "did you mean resnet18-cifar?"),
    ("train absent.yaml --out new", "absent.yaml: no such recipe file"),
    ("train laughs.yaml --out new", "laughs.yaml: more than 50,000 values, counting what aliases (*name) stand for"),
    ("study run laughs.yaml --out new", "laughs.yaml: more than 50,000 values, counting what aliases (*name)"),
    ("train nothing --out new", "folder:nothing: expected one folder per class, found none"),
    ("train digits --optim.lr abc --out new", "optim.lr: 'abc' is not a number above 0"),
    ("train digits --train.epochs 1.5 --out new", "train.epochs: 1.5 is not a whole number"),
    ("train digits --train.epochs 0 --out new", "train.epochs: 0 is not a whole number at least 1"),
    ("train digits --optim.lr -1 --out new", "optim.lr: -1 is not a number above 0"),
    ("train digits --optim.lr nan --out new", "optim.lr: nan is not a number"),
    ("train digits --optim.name adm --out new", "did you mean adam?"),
    ("train digits --data.held_out 1 --out new", "data.held_out: 1 is not a number at least 0 and below 1"),
    (
        "train digits --train.select held-out --data.held_out 0 --out new",
        "train.select held-out needs data.held_out above 0",
    ),
    ("train digits --data.folds 1 --out new", "data.folds: 1 is not a whole number at least 2 and at most 1000"),
    ("train digits --data.folds 3 --data.fold 4 --out new", "data.fold: 4 is not one of data.folds (3)"),
    (
        "train digits --data.folds 3 --train.select test --out new",
        "train.select test: nothing may be selected on a fold",
    ),
    ("train digits --model.name restnet18 --out new", "did you mean resnet18?"),
    ("train digits --model.name timm:zzzqqq --out new", "unknown model of timm 'zzzqqq': the nearest of "),
    ("train digits --model.stem_kernel 3 --out new", "model simple-cnn has no option 'stem_kernel'"),
    ("train digits --train.batch_size 5000 --out new", "train.batch_size: 5000 is more than the"),
]
DATA = [
    ("train digits --data.name digts --out new", "unknown data 'digts': did you mean digits?"),
    ("train digits --data.name folder:absent --out new", "folder:absent: no such folder"),
    ("train digits --data.name folder:nothing --out new", "expected one folder per class, found none"),
    ("train digits --data.name folder:gap --out new", "class 'dog' has no images"),
    ("train digits --data.name parquet:absent --out new", "parquet:absent: no such file or folder"),
    ("train digits --data.name parquet:nothing --out new", "no .parquet file in it"),
    ("train digits --data.name parquet:file.txt --out new", "file.txt: not a Parquet file"),
    ("train digits --data.name folder:~nobody-here/x --out new", "home directory"),
    (
        "train digits --data.name folder:pets --data.size 16 --data.folds 9 --out new",
        "data.folds: 9 folds need as many images of each class; 'cat' has 8",
    ),
    ("train digits --data.folds 3 --data.groups near --out new", "digits takes near-duplicates alone"),
    (
        "train digits --data.groups near-duplicates --data.held_out 0 --train.select last --out new",
        "data.groups changes",
    ),
    ("check folder:absent", "folder:absent: no such folder"),
    ("check digits --near 2", "near: 2.0 is not between 0 and 1"),
    ("check digits --out absent/found.json", "absent: no such folder to write to"),
    ("check digits --out nothing", "nothing: a folder, not a file to write to"),
    ("find-lr digits --plot absent/x.png", "absent: no such folder to write to"),
    ("recipes show digits --plot absent/x.png", "absent: no such folder to write to"),
    ("predict run pipe", "pipe: not a file or a folder"),
    ("predict run pets --out new.jsonl --spreadsheet-safe", "--spreadsheet-safe is for CSV: new.jsonl is another"),
    ("errors run run", "run: the same run as run"),
    ("errors run run/../run/model.safetensors", "run/../run/model.safetensors: the same run as run"),
    ("errors run --label-split test", "label_split: only with label_errors"),
]
SETS = [
    ("new absent", "absent: no such folder, Parquet or tar file, and no set of that name: choose from digits, "),
    ("new cifar1", "did you mean cifar10?"),
    ("new file.txt", "file.txt: expected a folder of images, with a folder for each class, or a .parquet or .tar file"),
    ("new nothing", "folder:nothing: expected one folder per class, found none"),
    ("new pets/cat", "folder:pets/cat: expected one folder per class, found 8 images in no class folder"),
    ("new gap", "folder:gap: class 'dog' has no images"),
    ("new alone", "folder:alone: only one class, 'cat'; there is nothing to tell apart"),
    ("new run", "run: a recipe or a run, not a set of images; assay train takes it"),
    ("new run/recipe.yaml", "run/recipe.yaml: a recipe or a run, not a set of images"),
    ("new resnet18-cifar", "resnet18-cifar: a recipe or a run, not a set of images"),
    ("new .", ".: a folder of runs, not of images"),
    ("train . --out new", ".: a folder of runs, not of images"),
    ("train pets --data.name digits --out new", "data.name: the set is folder:pets; leave the option out"),
    ("new pets --out pets", "--out: pets is not a .yaml file"),
    ("new pets --out absent/pets.yaml", "absent: no such folder to write to"),
    ("new pets --out run/recipe.yaml", "run/recipe.yaml is there already; choose another --out"),
    ("new pets --optim.lr abc", "optim.lr: 'abc' is not a number above 0"),
    ("check absent", "absent: no such folder, Parquet or tar file"),
]
RUN_FOLDERS = [
    ("train digits --out run", "run holds a run already; go on with --resume, or choose another --out"),
    ("train digits --out pets", "pets is there already and is not a run folder"),
    ("train digits --out file.txt", "file.txt is there already and is not a run folder"),
    ("train run --resume --optim.lr 0.3", "cannot resume with another recipe: optim.lr was 0.002, now 0.3"),
    ("train digits --resume --out new", "new: no run to resume there"),
    ("train digits --resume", "which run to resume?"),
]
MODELS = [
    ("evaluate absent", "absent: no such run folder or model file"),
    ("evaluate nothing", "nothing: no model.safetensors in it"),
    ("evaluate text.safetensors", "text.safetensors: not a model file, or cut off"),
    ("evaluate cut.safetensors", "cut.safetensors: not a model file, or cut off"),
    (
        "evaluate header.safetensors",
        "the field preprocessing.std.0 of its header: input should be greater than or equal to 0.000001",
    ),
    (
        "predict header.safetensors pets",
        "the field preprocessing.std.0 of its header: input should be greater than or equal to 0.000001",
    ),
    (
        "errors header.safetensors --out new",
        "the field preprocessing.std.0 of its header: input should be greater than or equal to 0.000001",
    ),
    (
        "inspect header.safetensors --out new",
        "the field preprocessing.std.0 of its header: input should be greater than or equal to 0.000001",
    ),
    (
        "train digits --model.pretrained header.safetensors --out new",
        "the field preprocessing.std.0 of its header: input should be greater than or equal to 0.000001",
    ),
    ("predict pickle.safetensors pets", "pickle.safetensors: not a model file, or cut off"),
    ("evaluate run --split out-of-fold --out new", "run: no out-of-fold answers; a run with data.folds leaves them"),
    ("evaluate run --split tset --out new", "unknown split 'tset': did you mean test?"),
    ("evaluate run --data.name folder:pets --out new", "the data's class 'cat' is not among the model's"),
    ("evaluate run --on-bad-image skp --out new", "unknown on_bad_image 'skp': did you mean skip?"),
    ("evaluate run --data.label fine --out new", "data.label is for parquet:PATH and webdataset:PATH sets"),
    ("evaluate run --device tpu --out new", "no 'tpu' on this machine"),
]
PREDICTIONS = [
    ("predict run pets --out new.xlsx", "unknown output format '.xlsx': choose from .csv, .jsonl, .parquet"),
    ("predict run pets --out new", "unknown output format ''"),
    ("predict run pets --out absent/new.csv", "absent: no such folder to write to"),
    ("predict run absent --out new.csv", "absent: no such file or folder"),
    ("predict run pets/*.gif --out new.csv", "pets/*.gif: no such file or folder, and no file matches"),
    ("predict run ~nobody-here/x --out new.csv", "home directory"),
    ("predict run nothing --out new.csv", "nothing: no image in it"),
    ("predict run broken.zip --out new.csv", "broken.zip: not a readable archive"),
    ("predict run broken.tar --out new.csv", "broken.tar: not a readable archive"),
    ("predict run no-images.zip --out new.csv", "no-images.zip: no image in it"),
    ("predict run file.txt --out new.csv", "file.txt: not an image"),
    ("predict run pets --top 0 --out new.csv", "top: 0 is not at least 1"),
    ("predict run pets --top many --out new.csv", "argument --top: invalid int value: 'many'"),
    ("predict run pets --on-bad-image skp --out new.csv", "unknown on_bad_image 'skp': did you mean skip?"),
]


@pytest.mark.parametrize(
    ("arguments", "says"), [*COMMAND_LINES, *RECIPES, *DATA, *SETS, *RUN_FOLDERS, *MODELS, *PREDICTIONS]
)
@pytest.mark.usefixtures("here")
def test_bad_input_is_refused_in_one_line(arguments: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert says in refusal(arguments, capsys)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        *COMMAND_LINES[:2],
        *COMMAND_LINES[4:6],
        COMMAND_LINES[-1],
        *COMMAND_LINES[2:4],
        *COMMAND_LINES[6:8],
        DATA[3],  # for which it imports torch, which takes seconds
    ],
)
@pytest.mark.usefixtures("here")
def test_the_real_command_refuses_it_likewise(arguments: str, says: str) -> None:
    before = listing(Path())
    done = subprocess.run([COMMAND, *arguments.split()], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("assay: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr
    assert listing(Path()) == before


@pytest.mark.usefixtures("here")
def test_a_line_break_in_a_name_does_not_break_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        ["train", "di\ngits"],
        ["train", "digits", "--o\nther", "3"],
        ["predict", "run", "no\nsuch"],
        ["predict", "no\nsuch", "pets"],
        ["train", "digits", "--out", "file.txt/a\nb"],
    ):
        refusal(arguments, capsys)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.usefixtures("here")
def test_a_device_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no 'cuda' on this machine" in refusal("train digits --train.device cuda --out new", capsys)
    assert "no 'cuda' on this machine" in refusal("evaluate run --device cuda --out new", capsys)
    assert "no 'cpu:5' on this machine" in refusal("train digits --train.device cpu:5 --out new", capsys)
    assert "no 'cuda:7' on this machine" in refusal("predict run pets --device cuda:7 --out new.csv", capsys)


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.usefixtures("here")
def test_a_bad_image_stops_the_training_and_is_named(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    spoil(Path("pets/dog"), kind)
    assert refusal("train digits --data.name folder:pets --out new", capsys).startswith("dog/spoiled.jpg: ")


@pytest.mark.usefixtures("here")
def test_bad_images_are_left_out_on_request_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in BAD:
        spoil(Path("pets/dog"), kind, f"{kind} [1].jpg")
    options = "--data.on_bad_image skip --train.epochs 1 --train.batch_size 4"
    assert call(["train", "digits", "--data.name", "folder:pets", "--out", "new", *options.split()]) == 0
    printed = capsys.readouterr().out
    summary = RunRecord.read("new").summary
    for kind in BAD:
        assert f"left out: dog/{kind} [1].jpg: " in printed
        assert any(line.startswith(f"dog/{kind} [1].jpg: ") for line in summary["left_out"])
    assert len(summary["left_out"]) == len(BAD)
    assert summary["train_images"] + summary["held_out"]["images"] + summary["test"]["images"] == 16


@pytest.mark.usefixtures("here")
def test_a_huge_image_is_refused_before_it_takes_the_memory(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (40, 40)).save("pets/dog/huge.png")
    for limit in (1000, 500):  # Pillow warns from the limit on and raises from twice the limit on
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        assert "dog/huge.png: too large" in refusal("train digits --data.name folder:pets --out new", capsys)
        assert "pets/dog/huge.png: too large" in refusal("predict run pets --out new.csv", capsys)


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.usefixtures("here")
def test_a_bad_image_stops_the_prediction_and_is_named(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    bad = spoil(Path("pets/cat"), kind)
    assert refusal("predict run pets --out new.csv", capsys).startswith(f"{bad}: ")
    assert refusal("predict run pets", capsys).startswith(f"{bad}: ")


@pytest.mark.usefixtures("here")
def test_a_prediction_leaves_bad_images_out_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    names = [path.as_posix() for path in sorted(Path("pets").rglob("*.png"))]
    for kind in BAD:
        spoil(Path("pets/cat"), kind, f"00{kind}.png")
    assert call(["predict", "run", "pets", "--out", "new.csv", "--on-bad-image", "skip"]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert [line.partition(".png: ")[0] for line in errors] == [
        f"assay: left out: pets/cat/00{kind}" for kind in sorted(BAD)
    ]
    lines = Path("new.csv").read_text().splitlines()[1:]
    assert [line.partition(",")[0] for line in lines] == names


@pytest.mark.usefixtures("here")
def test_only_bad_images_give_no_empty_file(capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(spoil(Path("pets/cat"), "text"), "nothing/one.jpg")
    assert "no readable image" in refusal("predict run nothing --out new.csv --on-bad-image skip", capsys)


@pytest.mark.parametrize(
    ("command", "file"),
    [("train digits --out new --train.epochs 1", "new/recipe.yaml"), ("predict run pets --out new.csv", "new.csv")],
)
@pytest.mark.usefixtures("here")
def test_a_full_disk_is_said_in_one_line(
    command: str, file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:  # noqa: ARG001 - the interface
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert call(command.split()) == 2
    assert capsys.readouterr().err == f"assay: {file}: No space left on device\n"
    assert list(Path().rglob(".*.*")) == []  # no temporary file stays
    assert not Path("new.csv").exists()


@pytest.mark.parametrize(
    "arguments", ["--debug train dgits", "train dgits --debug", "evaluate absent --debug", "predict absent x --debug"]
)
def test_debug_shows_the_traceback(arguments: str) -> None:
    with pytest.raises(ValueError, match=r"unknown recipe|no such run folder"):
        main(arguments.split())


def test_a_bug_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise AssertionError("impossible")

    monkeypatch.setattr("assay.recipe.named.find_recipe", broken)
    with pytest.raises(AssertionError, match="impossible"):
        main(["recipes", "show", "digits"])


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_too_little_memory_comes_with_advice(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def greedy(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("assay.api.train", greedy)
    assert main(["train", "digits"]) == 2
    assert "try a smaller train.batch_size" in capsys.readouterr().err
