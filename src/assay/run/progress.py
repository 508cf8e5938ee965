"""The observer that shows a run on a terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from assay.base.text import one_line
from assay.run.observer import Evaluations, Observer
from assay.training.loop import Step

_REFRESH_SECONDS = 0.5  # seldom, because the accelerator has to be waited for when the loss is read


class ProgressBar(Observer):
    """A bar with loss, accuracy, images per second and time left, and a line for each finished epoch.

    Args:
        console: where it is shown.
        notes: lines to print when the training begins.
    """

    def __init__(self, console: Console, notes: Sequence[str] = ()) -> None:
        self._console, self._notes = console, notes
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[status]}"),
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
            expand=True,
        )
        self._task: TaskID | None = None
        self._steps = 1
        self._done = 0
        self._images = 0
        self._shown = time.monotonic()

    def say(self, text: str) -> None:
        """Print the remark, above the bar."""
        self._console.print(one_line(text), highlight=False, markup=False, soft_wrap=True)

    def start(self, *, epochs: int, steps: int, done: int) -> None:
        """Print the notes, once, and show the bar."""
        for note in self._notes:
            self.say(note)
        self._notes = ()  # each fold's run starts anew
        self._steps, self._done, self._epochs = steps, done, epochs
        self._task = self._bar.add_task("", total=epochs * steps, completed=done, epoch=1, epochs=epochs, status="")
        self._shown = time.monotonic()
        self._bar.start()

    def step(self, step: Step) -> None:
        """Count the step; now and then show its loss, its accuracy and the speed."""
        self._done += 1
        self._images += step.images
        passed = time.monotonic() - self._shown
        if passed >= _REFRESH_SECONDS and self._task is not None:
            accuracy, speed = step.correct.item() / step.images, self._images / passed
            status = f"loss {step.loss.item():.3f}  accuracy {accuracy:.1%}  {speed:,.0f} images/s"
            epoch = (self._done - 1) // self._steps + 1
            self._bar.update(self._task, completed=self._done, status=status, epoch=epoch)
            self._images, self._shown = 0, time.monotonic()

    def epoch(self, row: Mapping[str, Any], timing: Mapping[str, Any], evaluations: Evaluations) -> None:  # noqa: ARG002
        """Print a line of the epoch's figures: loss and accuracy of each split."""
        watched = [
            f"{split.replace('_', '-')} {row[f'{split}_loss']:.4f} {row[f'{split}_accuracy']:.2%}"
            for split in ("train", "held_out", "test")
            if f"{split}_loss" in row
        ]
        speed = f"{timing['images_per_second']:,.0f} images/s"
        self.say("  ".join([f"epoch {row['epoch']:>3}/{self._epochs}", *watched, speed]))

    def stop(self) -> None:
        """Take the bar away."""
        self._bar.stop()
        if self._task is not None:  # another run may begin a bar of its own
            self._bar.remove_task(self._task)
            self._task = None
