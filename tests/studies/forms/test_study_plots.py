"""A study's figures: every row where it belongs, in its colour, under a title that says what the figures are."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from PIL import Image

from assay.analysis.figures.style import save_figure
from assay.recipe.recipe import Recipe
from assay.studies.forms import plots
from assay.studies.forms.plots import plot_cost, plot_forest
from assay.studies.results import Result, RowResults, Setting, StudyResults
from assay.studies.study import Row
from assay.studies.table import Table, make_table
from quick_suite import rest_slow

SETTING = Setting(
    "stem", "Which stem?", "R2", "one run", "quick", "5 epochs in place of 50", "test", (0, 1, 2), "control row"
)
GREY, RED = "#9aa3ab", "#b3261e"


def row(
    name: str, published: float | None, *accuracies: float, seconds: float = 100.0, flops: int = 10**8
) -> RowResults:
    results = [Result(seed, value, 10**6, flops, seconds, 1e3) for seed, value in enumerate(accuracies)]
    return RowResults(Row(name, published=published), Recipe(), tuple(results))


def table_of(*rows: RowResults, **setting) -> Table:
    return make_table(StudyResults(replace(SETTING, **setting), rows))


def stems(**setting) -> Table:
    failed = RowResults(Row("fails", published=60.0), Recipe(), (), dict.fromkeys(range(3), "nan"))
    return table_of(
        row("control row", 78.0, 70.0, 71.0, 72.0),
        row("worse by 4", 74.0, 66.1, 66.9, 68.0, seconds=200.0, flops=10**9),
        row("the $same$", 79.0, 70.1, 70.7, 72.4, seconds=900.0, flops=2 * 10**8),
        failed,
        row("to come", 50.0),
        **setting,
    )


def points(figure: Figure, marker: str) -> list[tuple[float, float, str]]:
    """The drawn points: where, and of what colour."""
    return [
        (float(np.ravel(line.get_xdata())[0]), float(np.ravel(line.get_ydata())[0]), to_hex(line.get_color()))
        for line in figure.axes[0].get_lines()
        if line.get_marker() == marker
    ]


def intervals(figure: Figure) -> list[np.ndarray]:
    return [collection.get_segments()[0] for collection in figure.axes[0].collections]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_of_many_rows_those_are_drawn_that_differ_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "_MOST_ROWS", 1)
    monkeypatch.setattr(plots, "_MOST_NAMES", 1)
    forest, cost = plot_forest(stems()), plot_cost(stems())
    assert [label.get_text() for label in forest.axes[0].get_yticklabels()] == ["worse by 4"]
    assert "3 more rows" in " ".join(text.get_text() for text in forest.texts)
    assert len(points(cost, "o")) == 3
    assert {text.get_text() for text in cost.findobj(Annotation)} - {""} == {"worse by 4"}
    most_accurate = plot_forest(table_of(row("low", None, 70.0), row("high", None, 71.0), control=None))
    assert [label.get_text() for label in most_accurate.axes[0].get_yticklabels()] == ["high"]


def test_forest_of_differences() -> None:
    table = stems()
    figure = plot_forest(table)
    red, grey = points(figure, "o")
    assert red == (pytest.approx(-4.0), 0, RED)
    assert grey == (pytest.approx(0.2 / 3), 1, GREY)
    assert [(x, y) for x, y, _ in points(figure, "D")] == [(-4, 0), (1, 1), (-18, 2), (-28, 3)]
    about = table.lines[1].difference
    assert about is not None
    assert intervals(figure)[0][:, 0] == pytest.approx([about.low, about.high])
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["worse by 4", r"the \$same\$", "fails", "to come"]
    assert axes.get_ylim() == (3.5, -0.5)  # the first row at the top
    beside = [label.get_text() for label in axes.child_axes[0].get_yticklabels()]
    assert beside[0] == "-4.00 [-6.35, -1.65]\nhurts"
    assert beside[2:] == ["failed", "to come"]
    assert legend(figure) == ["hurts", "cannot be told", "published"]
    assert axes.get_xlabel() == "difference to control row (percentage points)"


@pytest.mark.parametrize("draw", [plot_forest, plot_cost])
def test_no_figure_goes_without_its_setting(draw) -> None:
    figure = draw(stems(changes="optim.lr 0.2"))
    caption = figure.get_supxlabel().replace("\n", " ")
    for part in ("quick: 5 epochs in place of 50; published", "optim.lr 0.2", "ON THE TEST SPLIT", "3 seeds"):
        assert part in caption
    assert figure.get_suptitle() == "stem: Which stem?"
    assert draw(stems(budget="full", selection="last")).get_supxlabel().startswith("full setting; 3 seeds")


def test_forest_without_a_control_shows_the_accuracies() -> None:
    figure = plot_forest(table_of(row("a", 87.0, 76.0, 77.0), row("b", None, 60.0), control=None))
    assert [(x, y) for x, y, _ in points(figure, "o")] == [(76.5, 0), (60.0, 1)]
    assert [(x, y) for x, y, _ in points(figure, "D")] == [(87.0, 0)]
    assert legend(figure) == ["measured", "published"]
    assert figure.axes[0].get_xlabel() == "accuracy (%)"


def test_figures_say_where_they_rest_on_one_seed() -> None:
    correct = np.arange(1000) < 700
    pair = [
        RowResults(Row(name), Recipe(), (Result(0, 70.0, 1, 1, 1.0, 1.0, correct),))
        for name in ("control row", "other")
    ]
    forest, cost = plot_forest(table_of(*pair)), plot_cost(table_of(*pair))
    beside = forest.axes[0].child_axes[0].get_yticklabels()
    assert [label.get_text() for label in beside] == ["+0.00\ncannot be told †"]
    assert {label.get_text() for label in labels(cost)} == {"control row", "other †"}
    for figure in (forest, cost):
        caption = figure.get_supxlabel().replace("\n", " ")
        assert caption.endswith("colours: verdicts, corrected for 1 row; †: from one shared seed")
        assert "whiskers" not in caption  # there are none


@pytest.mark.parametrize("draw", [plot_forest, plot_cost])
def test_figures_say_what_whiskers_and_colours_mean(draw) -> None:
    caption = draw(stems()).get_supxlabel().replace("\n", " ")
    assert caption.endswith("whiskers: 95 % intervals, not corrected; colours: verdicts, corrected for 2 rows")
    alone = draw(stems(control=None)).get_supxlabel().replace("\n", " ")
    assert alone.endswith("whiskers: 95 % intervals, not corrected")


def test_a_script_that_the_font_lacks_is_no_warning() -> None:  # warnings are errors here
    table = table_of(row("control row", None, 70.0, 71.0), row("对照", None, 70.0, 72.0))
    assert {label.get_text() for label in labels(plot_cost(table))} == {"control row", "对照"}


@pytest.mark.parametrize(("cost", "places"), [("seconds", [100, 200, 900]), ("flops", [1e8, 1e9, 2e8])])
def test_cost(cost: str, places: list[float]) -> None:
    table = stems()
    figure = plot_cost(table, cost)
    drawn = points(figure, "o")
    assert [x for x, _, _ in drawn] == places
    assert [y for _, y, _ in drawn] == [line.estimate.mean for line in table.lines[:3]]
    assert [color for _, _, color in drawn] == ["#000000", RED, GREY]
    assert intervals(figure)[1][:, 1] == pytest.approx([table.lines[1].estimate.low, table.lines[1].estimate.high])
    assert figure.axes[0].get_xscale() == "log"
    assert {text.get_text() for text in labels(figure)} == {"control row", "worse by 4", r"the \$same\$"}
    assert legend(figure) == ["hurts", "cannot be told", "control"]


def test_cost_axis_is_logarithmic_only_over_a_wide_range() -> None:
    figure = plot_cost(
        table_of(row("control row", 1.0, 70.0, 71.0, seconds=100), row("b", 1.0, 70.0, 71.0, seconds=499))
    )
    assert figure.axes[0].get_xscale() == "linear"
    same = plot_cost(table_of(row("control row", 1.0, 70.0, 71.0), row("b", 1.0, 70.0, 71.0, seconds=100.4))).axes[0]
    assert np.ptp(same.get_xlim()) > 20  # noise does not look like a cost


def test_unknown_cost_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown cost 'second': did you mean seconds"):
        plot_cost(stems(), "second")


def labels(figure: Figure) -> list[Annotation]:
    return [text for text in figure.axes[0].texts if isinstance(text, Annotation) and text.get_text()]


def test_labels_of_a_crowd_do_not_overlap() -> None:
    crowd = [row(f"width 0.5, hidden {n}", 80.0, 80 + n / 50, 81 + n / 50) for n in range(12)]
    figure = plot_cost(table_of(row("control row", 80.0, 80.0, 81.0), *crowd))
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(label) for label in labels(figure)]
    assert len(boxes) == 13
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert all(figure.bbox.containsx(box.x0) and figure.bbox.containsx(box.x1) for box in boxes)


@pytest.mark.parametrize("suffix", rest_slow(["png", "svg"]))
@pytest.mark.parametrize(
    "table",
    [
        stems(),
        stems(control=None),
        table_of(row("control row", None)),
        table_of(row("control row", None, 70.0), row("a\nvery $long_{name}$ " * 6, None, 70.0)),
    ],
    ids=["stems", "no control", "nothing yet", "one run"],
)
def test_figures_can_be_saved(table: Table, suffix: str, tmp_path: Path) -> None:
    for number, figure in enumerate([plot_forest(table), plot_cost(table), plot_cost(table, "flops")]):
        path = tmp_path / f"{number}.{suffix}"
        save_figure(figure, path)
        if suffix == "png":
            with Image.open(path) as image:
                image.load()
        else:
            assert "<svg" in path.read_text()
