"""The web application: pages over a folder of runs, and the JSON that the pages load."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from assay.base.user_errors import explain
from assay.classifier.classifier import MODEL_FILE
from assay.pages.server import pages
from assay.pages.server.folder import ServedFolder, look_up
from assay.pages.server.kept import Kept
from assay.pages.server.models import Models
from assay.pages.server.overview_reader import Overviews, stamps_of
from assay.pages.server.patience import Queue, Uploads
from assay.pages.server.security import LARGEST_UPLOAD, Guard, limited

MOST_COMPARED = 20  # runs on a page
REPORTS_AT_ONCE = 2  # that are made
T = TypeVar("T")


def build_app(folder: str | Path, *, host: str = "127.0.0.1", device: str = "auto") -> ASGIApp:
    """Return the application over a folder of runs and studies.

    Args:
        folder: holds them, at any depth.
        host: that the server listens on.
        device: for predictions: ``auto``, ``cpu``, ``cuda``...

    Raises:
        ValueError: there is no such folder or device.
    """
    served = ServedFolder.open(Path(folder))
    site = Site(served, Models(device), Overviews(served.hide, Kept.of(served.root)))
    routes = [
        Route("/", site.list_page),
        Route("/runs/{name:path}", site.run_page),
        Route("/studies/{name:path}", site.study_page),
        Route("/compare", site.compare_page),
        Route("/predict", site.predict_page),
        Route("/api/runs", site.list_runs),
        Route("/api/curves", site.show_curves),
        Route("/api/predict", site.predict, methods=["POST"]),
        Mount("/static", StaticFiles(packages=[("assay.pages.report", "static"), ("assay.pages.server", "static")])),
    ]
    # Exception itself, so that an error of the server is one line too, and without a place on this machine.
    foreseen = (HTTPException, ClientDisconnect, ValueError, OSError, Exception)
    return Guard(Queue(Starlette(routes=routes, exception_handlers=dict.fromkeys(foreseen, site.refuse))), host)


@dataclass(frozen=True)
class Site:
    """The pages and answers over a folder of runs."""

    folder: ServedFolder
    models: Models
    overviews: Overviews
    uploads: Uploads = field(default_factory=Uploads)
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(REPORTS_AT_ONCE))

    def list_page(self, _request: Request) -> Response:
        """Return the page of all runs and studies."""
        runs = self.overviews.read_all(self.folder.find("run"))
        studies = [self.overviews.read_study(name, folder) for name, folder in self.folder.find("study").items()]
        return HTMLResponse(pages.site_page("list", folder=self.folder.root.name, runs=runs, studies=studies))

    async def run_page(self, request: Request) -> Response:
        """Return the page of a run."""
        return await self._in_turn(self._report, [request.path_params["name"]])

    async def compare_page(self, request: Request) -> Response:
        """Return the page of several runs side by side: ``?run=a&run=b``."""
        return await self._in_turn(self._report, _names_in(request))

    async def study_page(self, request: Request) -> Response:
        """Return the page of a study."""
        return await self._in_turn(self._study_report, request.path_params["name"])

    def show_curves(self, request: Request) -> Response:
        """Return the curves of the runs ``?run=a&run=b``, which of them train, and their progress in words."""
        folders = self._runs(_names_in(request))
        return JSONResponse({**pages.standing(self._training(folders)), "curves": pages.curves(folders)})

    def predict_page(self, request: Request) -> Response:
        """Return the page on which a model is chosen and an image dropped."""
        chosen = request.query_params.get("model", "")
        return HTMLResponse(pages.site_page("predict", models=list(self._models()), chosen=chosen, most=LARGEST_UPLOAD))

    def list_runs(self, _request: Request) -> Response:
        """Return the overviews of all runs."""
        return JSONResponse([asdict(one) for one in self.overviews.read_all(self.folder.find("run"))])

    async def predict(self, request: Request) -> Response:
        """Return a model's prediction; the request is a form with ``model``, a run's name, and ``image``, a file."""
        # The body is measured while it arrives, because its stated length may be wrong or missing.
        streamed = Request(request.scope, limited(request.receive))
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise HTTPException(415, "expected a form (multipart/form-data) with model and image")
        async with self.uploads.arriving():
            form = await streamed.form(max_files=1, max_fields=1)
        try:
            name, image = form.get("model"), form.get("image")
            if not isinstance(name, str) or not isinstance(image, UploadFile):
                raise HTTPException(400, "expected a form with model, a run's name, and image, a file")
            # Other requests are answered while a model computes.
            return JSONResponse(await run_in_threadpool(self._ask, name, image.file, image.filename or "image"))
        finally:
            await form.close()

    async def refuse(self, request: Request, error: Exception) -> Response:
        """Return an error as one line: as JSON to the pages' scripts, as text to a reader."""
        if isinstance(error, HTTPException):
            status, text = error.status_code, error.detail
        elif isinstance(error, ClientDisconnect):
            status, text = 400, "the upload was broken off"
        else:
            status, text = 500, explain(error) or "an error of the server; what it printed says more"
        line, headers = self.folder.hide(text), getattr(error, "headers", None)
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": line}, status, headers)
        return PlainTextResponse(f"{line}\n", status, headers)

    async def _in_turn(self, make: Callable[[T], Response], asked: T) -> Response:
        # Reports take long: lists and curves, which do not wait here, find a thread while others wait for reports.
        async with self.turns:
            return await run_in_threadpool(make, asked)

    def _report(self, names: Sequence[str]) -> Response:
        folders = self._runs(names)
        model = names[0] if len(names) == 1 and names[0] in self._models() else ""
        training, stamps = self._training(folders), tuple(map(stamps_of, folders.values()))
        return _as_page(
            pages.run_page(tuple(folders.items()), stamps, self.folder.hide, tuple(training.items()), model)
        )

    def _study_report(self, name: str) -> Response:
        folder = look_up("study", name, self.folder.find("study"))
        return _as_page(pages.report_page({name: folder}, name, self.folder.hide))

    def _runs(self, names: Sequence[str]) -> dict[str, Path]:
        found = self.folder.find("run")
        return {name: look_up("run", name, found) for name in names}

    def _ask(self, name: str, file: BinaryIO, image: str) -> dict[str, Any]:
        return self.models.ask(look_up("model", name, self._models()), file.read, image).to_dict()

    def _training(self, folders: Mapping[str, Path]) -> dict[str, str]:
        """Return in words how far each run is that trains, by name."""
        views = [self.overviews.read(name, folder) for name, folder in folders.items()]
        running = [one for one in views if one.status == "running"]
        return {one.name: f"{one.name} trains, epoch {one.epoch} of {one.epochs}" for one in running}

    def _models(self) -> dict[str, Path]:
        """Return the folders of the finished runs that have a model, by name."""
        return {
            name: folder
            for name, folder in self.folder.find("run").items()
            if (folder / MODEL_FILE).is_file() and self.overviews.read(name, folder).status == "finished"
        }


def _names_in(request: Request) -> list[str]:
    """Return the runs that an address names."""
    names = list(dict.fromkeys(request.query_params.getlist("run")))
    if not 1 <= len(names) <= MOST_COMPARED:
        raise HTTPException(400, f"name 1 to {MOST_COMPARED} runs: ?run=a&run=b")
    return names


def _as_page(text: str) -> Response:
    return HTMLResponse(text, headers={"content-security-policy": pages.report_policy()})
