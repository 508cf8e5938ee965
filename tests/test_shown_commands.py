"""Every command that README and the other documents show is run, on small data and with small numbers."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import uvicorn
import yaml

from assay.cli import build_parser, main
from assay.recipe.named import RECIPES
from assay.run.benchmark import bench, gauge
from assay.studies.execution import local
from small_world import PRETRAINED, WIDTH, copy_runs, run_small, train_resnet, write_cifar, write_files

HOME = Path(__file__).parents[1]
DOCUMENTS = {file.name: file.read_text() for file in (HOME / "README.md", *sorted((HOME / "docs").glob("*.md")))}

# What is added to the commands that begin so; the last one counts where an option is given twice.
TRAIN = "--train.epochs 1 --train.threads 1"
CIFAR = f"{TRAIN} --train.batch_size 20 --data.train_images 100 --train.tensorboard false"
NARROW = f"{CIFAR} --model.width {WIDTH}"
PHOTOS = f"--train.threads 1 --train.batch_size 8 --data.size 32 --model.name {PRETRAINED}"
SMALLER = {
    "assay train digits --data.folds": f"{TRAIN} --data.folds 2 --data.train_images 100",
    "assay train digits": TRAIN,
    "assay train runs/digits --resume": "--train.epochs 2",
    "assay train runs/shared --resume": "--train.epochs 2",
    "assay new": f"{PHOTOS} --model.pretrained weights.pth",
    "assay train photos/": f"{PHOTOS} --train.epochs 1 --model.pretrained weights.pth",
    "assay train photos --data.name webdataset": f"{PHOTOS} --train.epochs 1 --train.tensorboard false",
    "assay train photos.yaml": "--train.epochs 1",
    "assay train photos-finetune --data.name folder:photos --model.name torchvision:mobilenet_v3_small": (
        f"{PHOTOS} --train.epochs 1 --model.pretrained mobilenet.pth --model.name torchvision:mobilenet_v3_small"
    ),
    "assay train photos-finetune --data.name folder:photos --data.folds": (
        f"{PHOTOS} --train.epochs 1 --model.pretrained weights.pth --data.folds 2"
    ),
    "assay train small.yaml --time": "--time 5m --train.epochs 1",
    "assay train photos-finetune": f"{PHOTOS} --train.epochs 1 --model.pretrained weights.pth",
    "assay train vgg16-": NARROW,
    "assay train resnet18-cifar": NARROW,
    "assay train fast-9": NARROW,
    "assay train r2-default": NARROW,
    "assay train simple-cnn": CIFAR,
    "assay study run bn-accuracy": "--seeds 3,4 --control-seeds 4",
    "assay study run stem --splits": "--splits 2 --seeds 1",
    "assay study run": "--seeds 1",
    "assay study search": f"{CIFAR} --trials 2 --confirm-seeds 7",
    "assay inspect": "--format png",
    "assay errors": "--format png",
    "assay serve": "--port 0",
}
IMAGENET = "-m assay train imagenet-baseline --out runs/imagenet"
NOT_RUN = {
    "python3 start.py": "makes an environment",
    "python3 start.py test": "is what runs this test",
    "pip install 'assay[search]'": "installs from the package index",
    "pip install 'assay[weights]'": "installs from the package index",
    "assay check s3://bucket/shards": "needs a cloud; tests/data/test_places.py reads from addresses",
    "assay train simple-cnn --data.name webdataset:s3://bucket/shards --data.workers 8 --out runs/from-s3": (
        "as the line before"
    ),
    "tensorboard --logdir runs": "is TensorBoard's own server; tests/run/tracking reads what it shows",
    f"torchrun --nproc-per-node 8 {IMAGENET}": "tests/run/test_several_processes.py does",
    f"torchrun --nproc-per-node 8 --max-restarts 3 {IMAGENET}": "as the line before",
    "ASSAY_PATIENCE=60 assay train digits --devices cpu:2": "a variable; tests/run/test_several_processes.py sets it",
    f"ASSAY_PATIENCE=60 torchrun --nproc-per-node 8 {IMAGENET}": "as the line before",
    "ray up --yes cluster.yaml": "needs a cloud",
    'ray exec cluster.yaml "assay study run my-study.yaml --on ray --address auto --gpus 0.25 --autoscaling"': (
        "needs a cloud; below its words are read"
    ),
    "ray rsync-down cluster.yaml studies/ studies/": "needs a cloud",
    "ray down --yes cluster.yaml": "needs a cloud",
    "curl -F model=digits -F image=@seven.png http://127.0.0.1:8000/api/predict": "tests/pages/server sends this form",
}


def shown(document: str) -> list[str]:
    """The commands in a document's blocks of console and shell; a continued line is one command."""
    blocks = re.findall(r"^```(console|sh)\n(.*?)^```", DOCUMENTS[document], flags=re.MULTILINE | re.DOTALL)
    lines = [(kind, line) for kind, block in blocks for line in block.replace("\\\n", " ").splitlines()]
    commands = [line.removeprefix("$ ") for kind, line in lines if kind == "sh" or line.startswith("$ ")]
    return [re.sub(r"\s+#.*", "", command) for command in commands]


