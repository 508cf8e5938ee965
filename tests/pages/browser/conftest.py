"""A real browser, a report, and a server over runs that it looks at.

Playwright keeps an event loop in this thread for as long as it runs, so it ends with the module that uses it.
"""

import io
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from PIL import Image

import assay
from assay.pages.server.app import build_app
from assay.pages.server.serve import address, listen

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
Open = Callable[..., AbstractContextManager[Any]]


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright

        started = sync_playwright().start()
    except Exception as error:  # absent, or broken: a library or its driver is missing
        pytest.skip(f"Playwright does not start ({type(error).__name__}: {error})")
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def browser(playwright: Any) -> Iterator[Any]:
    if PROGRAM is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    running = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])  # root has no sandbox
    try:
        yield running
    finally:
        running.close()


@pytest.fixture
def open_page(browser: Any) -> Open:
    """A function that opens an address; at the end, nothing may have been asked of another, and nothing complained."""

    @contextmanager
    def look(place: str, width: int = 1280, scheme: str = "light") -> Iterator[Any]:
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
        try:
            page, said, asked = context.new_page(), [], []
            page.set_default_timeout(60_000)
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("request", lambda request: asked.append(request.url))
            page.goto(place)
            yield page
            own = (place.split("?")[0],) if place.startswith("file:") else ("/".join(place.split("/")[:3]),)
            assert [url for url in asked if not url.startswith((*own, "data:", "blob:"))] == []
            assert said == []
        finally:
            context.close()

    return look


@pytest.fixture(scope="module")
def runs(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``first`` and ``second``, both finished, and ``going``, which has done one epoch of two."""
    root = tmp_path_factory.mktemp("runs")
    shutil.copytree(finished_run, root / "first")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_CACHE", str(tmp_path_factory.mktemp("cache")))
        changes = {"train.epochs": 2, "train.seed": 1}
        assay.train("digits", changes, out=root / "second", progress=False)
    shutil.copytree(root / "first", root / "going", ignore=shutil.ignore_patterns("summary*", "scores*"))
    for name in ("metrics.jsonl", "timings.jsonl"):
        (root / "going" / name).write_text((root / "first" / name).read_text().splitlines(keepends=True)[0])
    return root


@pytest.fixture(scope="module")
def report(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report of two runs."""
    return assay.report([runs / "first", runs / "second"], tmp_path_factory.mktemp("report") / "report.html").as_uri()


@pytest.fixture(scope="module")
def site(runs: Path) -> Iterator[str]:
    """The address of a server."""
    with serving(runs) as place:
        yield place


@pytest.fixture
def empty_site(tmp_path: Path) -> Iterator[str]:
    """The address of a server over an empty folder."""
    with serving(tmp_path) as place:
        yield place


@contextmanager
def serving(runs: Path) -> Iterator[str]:
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(build_app(runs), log_level="warning", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield address(listener)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture
def photo() -> dict[str, Any]:
    """An image file, as a file input takes it."""
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "png")
    return {"name": "photo.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
