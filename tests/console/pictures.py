"""Takes the pictures of the console in README and docs; run it as `make console-pictures`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image
from playwright.sync_api import expect

from cluster.api import Api
from cluster.controlplane import ControlPlane
from tests.console import seed
from tests.console.browser import Visitor, chromium, start_console, token_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
NAMESPACE = "research"
JOBS = f"#/ns/{NAMESPACE}/jobs"


class Picture(NamedTuple):
    """A page, in which colours, and a text that is on it once it is complete."""

    name: str
    address: str
    text: str
    theme: str = "light"


PICTURES = (
    Picture("job", f"{JOBS}/fashion", "Slots"),
    Picture("curves", f"{JOBS}/fashion/curves", "20 of 20 trials", "dark"),
    Picture("parameters", f"{JOBS}/transformer-lr/parameters", "Map of two"),
    Picture("what-if", f"{JOBS}/caltech-resnet/what-if?rule=Median", "What a replay cannot know"),
)


def take(page: Page, picture: Picture) -> None:
    """Wait for the page and write its picture."""
    expect(page.get_by_text(picture.text).first).to_be_visible(timeout=60_000)
    expect(page.locator("[aria-busy]")).to_have_count(0)
    if picture.name == "curves":
        _point_at_a_decision(page)
    path = ROOT / "docs" / "images" / f"console-{picture.name}.png"
    page.screenshot(path=path, full_page=picture.name != "what-if")
    with Image.open(path) as image:
        image.convert("RGB").quantize(256).save(path, optimize=True)  # half the size, and nobody sees it


def _point_at_a_decision(page: Page) -> None:
    """Go from curve to curve by keyboard until the tip speaks of a decision."""
    page.get_by_role("application").focus()
    page.keyboard.press("ArrowRight")
    for _ in range(40):
        if "is expected to reach" in page.locator(".tip").inner_text():
            for _ in range(3):
                page.keyboard.press("ArrowRight")
            return
        page.keyboard.press("ArrowDown")
    raise AssertionError("no curve with a decision was reached")


def main() -> None:
    """Seed an API server, start the console before it, and take all pictures."""
    with (
        tempfile.TemporaryDirectory() as made,
        ControlPlane(Path(made) / "state", manifests=[ROOT / "crds"]) as server,
        chromium() as browser,
    ):
        server.create_namespace(NAMESPACE)
        for plan in seed.GALLERY:
            seed.put(Api(server.kubeconfig), NAMESPACE, seed.make(plan))
        console, url = start_console(server.kubeconfig, Path(made))
        try:
            for picture in PICTURES:
                visitor = Visitor(browser, url, picture.theme)
                visitor.sign_in(token_of(server.kubeconfig))
                visitor.go(picture.address)
                take(visitor.page, picture)
                visitor.close()
        finally:
            console.stop()


if __name__ == "__main__":
    main()
