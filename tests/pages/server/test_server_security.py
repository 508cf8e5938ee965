"""Who is refused, and what every answer says to the browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from visits import visit

from assay.pages.server.security import LARGEST_UPLOAD, is_loopback

PAGES = ("/", "/predict", "/api/runs", "/api/curves?run=digits", "/static/predict.js", "/nowhere", "/runs/nowhere")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "a b", "[", "[::1"]
)
def test_a_foreign_host_is_refused(client: TestClient, host: str) -> None:
    for page in PAGES:
        answer = client.get(page, headers={"host": host})
        assert (answer.status_code, len(answer.text.splitlines())) == (400, 1)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "LOCALHOST:80", "[::1]:8000"])
def test_its_own_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/api/runs", headers={"host": host}).status_code == 200


def test_the_given_host_is_answered_too(runs: Path) -> None:
    assert visit(runs, host="Trainer.lan").get("/api/runs", headers={"host": "trainer.lan:8000"}).status_code == 200


@pytest.mark.parametrize(("host", "status"), [("10.1.2.3:8000", 200), ("[fe80::1]", 200), ("evil.example", 400)])
def test_on_all_addresses_any_address_is_its_own_but_no_name(runs: Path, host: str, status: int) -> None:
    assert visit(runs, host="0.0.0.0").get("/api/runs", headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:9000"},
        {"origin": "null"},
        {"origin": "http://["},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:8000"},
        {"sec-fetch-site": "none"},
    ],
)
def test_another_sites_post_is_refused(client: TestClient, seven: bytes, headers: dict[str, str]) -> None:
    files, data = {"image": ("a.png", seven)}, {"model": "digits"}
    assert client.post("/api/predict", data=data, files=files, headers=headers).status_code == 403


@pytest.mark.parametrize("headers", [{}, {"origin": "http://127.0.0.1:8000", "sec-fetch-site": "same-origin"}])
def test_its_own_pages_and_programs_may_post(client: TestClient, seven: bytes, headers: dict[str, str]) -> None:
    files, data = {"image": ("a.png", seven)}, {"model": "digits"}
    assert client.post("/api/predict", data=data, files=files, headers=headers).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_every_answer_carries_the_headers(client: TestClient, page: str) -> None:
    headers = client.get(page).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in policy


def test_an_unforeseen_error_is_one_line_with_the_headers(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(f"a bug at {runs}\nwith details")

    monkeypatch.setattr("assay.pages.server.overview_reader.RunRecord.read", fail)
    answer = visit(runs).get("/api/runs")
    assert (answer.status_code, list(answer.json())) == (500, ["error"])
    assert "bug" not in answer.text
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST"])
def test_other_methods_are_refused(client: TestClient, method: str) -> None:
    for page in ("/", "/api/runs", "/predict", "/static/predict.js"):
        assert client.request(method, page).status_code == 405
    assert client.get("/api/predict").status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/runs/../secret.txt",
        "/runs/%2e%2e/secret.txt",
        "/runs/..%2fsecret.txt",
        "/runs//etc/passwd",
        "/runs/digits/recipe.yaml",
        "/runs/digits%00",
        "/studies/../secret.txt",
        "/api/curves?run=%2e%2e%2fsecret.txt",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static//etc/passwd",
        "/compare?run=../secret.txt",
        "/compare?run=digits&run=/etc/passwd",
    ],
)
def test_no_address_leads_outside(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert len(answer.text.splitlines()) == 1
    assert "secret\n" not in answer.text


@pytest.mark.parametrize(
    "model", ["../served/digits", "/etc", "group/second", "nowhere", "digits/model.safetensors", ""]
)
def test_a_model_is_one_of_the_finished_runs(client: TestClient, seven: bytes, model: str) -> None:
    answer = client.post("/api/predict", data={"model": model}, files={"image": ("a.png", seven)})
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("no model")


def test_a_long_name_is_not_given_back(client: TestClient, seven: bytes) -> None:
    answer = client.post("/api/predict", data={"model": "x" * 900_000}, files={"image": ("a.png", seven)})
    assert answer.status_code == 404
    assert len(answer.text) < 500


def body(size: int, sent: list[int]) -> Iterator[bytes]:
    """A form of that size in pieces of 64 KiB; ``sent`` is told of each."""
    yield b'--x\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    for _ in range(size // 2**16):
        sent.append(2**16)
        yield bytes(2**16)
    yield b"\r\n--x--\r\n"


def test_a_large_upload_is_refused_whatever_length_it_claims(client: TestClient) -> None:
    for length in ({}, {"content-length": "100"}):
        headers = {"content-type": "multipart/form-data; boundary=x", **length}
        answer = client.post("/api/predict", content=body(LARGEST_UPLOAD + 2**17, []), headers=headers)
        assert answer.status_code == 413
        assert answer.json() == {"error": "the upload is larger than 20 MiB"}


@pytest.mark.parametrize(("host", "expected"), [("127.0.0.1", True), ("127.8.0.1", True), ("::1", True)])
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
    assert is_loopback("LocalHost")
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.1", "example.org")))
