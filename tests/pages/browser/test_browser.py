"""The report and the server in a real browser, on a phone and on a desktop."""

import base64
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

try:
    from playwright.sync_api import expect
except ImportError:  # the fixture of the browser says why, and skips
    expect = None
else:
    expect.set_options(timeout=60_000)
Open = Callable[..., AbstractContextManager[Any]]
WIDTHS = (1280, 390)
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]  # one worker starts it


def does_not_scroll_sideways(page: Any) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def column(table: Any, number: int) -> list[str]:
    return table.locator(f"tbody tr > :nth-child({number})").all_inner_texts()


def places(site: str, report: str) -> dict[str, str]:
    pages = {"list": "/", "run": "/runs/first", "predict": "/predict"}
    compared = "/compare?run=first&run=second"
    return {"report": report, "compare": site + compared, **{name: site + path for name, path in pages.items()}}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["report", "list", "compare", "predict"])
def test_every_page_opens_cleanly_and_fits(open_page: Open, site: str, report: str, name: str, width: int) -> None:
    with open_page(places(site, report)[name], width) as page:
        expect(page.locator("h1")).to_be_visible()
        for section in page.locator("details.run").all():
            section.evaluate("part => part.open = true")
        for chart in page.locator(".plot").all():
            chart.scroll_into_view_if_needed()
            expect(chart.locator("svg").first).to_be_visible()
        assert does_not_scroll_sideways(page)


def contrast(page: Any) -> tuple[float, float]:
    """How bright the page is, in [0, 1], and how much its text stands out (WCAG 2's ratio, from 1 to 21)."""
    colours = page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")
    paper, ink = (luminance([int(part) for part in re.findall(r"\d+", colour)[:3]]) for colour in colours)
    return paper, (max(paper, ink) + 0.05) / (min(paper, ink) + 0.05)


def luminance(colour: list[int]) -> float:
    linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", ["report", "list", "predict"])
def test_light_and_dark(open_page: Open, site: str, report: str, name: str) -> None:
    with open_page(places(site, report)[name], scheme="light") as page:
        bright, light = contrast(page)
    with open_page(places(site, report)[name], scheme="dark") as page:
        dim, dark = contrast(page)
    assert bright > 0.8 > 0.1 > dim
    assert min(light, dark) > 7


@pytest.mark.parametrize("name", ["report", "list"])
def test_a_table_is_sorted_by_mouse_and_by_keys(open_page: Open, site: str, report: str, name: str) -> None:
    with open_page(places(site, report)[name]) as page:
        table = page.locator("table.sortable:visible").first
        head = table.locator("thead th").first
        before = column(table, 1)
        head.get_by_role("button").click()
        expect(head).to_have_attribute("aria-sort", "ascending")
        assert column(table, 1) == sorted(before)
        head.get_by_role("button").focus()
        page.keyboard.press("Enter")
        expect(head).to_have_attribute("aria-sort", "descending")
        assert column(table, 1) == sorted(before, reverse=True)
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        expect(head).not_to_have_attribute("aria-sort", re.compile(".*"))
        expect(table.locator("thead th").nth(1)).to_have_attribute("aria-sort", re.compile("ending"))


def test_keys_alone_lead_from_the_address_bar_to_a_sorted_table(open_page: Open, site: str) -> None:
    with open_page(f"{site}/") as page:
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.closest('th') !== null"):
                break
        page.keyboard.press("Enter")
        expect(page.locator("#runs th[aria-sort]")).to_have_count(1)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["report", "run"])
def test_a_curve_answers_to_the_pointer(open_page: Open, site: str, report: str, name: str, width: int) -> None:
    with open_page(places(site, report)[name], width) as page:
        plot = page.locator("figure.curves .plot").first
        plot.scroll_into_view_if_needed()
        expect(plot.locator("svg").first).to_be_visible()
        box = plot.locator("svg .mark-line path").first.bounding_box()
        page.mouse.move(box["x"] + 1, box["y"] + box["height"] - 1)
        page.mouse.move(box["x"] + 2, box["y"] + 2)
        expect(page.locator("#tip")).to_be_visible()
        expect(page.locator("#tip")).to_contain_text(re.compile(r"epoch [12]: [\d.]+"))
        page.mouse.move(2, 2)
        expect(page.locator("#tip")).to_be_hidden()


def test_calibration_has_its_diagonal_and_an_interval_for_each_bar(open_page: Open, report: str) -> None:
    with open_page(report) as page:
        page.locator("details.run").first.evaluate("part => part.open = true")
        plot = page.locator("figure[data-spec=calibration] .plot").first
        plot.scroll_into_view_if_needed()
        expect(plot.locator("svg path[stroke-dasharray]")).to_be_visible()
        bars = plot.locator(".mark-rect > path").count()
        expect(plot.locator(".mark-rule.role-mark > line")).to_have_count(bars)
        assert bars > 1


