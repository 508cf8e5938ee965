"""An image that is sent to a model."""

import asyncio
import base64
import io
import shutil
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient
from visits import visit

import assay
from assay.analysis.inspection.activation_map import class_activation_maps
from assay.pages.server.models import Answer, Models


def post(client: TestClient, content: bytes, name: str = "seven.png", model: str = "digits"):
    return client.post("/api/predict", data={"model": model}, files={"image": (name, content)})


def picture(address: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(address.removeprefix("data:image/png;base64,"))))


def test_the_answer_is_that_of_predict(client: TestClient, runs: Path, seven: bytes, tmp_path: Path) -> None:
    (tmp_path / "seven.png").write_bytes(seven)
    (expected,) = assay.predict(runs / "digits", tmp_path / "seven.png", top=5)
    answer = post(client, seven).json()
    assert [one["name"] for one in answer["classes"]] == list(expected.classes)
    assert [one["probability"] for one in answer["classes"]] == list(expected.probabilities)
    assert answer["name"] == "seven.png"


def test_the_maps_are_those_of_each_class(client: TestClient, runs: Path, seven: bytes) -> None:
    answer = post(client, seven).json()
    classifier = assay.load(runs / "digits")
    seen = np.asarray(picture(answer["picture"]))
    assert seen.shape == (answer["side"], answer["side"])
    mean, std = classifier.preprocessing.mean[0], classifier.preprocessing.std[0]
    inputs = (torch.tensor(seen)[None, None] / 255 - mean) / std
    for one in answer["classes"]:
        asked = torch.tensor([classifier.classes.index(one["name"])])
        (heat,) = class_activation_maps(classifier.network, inputs, asked, answer["layer"])
        brightness = np.asarray(picture(one["map"]))[..., :3].astype(int).sum(axis=-1)
        assert np.corrcoef(brightness.ravel(), heat.numpy().ravel())[0, 1] > 0.9


def test_what_is_sent_twice_is_answered_alike_while_others_ask(runs: Path, seven: bytes) -> None:
    models, answers = Models("cpu"), []
    asking = [
        threading.Thread(target=lambda: answers.append(models.ask(runs / "digits", lambda: seven, "a").to_dict()))
        for _ in range(4)
    ]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len(answers) == 4
    assert all(answer == answers[0] for answer in answers)


def test_a_model_that_was_trained_anew_is_loaded_anew(runs: Path, client: TestClient, seven: bytes) -> None:
    before = post(client, seven).json()
    shutil.rmtree(runs / "digits")
    changes = {"train.epochs": 1, "train.threads": 1, "train.seed": 5}
    assay.train("digits", changes, out=runs / "digits", progress=False)
    assert post(client, seven).json()["classes"] != before["classes"]


def test_pictures_are_encoded_beside_the_loop_that_answers_others(
    client: TestClient, seven: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_loop, to_dict = [], Answer.to_dict
    monkeypatch.setattr(Answer, "to_dict", lambda answer: (in_loop.append(is_in_a_loop()), to_dict(answer))[1])
    assert post(client, seven).status_code == 200
    assert in_loop == [False]


def is_in_a_loop() -> bool:
    try:
        return asyncio.get_running_loop() is not None
    except RuntimeError:
        return False


def test_names_are_given_back_as_they_are(client: TestClient, seven: bytes) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    answer = post(client, seven, name)
    assert answer.json()["name"] == name
    assert answer.headers["content-type"] == "application/json"


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(side: int) -> bytes:
    """A PNG file of ``side`` x ``side`` black pixels in few bytes."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(side // 8)))
        + chunk(b"IEND", b"")
    )


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
XBM = b"#define im_width 8\n#define im_height 1\nstatic char im_bits[] = {\n0x01};\n"


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"", 415, "not an image"),
        (b"plain text", 415, "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "not an image"),
        (EPS, 415, "PostScript is a program"),
        (XBM, 415, "XBM files are not taken"),
        (bomb(5_001), 413, "too large: 5001x5001 pixels, more than 25 million"),
        (bomb(12_000), 413, "too large"),
        (bomb(60_000), 413, "too large"),
    ],
)
def test_what_is_no_image_is_refused(client: TestClient, content: bytes, status: int, reason: str) -> None:
    answer = post(client, content, "it.png")
    assert answer.status_code == status
    assert answer.json()["error"].startswith("it.png: ")
    assert reason in answer.json()["error"]


def test_a_truncated_image_is_refused(client: TestClient, seven: bytes) -> None:
    answer = post(client, seven[: len(seven) // 2])
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("seven.png: ")


def test_after_a_refusal_all_goes_on(client: TestClient, seven: bytes) -> None:
    assert post(client, seven[:60]).status_code == 400
    assert post(client, seven).status_code == 200


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"model=digits", "application/x-www-form-urlencoded", 415),
        (b"", "multipart/form-data", 400),
        (b"--x--", "multipart/form-data; boundary=x", 400),
        (b"nonsense", "multipart/form-data; boundary=x", 400),
    ],
)
def test_what_is_no_form_is_refused(client: TestClient, content: bytes, kind: str, status: int) -> None:
    answer = client.post("/api/predict", content=content, headers={"content-type": kind})
    assert (answer.status_code, list(answer.json())) == (status, ["error"])


def test_a_form_without_an_image_or_with_two_is_refused(client: TestClient, seven: bytes) -> None:
    file = ("a.png", seven)
    for files in ([("other", file)], [("image", file), ("image", file)]):
        assert client.post("/api/predict", data={"model": "digits"}, files=files).status_code == 400
    assert client.post("/api/predict", files={"image": file}).status_code == 400
    assert client.post("/api/predict", data={"model": "digits"}, files={"image": (None, b"text")}).status_code == 400


def test_a_model_file_that_is_none_is_refused_and_nothing_in_it_runs(runs: Path, seven: bytes) -> None:
    torch.save({"weights": torch.ones(3)}, runs / "digits" / "model.safetensors")
    answer = post(visit(runs), seven)
    assert answer.status_code == 500
    assert answer.json()["error"].startswith("digits/model.safetensors: not a model file")
