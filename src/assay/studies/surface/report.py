"""The report on the loss's surface: from the probed runs of a study to files in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assay.analysis.figures.style import save_figure
from assay.base.atomic import replace_file
from assay.studies.execution.store import Store
from assay.studies.plan import Plan
from assay.studies.results import Setting, StudyResults
from assay.studies.surface.claims import Claim, judge
from assay.studies.surface.networks import Network, find_networks
from assay.studies.surface.plots import plot_along_gradient, plot_over_rates
from assay.studies.surface.words import as_csv, as_markdown

FILES = ("surface.md", "surface.csv", "along-gradient.png", "along-gradient.svg", "over-rates.png", "over-rates.svg")


@dataclass(frozen=True)
class SurfaceReport:
    """The tested claims on the loss's surface, the networks behind them, and the setting of their study."""

    setting: Setting
    networks: tuple[Network, ...]
    claims: tuple[Claim, ...]


def look_at_surface(plan: Plan, results: StudyResults, store: Store) -> SurfaceReport | None:
    """Return the report; None where no run was probed."""
    networks = find_networks(plan, results, store)
    return SurfaceReport(results.setting, tuple(networks), tuple(judge(networks))) if networks else None


def publish_surface(report: SurfaceReport | None, folder: Path) -> None:
    """Write table and figures into the study's folder, each file atomically; without a report, delete old ones."""
    if report is None:  # a study that was probed once must not show old figures
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        return
    replace_file(folder / "surface.md", as_markdown(report.claims, report.setting))
    replace_file(folder / "surface.csv", as_csv(report.claims, report.setting))
    for name, plot in (("along-gradient", plot_along_gradient), ("over-rates", plot_over_rates)):
        figure = plot(report.networks, report.setting)
        for kind in ("png", "svg"):
            save_figure(figure, folder / f"{name}.{kind}")