def test_runs_are_chosen_and_compared(open_page: Open, site: str) -> None:
    with open_page(f"{site}/") as page:
        for name in ("first", "second"):
            page.get_by_label(f"compare {name}").check()
        page.get_by_role("button", name="Compare").click()
        expect(page.locator("h1")).to_have_text("first, second")
        # They differ in the seed alone: their mean is shown, and either run when it is asked for.
        buttons = page.locator("#legend button")
        expect(buttons).to_have_count(3)
        assert [button.get_attribute("aria-pressed") for button in buttons.all()] == ["true", "false", "false"]
        chart = page.locator("figure.curves[data-spec=loss] .plot")
        chart.scroll_into_view_if_needed()
        expect(chart.locator("svg .mark-area path").first).to_be_attached()
        lines = chart.locator("svg .mark-line path").count()
        buttons.nth(1).click()
        expect(chart.locator("svg .mark-line path")).to_have_count(2 * lines)


def give(page: Any, photo: dict[str, Any], how: str, onto: str = "#drop") -> None:
    """Hand an image over as a user does; one that is dropped, onto a part of the page."""
    if how in ("choose", "key"):
        with page.expect_file_chooser() as chooser:
            if how == "key":
                page.locator("#model").focus()
                page.keyboard.press("Tab")
                page.keyboard.press("Enter")
            else:
                page.locator("#drop").click()
        chooser.value.set_files(photo)
        return
    carried = page.evaluate_handle(
        """([name, kind, content]) => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const carried = new DataTransfer();
            carried.items.add(new File([bytes], name, { type: kind }));
            return carried;
        }""",
        [photo["name"], photo["mimeType"], base64.b64encode(photo["buffer"]).decode()],
    )
    if how == "drop":
        page.locator(onto).dispatch_event("dragover", {"dataTransfer": carried})
        page.locator(onto).dispatch_event("drop", {"dataTransfer": carried})
    else:
        carried.evaluate("clipboardData => dispatchEvent(new ClipboardEvent('paste', { clipboardData }))")


@pytest.mark.parametrize(("how", "width"), [("drop", 1280), ("paste", 1280), ("choose", 390), ("key", 1280)])
def test_an_image_is_given_to_a_model(open_page: Open, site: str, photo: dict[str, Any], how: str, width: int) -> None:
    with open_page(f"{site}/predict?model=second", width) as page:
        give(page, photo, how)
        expect(page.locator("#answer-name")).to_have_text("photo.png")
        choices = page.locator("#classes label")
        expect(choices).to_have_count(5)
        shares = [float(text.strip("< %")) for text in page.locator("#classes .share").all_inner_texts()]
        assert shares == sorted(shares, reverse=True)
        for picture in ("#picture", "#map"):
            assert page.locator(picture).evaluate("image => image.complete && image.naturalWidth") == 32
        assert does_not_scroll_sideways(page)


def test_another_class_and_another_model_are_asked_about_by_keys(
    open_page: Open, site: str, photo: dict[str, Any]
) -> None:
    with open_page(f"{site}/predict?model=first") as page:
        give(page, photo, "drop")
        expect(page.locator("#classes label")).to_have_count(5)
        caption = page.locator("#map-caption").inner_text()
        page.locator("#classes input").first.focus()
        page.keyboard.press("ArrowDown")
        expect(page.locator("#map-caption")).not_to_have_text(caption)
        answer = page.locator("#classes").inner_text()
        page.locator("#model").select_option("second")
        expect(page.locator("#classes")).not_to_have_text(answer)


def test_a_file_that_is_too_large_is_not_sent(open_page: Open, site: str) -> None:
    with open_page(f"{site}/predict") as page:
        page.evaluate("take([new File([new ArrayBuffer(21 * 2 ** 20)], 'large.png', { type: 'image/png' })])")
        expect(page.locator("#status")).to_have_text("large.png is larger than 20 MiB")
        expect(page.locator("#answer")).to_be_hidden()


