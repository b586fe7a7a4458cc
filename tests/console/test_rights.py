"""Rights, hostile words and live updates, in a real browser on a real API server."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from cluster.process import environment
from tests.console import seed
from tests.console.browser import token_of
from tests.console.conftest import NAMESPACE
from tests.console.made import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from cluster.api import Api
    from cluster.controlplane import ControlPlane
    from tests.console.browser import Visitor

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=\"alert('pwned')\"><script>alert(1)</script>"
WORDS = f"{HOSTILE} \u202e https://evil.example/ javascript:alert(2) {{{{constructor}}}}"


def test_a_running_job_moves_by_itself(visit: Callable[..., Visitor], token: str, api: Api) -> None:
    made = seed.make(Plan("moving", trials=4, running=1, early_stopped=0, failed=(), epochs=12))
    seed.put(api, NAMESPACE, made)
    visitor = visit()
    visitor.sign_in(token)
    visitor.go("#/ns/research/jobs/moving")
    page = visitor.page
    slots = page.locator(".slots")
    expect(slots).to_contain_text("moving-0004")
    curve = made.trials[3]["status"]["curve"]
    longer = {"epochs": [*curve["epochs"], curve["epochs"][-1] + 0.5], "values": [*curve["values"], "0.98765"]}
    seed.set_status(api, NAMESPACE, "tuningtrials", "moving-0004", {"curve": longer, "epochs": len(longer["epochs"])})
    expect(slots).to_contain_text("0.9877")
    seed.set_status(api, NAMESPACE, "tuningjobs", "moving", {"phase": "Suspended"})
    expect(page.locator(".page-head")).to_contain_text("Suspended")
    visitor.go("#/ns/research")
    expect(page.get_by_role("row", name="moving")).to_contain_text("Suspended")
    api.call("DELETE", f"/apis/tuning-operator.dev/v1alpha1/namespaces/{NAMESPACE}/tuningjobs/moving")
    expect(page.get_by_role("row", name="moving")).to_have_count(0)


def test_a_tab_that_nobody_sees_gives_its_connection_back_and_goes_on_where_it_was(
    visit: Callable[..., Visitor], token: str, api: Api
) -> None:
    seed.put(api, NAMESPACE, seed.make(Plan("hidden", trials=4, running=1, early_stopped=0, failed=(), epochs=12)))
    visitor = visit()
    page = visitor.page
    page.clock.install()
    visitor.sign_in(token)
    visitor.go("#/ns/research/jobs/hidden")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    with page.expect_event("requestfailed", lambda request: "/jobs/hidden" in request.url):
        turn(page, hidden=True)
        page.clock.fast_forward(31_000)
    seed.set_status(api, NAMESPACE, "tuningjobs", "hidden", {"phase": "Suspended"})
    with page.expect_request(lambda request: "/jobs/hidden?" in request.url) as resumed:
        turn(page, hidden=False)
    assert "trials=" in resumed.value.url
    expect(page.locator(".page-head")).to_contain_text("Suspended")


def turn(page: Page, *, hidden: bool) -> None:
    """Put the page behind another tab, or before it again."""
    page.evaluate(
        "hidden => { Object.defineProperty(document, 'hidden', { get: () => hidden, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')) }",
        hidden,
    )


def test_whatever_a_user_or_a_training_wrote_is_text(visit: Callable[..., Visitor], token: str, api: Api) -> None:
    made = seed.make(Plan("hostile", trials=14, running=1, early_stopped=2, epochs=8))
    spec = made.job["spec"]
    spec["objective"]["metric"] = HOSTILE
    spec["parameters"][3] = {
        "name": "optimizer",
        "categorical": {"values": [HOSTILE, "</svg><script>alert(3)</script>"]},
    }
    spec["staticParameters"]["note"] = WORDS
    for trial in made.trials:
        trial["spec"]["parameters"]["optimizer"] = HOSTILE
        status = trial["status"]
        status["message"] = WORDS
        status["metrics"] = [{"name": HOSTILE, "epoch": 1, "value": "NaN"}]
        if "stopDecision" in status:
            status["stopDecision"] |= {"message": WORDS, "reason": "<b>x</b>"}
    for condition in made.job["status"]["conditions"]:
        condition |= {"message": WORDS, "status": "Unknown"}
    for event in made.events:
        event |= {"message": WORDS[:1000], "reason": "<i>x</i>"}
    seed.put(api, NAMESPACE, made)
    visitor = visit()
    visitor.sign_in(token)
    page = visitor.page
    job = "#/ns/research/jobs/hostile"
    for address in (job, *(f"{job}/{tab}" for tab in ("curves", "parameters", "trials", "timeline"))):
        visitor.go(address)
        expect(page.get_by_text("<img src=x").first).to_be_visible()
        expect(page.locator("[aria-busy]")).to_have_count(0)
    page.locator("svg.plot, .u-over").first.hover()
    for view in ("pods", "events", "manifest"):
        visitor.go(f"#/ns/research/trials/hostile-0003?view={view}")
        expect(page.get_by_text("<img src=x").first).to_be_visible()
    assert page.locator("img[src=x], main script, b, i:not([class]):not([style])").count() == 0


def test_who_may_not_see_it_is_told_in_the_api_servers_words(
    visit: Callable[..., Visitor], server: ControlPlane
) -> None:
    visitor = visit()
    visitor.sign_in(token_of(server.kubeconfig_for_user("stranger")))
    said = visitor.page.get_by_text('User "stranger" cannot list resource "tuningjobs"')
    expect(said).to_be_visible()
    visitor.go("#/ns/research/jobs/fashion")
    expect(visitor.page.get_by_text('User "stranger" cannot get resource "tuningjobs"')).to_be_visible()


def test_a_token_that_nobody_gave_is_refused(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.sign_in("made-up")
    expect(visitor.page.get_by_text("The token is not accepted")).to_be_visible()
    visitor.page.get_by_role("button", name="Sign out").click()
    expect(visitor.page.get_by_label("Bearer token")).to_be_visible()


def test_a_token_that_is_revoked_ends_what_is_seen(
    visit: Callable[..., Visitor], server: ControlPlane, api: Api
) -> None:
    server.kubectl("create", "serviceaccount", "guest", f"--namespace={NAMESPACE}")
    server.kubectl(
        "create", "role", "looks", "--verb=get,list,watch", "--resource=tuningjobs,tuningtrials", f"-n={NAMESPACE}"
    )
    server.kubectl(
        "create", "rolebinding", "guest", "--role=looks", f"--serviceaccount={NAMESPACE}:guest", f"-n={NAMESPACE}"
    )
    visitor = visit()
    visitor.sign_in(token_of(server.kubeconfig_for_service_account(NAMESPACE, "guest")))
    visitor.go("#/ns/research/jobs/fashion")
    page = visitor.page
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    api.call("DELETE", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/guest")
    # The API server itself remembers a good token for ten seconds.
    expect(page.get_by_role("alert")).to_contain_text("Unauthorized", timeout=60_000)
    expect(page.get_by_text("Not connected")).to_be_visible()


def test_a_page_of_another_site_gets_nothing(
    visit: Callable[..., Visitor], token: str, console: str, foreign_site: str
) -> None:
    visitor = visit(url=foreign_site)
    page = visitor.page
    page.goto(foreign_site)
    address = f"{console}/api/namespaces/research/jobs/fashion"
    # Without more headers it is sent, and its answer is kept from the page; with a token it is not even sent.
    plain = "([address]) => fetch(address, { mode: 'no-cors' }).then(() => 1, () => 0)"
    asked = (
        "([address, token]) => fetch(address, { headers: { Authorization: `Bearer ${token}` } }).then(() => 1, () => 0)"
    )
    assert [page.evaluate(script, [address, token]) for script in (plain, asked)] == [0, 0]
    # It is this test that asked elsewhere, which is noticed, and the browser complains of what it kept from it.
    assert address in visitor.foreign
    visitor.foreign.clear()
    visitor.errors.clear()


@pytest.fixture
def foreign_site() -> Iterator[str]:
    """Another site on this machine."""
    site = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{site.server_port}"
    site.shutdown()
    site.server_close()


class Quiet(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title>")

    def log_message(self, *_: object) -> None:
        pass


def test_nothing_is_stored_that_is_worth_stealing(visit: Callable[..., Visitor], token: str) -> None:
    visitor = visit()
    visitor.sign_in(token)
    visitor.go("#/ns/research/jobs/fashion")
    expect(visitor.page.get_by_text("Slots")).to_be_visible()
    kept = visitor.page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
    )
    assert token not in kept
    visitor.page.reload()
    expect(visitor.page.get_by_label("Bearer token")).to_be_visible()


def test_on_a_laptop_the_link_opens_once(visit: Callable[..., Visitor], server: ControlPlane, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tuning_client", "console", "--no-browser", f"--kubeconfig={server.kubeconfig}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment({"HOME": str(tmp_path)})) as console:
        try:
            link = address_in(console)
            visitor = visit(url=link.partition("/#")[0])
            visitor.page.goto(link)
            expect(visitor.page.get_by_role("link", name="caltech-resnet", exact=True)).to_be_visible()
            assert "secret" not in visitor.page.evaluate("location.href")
            visitor.page.reload()
            expect(visitor.page.get_by_role("link", name="caltech-resnet", exact=True)).to_be_visible()
            other = visit(url=link.partition("/#")[0])
            other.page.goto(link)
            expect(other.page.get_by_text("the link that the console printed opens it, once")).to_be_visible()
        finally:
            console.terminate()
    assert console.returncode == 0


def address_in(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    text, deadline = "", time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if select.select([process.stdout], [], [], 1)[0]:
            text += os.read(process.stdout.fileno(), 4096).decode()
        if found := re.search(r"http://127\.0\.0\.1:\d+/#secret=\S+", text):
            return found[0]
    raise AssertionError(f"no address: {json.dumps(text)}")
