"""How the page starts, and what it shows when it can't: never a blank page."""

import re

from playwright.sync_api import expect

from harness import Suite

suite = Suite("start")
check = suite.check

BUSY = {"status": 503, "content_type": "application/json", "body": '{"code":"unavailable","message":"busy"}', "headers": {"Retry-After": "1"}}
CROWDED = {"status": 429, "content_type": "text/plain", "body": "Too many connections from this address.", "headers": {"Retry-After": "1"}}


def expect_told(tab, *texts):
    """The page says why it did not start, and how to try again. It shows nothing else."""
    start = tab.page.locator("#start")
    for text in texts:
        expect(start).to_contain_text(text)
    expect(start).to_be_visible()
    expect(tab.page.locator("hub-sign-in")).to_be_hidden()
    expect(tab.page.locator(".app")).to_be_hidden()
    # The browser's own log lines for requests that were refused on purpose.
    words = ("Failed to load resource", "Refused to apply style", "Refused to execute script")
    tab.complaints[:] = [complaint for complaint in tab.complaints if not any(word in complaint for word in words)]


def refuse(tab, name, answer):
    path = re.compile(rf"/{re.escape(name)}$")
    handler = (lambda route: route.abort()) if answer is None else (lambda route: route.fulfill(**answer))
    tab.page.route(path, handler)
    return lambda: tab.page.unroute(path, handler)


@check("a part of the page that is refused or lost is told with the reason, and the page is there at the next try")
def parts(world):
    for name, answer, words in [
        ("timeline.js", CROWDED, "connection limit for your address"), ("app.js", BUSY, "busy or restarting"),
        ("gohub-view.js", None, "cannot be reached"), ("layout.css", CROWDED, "connection limit for your address"),
        ("base.css", BUSY, "busy or restarting"), ("v1/info", CROWDED, "connection limit for your address"),
        ("v1/info", None, "cannot be reached"),
    ]:
        tab = world.tab("alice")
        restore = refuse(tab, name, answer)
        tab.page.goto(tab.hub.url)
        expect_told(tab, "This page couldn't be loaded", words, name)
        if name != "base.css":
            assert tab.violations() == [], f"{name}: {tab.violations()}"
        restore()
        tab.page.get_by_role("button", name="Try again").click()
        expect(tab.page.locator("#user")).to_be_focused()
        expect(tab.page.locator("#start")).to_have_count(0)
        tab.complaints.clear()
        tab.close()
        world.tabs.remove(tab)


@check("without start.js, and without scripts, there is text, too")
def bare(world):
    tab = world.tab("alice")
    for name in ("start.js", "app.js"):
        refuse(tab, name, CROWDED)
    tab.page.goto(tab.hub.url)
    expect_told(tab, "If this stays, a part of the page couldn't be loaded")
    scriptless = world.tab("bob", java_script_enabled=False)
    scriptless.page.goto(scriptless.hub.url)
    expect(scriptless.page.locator(".noscript")).to_be_visible()
    expect(scriptless.page.locator("#start")).to_be_hidden()


@check("at a hub with too few connections for its files the page is there, or says why it isn't")
def crowded(world):
    hub = world.own_hub("--store=memory", "connections.httpPerAddressMax=2")
    tab = world.tab("alice", hub)
    tab.page.goto(hub.url)
    # Two of six connections are taken: the browser cancels the others.
    expect(tab.page.locator("#user, #start[data-state=failed]").first).to_be_visible()
    if tab.page.locator("#start").count():
        expect_told(tab, "your address")


@check("who has signed in isn't held up by a hub that doesn't say who it is")
def signed_in(world):
    room = world.name("room")
    tab = world.tab("alice").connect(room)
    refuse(tab, "v1/info", BUSY)
    tab.page.reload()
    tab.expect_state("Connected")
    expect(tab.page.locator("#title")).to_have_text(f"#{room}")
    tab.complaints.clear()
