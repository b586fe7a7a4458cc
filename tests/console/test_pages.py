"""Every page in a real browser, in light and dark: what it shows, and that everybody can use it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.console.conftest import SCREENS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.console.browser import Visitor

pytestmark = pytest.mark.browser

JOB = "#/ns/research/jobs/caltech-resnet"
PAGES = {
    "jobs": ("#/ns/research", "Jobs", "transformer-lr"),
    "job": (JOB, "caltech-resnet", "Slots"),
    "curves": (f"{JOB}/curves", "caltech-resnet", "20 of 20 trials"),
    "parameters": (f"{JOB}/parameters", "caltech-resnet", "Map of two"),
    "trials": (f"{JOB}/trials", "caltech-resnet", "caltech-resnet-0001"),
    "timeline": (f"{JOB}/timeline", "caltech-resnet", "TrialEarlyStopped"),
    "what-if": (f"{JOB}/what-if?rule=Median", "caltech-resnet", "What a replay cannot know"),
    "manifest": (f"{JOB}/manifest", "caltech-resnet", "kind: HyperparameterTuningJob"),
    "trial": ("#/ns/research/trials/caltech-resnet-0020", "caltech-resnet-0020", "Last values of all metrics"),
    "compare": ("#/compare?jobs=research/fashion,research/caltech-resnet", "Compare", "caltech-resnet-"),
    "missing": ("#/ns/research/jobs/nothing", None, "Not found"),
    "empty": ("#/ns/default", "Jobs", "No tuning jobs in default"),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_shows_what_it_is_for_and_can_be_used_by_everybody(
    visit: Callable[..., Visitor], token: str, name: str, theme: str
) -> None:
    address, heading, text = PAGES[name]
    visitor = visit(theme)
    visitor.sign_in(token)
    visitor.go(address)
    page = visitor.page
    if heading is not None:
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    # A replay starts a process, which takes seconds beside other tests.
    expect(page.get_by_text(text).first).to_be_visible(timeout=60_000)
    expect(page.locator("[aria-busy]")).to_have_count(0)
    assert page.evaluate("document.documentElement.dataset.theme") == theme
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"{name}-{theme}.png")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_who_has_no_token_is_asked_for_one(visit: Callable[..., Visitor], theme: str) -> None:
    visitor = visit(theme)
    visitor.page.goto(visitor.url)
    expect(visitor.page.get_by_text("kubectl create token")).to_be_visible()
    assert Axe().run(visitor.page).violations_count == 0
    visitor.page.screenshot(path=SCREENS / f"sign-in-{theme}.png")


def test_the_list_draws_what_each_job_has_reached(visit: Callable[..., Visitor], token: str) -> None:
    visitor = visit()
    visitor.sign_in(token)
    visitor.go("#/ns/research")
    row = visitor.page.get_by_role("row", name="caltech-resnet")
    expect(row.get_by_role("img", name="best so far, trial by trial")).to_be_visible()


@pytest.mark.parametrize(("width", "height", "theme"), [(1024, 768, "light"), (390, 844, "light"), (390, 844, "dark")])
def test_every_page_fits_a_narrow_screen_and_can_be_used_there(
    visit: Callable[..., Visitor], token: str, width: int, height: int, theme: str
) -> None:
    visitor = visit(theme)
    visitor.sign_in(token)
    page = visitor.page
    page.set_viewport_size({"width": width, "height": height})
    for name, (address, _, text) in PAGES.items():
        visitor.go(address)
        expect(page.get_by_text(text).first).to_be_visible(timeout=60_000)
        expect(page.locator("[aria-busy]")).to_have_count(0)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name}: {wide}"
        results = Axe().run(page)
        assert results.violations_count == 0, f"{name}: {results.generate_report()}"
        page.screenshot(path=SCREENS / f"{name}-{width}-{theme}.png")


def test_links_lead_to_what_was_seen_and_back(visit: Callable[..., Visitor], token: str) -> None:
    visitor = visit()
    visitor.sign_in(token)
    page = visitor.page
    page.get_by_role("link", name="caltech-resnet", exact=True).click()
    page.get_by_role("link", name="Curves", exact=True).click()
    page.get_by_text("Top 10", exact=True).click()
    page.get_by_text("log y").click()
    expect(page.get_by_text("10 of 20 trials")).to_be_visible()
    seen = page.evaluate("location.hash")
    assert seen == f"{JOB}/curves?top=10&log=y"
    page.get_by_role("link", name="Trials 20").click()
    expect(page.get_by_role("link", name="caltech-resnet-0001")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("10 of 20 trials")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("Slots")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    visitor.go(seen)
    expect(page.get_by_role("radio", name="Top 10", exact=True)).to_be_checked()


def test_curves_are_drawn_at_every_size_of_the_window(visit: Callable[..., Visitor], token: str) -> None:
    visitor = visit()
    visitor.sign_in(token)
    visitor.go(f"{JOB}/curves")
    page = visitor.page
    expect(page.get_by_text("20 of 20 trials")).to_be_visible()
    for width, height in ((900, 1200), (1600, 700), (1440, 900)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_function(DRAWN, arg=width)
    page.get_by_role("button", name="Colours").click()
    page.get_by_role("button", name="Colours").click()
    page.wait_for_function(DRAWN, arg=1440)


# Whether the canvas is as wide as the window, and more than a hundred points of it are in colour.
DRAWN = """width => {
  const canvas = document.querySelector('.u-wrap canvas');
  if (!canvas || Math.abs(canvas.getBoundingClientRect().width - width) > 150) return false;
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  let found = 0;
  for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 99 && Math.abs(data[at] - data[at + 2]) > 60) found++;
  return found > 100;
}"""


def test_the_keyboard_reaches_a_decision(visit: Callable[..., Visitor], token: str) -> None:
    visitor = visit()
    visitor.sign_in(token)
    visitor.go(f"{JOB}/curves?hide=good")
    page = visitor.page
    page.locator(".u-over").wait_for()
    page.get_by_role("application").focus()
    page.keyboard.press("ArrowRight")
    tip = page.locator(".tip")
    expect(tip).to_contain_text("Early stopped")
    expect(tip).to_contain_text("is expected to reach at most")
    name = tip.locator("header span").first.inner_text()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    expect(page.get_by_text("Stopped: OutOfReach.")).to_be_visible()


def test_a_filter_finds_trials_and_says_what_it_does_not_understand(visit: Callable[..., Visitor], token: str) -> None:
    visitor = visit()
    visitor.sign_in(token)
    visitor.go(f"{JOB}/trials")
    page = visitor.page
    field = page.get_by_label("Filter trials")
    field.fill("phase = EarlyStopped and learning_rate < 1")
    expect(page.get_by_role("heading", name="6 of 20 trials")).to_be_visible()
    expect(page.locator("tbody .phase.stopped")).to_have_count(6)
    field.fill("nonsense = 1")
    expect(page.get_by_text('there is no column "nonsense"')).to_be_visible()
    field.fill("")
    page.get_by_role("button", name="validation:accuracy").click()
    values = page.locator("tbody tr td:nth-child(4)").all_inner_texts()
    assert values == sorted(values)


def test_chosen_trials_are_compared(visit: Callable[..., Visitor], token: str) -> None:
    visitor = visit()
    visitor.sign_in(token)
    visitor.go(f"{JOB}/trials")
    page = visitor.page
    for number in (1, 3):
        page.get_by_label(f"Select caltech-resnet-000{number}").check()
    page.get_by_role("link", name="Compare 2").click()
    expect(page.get_by_text("2 of 20 trials")).to_be_visible()


def test_a_brush_chooses_trials(visit: Callable[..., Visitor], token: str) -> None:
    visitor = visit()
    visitor.sign_in(token)
    visitor.go(f"{JOB}/parameters")
    page = visitor.page
    brush = page.get_by_role("slider", name="Brush on validation:accuracy")
    brush.focus()
    for _ in range(12):
        page.keyboard.press("ArrowUp")
    expect(page.get_by_text(re.compile(r"\d+ of 20 trials"))).to_be_visible()
    page.get_by_role("link", name="Their curves").click()
    expect(page.get_by_text(re.compile(r"^\d+ of 20 trials"))).to_be_visible()


def test_times_are_in_the_viewers_zone(visit: Callable[..., Visitor], token: str) -> None:
    visitor = visit()
    visitor.sign_in(token)
    visitor.go("#/ns/research/trials/caltech-resnet-0020")
    page = visitor.page
    page.get_by_text("Events", exact=True).click()
    page.get_by_text("Manifest", exact=True).click()
    utc = re.search(r"startTime: \"?(\S+?)\"?\n", page.locator("pre").inner_text())
    assert utc is not None
    local = page.evaluate(
        "time => new Date(time).toLocaleString(undefined, {dateStyle: 'medium', timeStyle: 'medium'})", utc[1]
    )
    assert page.locator(f'[title="{local}"]').count() > 0