def small(command: str) -> list[str]:
    """The words after `assay`, and those that make the command small."""
    more = next((words for start, words in SMALLER.items() if command.startswith(start)), "")
    return [*shlex.split(command)[1:], *shlex.split(more)]


@pytest.fixture
def _world(
    tmp_path: Path,
    finished_run: Path,
    make_folder: Callable[..., Path],
    write_parquet: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    undrawn: None,  # noqa: ARG001 - for its effect
) -> None:
    """A working folder with all that the commands name; studies train in this process, and a server ends at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_DATA", str(write_cifar(tmp_path / "data", write_parquet)))
    monkeypatch.setattr(local, "run_here", run_small)
    monkeypatch.setattr(uvicorn.Server, "run", lambda *_, **__: None)
    for effort in ("FULL", "QUICK"):
        monkeypatch.setattr(bench, effort, bench.Effort(2, 0.0, 0.0, ("flip, crop",), 8, 2))
    monkeypatch.setattr(bench, "NETWORKS", bench.NETWORKS[:1])
    monkeypatch.setattr(bench, "PHOTO_NETWORK", {"name": "resnet18", "width": WIDTH})
    monkeypatch.setattr(gauge, "in_own_process", lambda function, *arguments: function(*arguments))
    write_files(tmp_path, make_folder)
    copy_runs(tmp_path / "runs", finished_run)
    shutil.copy(finished_run / "recipe.yaml", "my-recipe.yaml")
    (study,) = re.findall(r"^```yaml\n(# my-study.yaml\n.*?)^```", DOCUMENTS["studies.md"], re.MULTILINE | re.DOTALL)
    Path("my-study.yaml").write_text(study)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of the loaders that assay bench measures
@pytest.mark.usefixtures("_world")
@pytest.mark.parametrize("document", [name for name in DOCUMENTS if set(shown(name)) - NOT_RUN.keys()])
def test_every_shown_command_runs(document: str) -> None:
    """In the order of the document, but the studies come first: README shows their report before it tells of them."""
    commands = [command for command in shown(document) if command not in NOT_RUN]
    if document == "README.md":
        shutil.rmtree("runs/digits")  # the tour trains it
    if document == "inspect.md":
        train_resnet(Path("runs/resnet18"))
    if document in ("report.md", "serve.md"):
        commands.insert(0, "assay study run stem")
    for command in sorted(commands, key=lambda command: not command.startswith("assay study")):
        expected = 130 if command.startswith("assay serve") else 0  # as after Ctrl-C
        assert main(small(command)) == expected, command


def test_what_is_not_run_is_shown_somewhere() -> None:
    assert NOT_RUN.keys() <= {command for document in DOCUMENTS for command in shown(document)}


def commands_of_clusters() -> list[str]:
    """Those in job scripts, and those that are sent to another machine."""
    scripts = re.findall(r"^```bash\n(.*?)^```", DOCUMENTS["scale.md"], flags=re.MULTILINE | re.DOTALL)
    lines = [*"".join(scripts).splitlines(), *shown("scale.md")]
    return [words for line in lines for words in re.findall(r"assay (?:train|study) [^`\"]*", line)]


@pytest.mark.parametrize("command", commands_of_clusters())
def test_what_a_cluster_would_run_is_a_command(command: str) -> None:
    """Of a recipe that there is, or a run or a file of the reader's."""
    words = shlex.split(command)[1:]
    assert build_parser(words).parse_args(words).command == words[0]
    if words[0] == "train" and "/" not in words[1]:
        assert words[1] in RECIPES


def test_the_clusters_description_is_one_that_ray_takes() -> None:
    util = pytest.importorskip("ray.autoscaler._private.util", reason="Ray is not installed")
    (text,) = re.findall(r"^```yaml\n(# cluster.yaml\n.*?)^```", DOCUMENTS["scale.md"], re.MULTILINE | re.DOTALL)
    util.validate_config(util.prepare_config(yaml.safe_load(text)))