def test_the_page_of_a_run_follows_it_to_its_end(open_page: Open, site: str, runs: Path) -> None:
    (runs / "going" / "metrics.jsonl").touch()  # or it might count as stopped
    with open_page(f"{site}/runs/going") as page:
        line = page.locator("figure.curves svg .mark-line path").first
        page.locator("figure.curves").first.scroll_into_view_if_needed()
        expect(page.locator("#live")).to_have_text("going trains, epoch 1 of 2")
        page.evaluate("window.loadedOnce = true")
        for name in ("metrics.jsonl", "timings.jsonl"):
            shutil.copy(runs / "first" / name, runs / "going" / name)
        expect(page.locator("#live")).to_have_text("going trains, epoch 2 of 2")
        expect(line).to_have_attribute("d", re.compile("L"))
        assert page.evaluate("window.loadedOnce")
        for name in ("scores.safetensors", "summary.json"):
            shutil.copy(runs / "first" / name, runs / "going" / name)
        expect(page.locator("#live")).to_have_count(0)
        expect(page.locator(".facts").first).to_contain_text("%")


def test_the_list_follows_new_runs(open_page: Open, site: str, runs: Path) -> None:
    with open_page(f"{site}/") as page:
        page.get_by_label("compare second").check()
        shutil.copytree(runs / "first", runs / "third")
        expect(page.get_by_role("link", name="third")).to_be_visible()
        expect(page.get_by_label("compare second")).to_be_checked()
        shutil.rmtree(runs / "third")
        expect(page.get_by_role("link", name="third")).to_have_count(0)


def test_the_list_follows_the_counts_and_the_studies(open_page: Open, site: str, runs: Path) -> None:
    with open_page(f"{site}/") as page:
        count = len(page.locator("#runs tbody tr").all())
        expect(page.locator("#studies")).to_be_hidden()
        shutil.copytree(runs / "first", runs / "fourth")
        (runs / "table").mkdir()
        (runs / "table" / "study.json").write_text('{"rows": []}')
        expect(page.locator("#count")).to_have_text(f"{count + 1} runs, 1 study")
        expect(page.get_by_role("link", name="table")).to_be_visible()
        shutil.rmtree(runs / "fourth")
        shutil.rmtree(runs / "table")
        expect(page.locator("#count")).to_have_text(f"{count} runs")
        expect(page.locator("#studies")).to_be_hidden()


@pytest.fixture
def two_going(runs: Path) -> Iterator[tuple[Path, Path]]:
    """Two runs that have done one epoch of two."""
    folders = (runs / "left", runs / "right")
    for folder in folders:
        shutil.copytree(runs / "first", folder, ignore=shutil.ignore_patterns("summary*", "scores*"))
        for name in ("metrics.jsonl", "timings.jsonl"):
            (folder / name).write_text((runs / "first" / name).read_text().splitlines(keepends=True)[0])
    yield folders
    for folder in folders:
        shutil.rmtree(folder)


def test_the_end_of_one_of_several_runs_is_seen(
    open_page: Open, site: str, runs: Path, two_going: tuple[Path, Path]
) -> None:
    left, _ = two_going
    with open_page(f"{site}/compare?run=left&run=right") as page:
        expect(page.locator("#live")).to_have_text("left trains, epoch 1 of 2; right trains, epoch 1 of 2")
        page.evaluate("window.loadedOnce = true")
        for name in ("metrics.jsonl", "timings.jsonl", "scores.safetensors", "summary.json"):
            shutil.copy(runs / "first" / name, left / name)
        expect(page.locator("#live")).to_have_text("right trains, epoch 1 of 2")
        page.wait_for_function("window.loadedOnce === undefined")


@pytest.mark.parametrize("broken", ["<p>not JSON</p>", "{}", '{"training": [], "standing": 3'])
def test_a_broken_answer_does_not_end_the_following(
    open_page: Open, site: str, runs: Path, two_going: tuple[Path, Path], broken: str
) -> None:
    left, _ = two_going
    left_over = [broken]

    def answer(route: Any) -> None:
        if left_over:
            route.fulfill(body=left_over.pop())
        else:
            route.continue_()

    with open_page(f"{site}/") as page:
        page.route("**/api/curves*", answer)
        page.goto(f"{site}/runs/left")
        shutil.copy(runs / "first" / "metrics.jsonl", left)
        expect(page.locator("#live")).to_have_text("left trains, epoch 2 of 2")
        assert not left_over


def test_a_refusal_in_any_form_is_shown(open_page: Open, site: str, photo: dict[str, Any]) -> None:
    with open_page(f"{site}/predict") as page:
        page.evaluate("fetch = async () => new Response('<p>busy</p>', {status: 299, statusText: 'Too Busy'})")
        give(page, photo, "drop")
        expect(page.locator("#status")).to_have_text("the server answers 299 Too Busy")


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_without_a_model_an_image_is_passed_over(
    open_page: Open, empty_site: str, photo: dict[str, Any], how: str
) -> None:
    with open_page(f"{empty_site}/predict") as page:
        give(page, photo, how, onto="main")
        expect(page.locator("main")).to_contain_text("no finished run")
