"""Those parts of the JavaScript SDK that need a real browser: tabs, reloads, the network, the page's storage.

    python3 Tests/Browser/test_sdk.py http://127.0.0.1:8080

Runs against a hub in development mode, and needs what run.py needs (run.py also runs it). Other SDK tests: Tests/SDK.
"""

import os
import secrets
import sys

from playwright.sync_api import sync_playwright

WAIT_MS = 30_000
ROOM = f"sdk-{secrets.token_hex(3)}"
USER = f"alice-{secrets.token_hex(3)}"

BEGIN = """async ({ user, room }) => {
    const { GoHub } = await import("/gohub.js");
    window.hub = new GoHub({ user, outbox: sessionStorage });
    window.states = [];
    hub.on("state", ({ name }) => states.push(name));
    await hub.connect();
    window.room = await hub.join(room);
    return hub.device;
}"""


def begin(page):
    return page.evaluate(BEGIN, {"user": USER, "room": ROOM})


def until(page, condition):
    page.wait_for_function(condition, timeout=WAIT_MS)


def messages(page):
    return page.evaluate("room.messages.map(({ text, status }) => [text, status])")


def check_devices(context, page):
    """A tab keeps its device id over a reload. A copy of the tab, and a second hub in it, get their own."""
    device = begin(page)
    page.reload()
    assert begin(page) == device, "the device didn't survive a reload"
    with context.expect_page() as opened:
        page.evaluate("void window.open(location.href)")
    copy = opened.value
    copy.wait_for_load_state()
    assert copy.evaluate("sessionStorage.getItem('gohub.device')") == device, "the copy has no copied storage to begin with"
    assert begin(copy) != device, "a copied tab has its original's device"
    second = page.evaluate(
        "async (user) => { const { GoHub } = await import('/gohub.js'); const second = new GoHub({ user });"
        " await second.connect(); const { device } = second; second.close(); return device; }",
        USER,
    )
    assert second != device, "two hubs of a page share a device"
    assert page.evaluate("hub.state.name") == "connected", "the original was replaced"
    copy.close()


def check_network(context, page):
    """The state follows the system's network immediately, and messages sent meanwhile arrive."""
    context.set_offline(True)
    until(page, "hub.state.name === 'offline'")
    page.evaluate("void room.send('said offline')")
    assert messages(page) == [["said offline", "sending"]]
    context.set_offline(False)
    until(page, "room.messages[0].status === 'sent' && hub.state.name === 'connected'")
    assert page.evaluate("states").count("offline") == 1


def check_reload(context, page):
    """Messages queued in the page's storage are sent after a reload, and leave the storage."""
    context.set_offline(True)
    until(page, "hub.state.name === 'offline'")
    page.evaluate("void room.send('over a reload')")
    context.set_offline(False)
    page.reload()
    begin(page)
    until(page, "room.messages.length === 2 && room.messages[1].status === 'sent'")
    assert messages(page)[1][0] == "over a reload"
    until(page, "Object.keys(sessionStorage).every((key) => !key.startsWith('gohub.outbox'))")
    page.evaluate("hub.close()")
    assert page.evaluate("hub.state.cause") == "ended"


def main():
    url = sys.argv[1]
    complaints = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"])
        # The page's content security policy forbids Playwright's own wait functions.
        context = browser.new_context(bypass_csp=True)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        for check in (check_devices, check_network, check_reload):
            check(context, page)
            print(f"ok    SDK: {check.__doc__}")
        browser.close()
    assert not complaints, complaints


main()
