"""The web client in a real browser, against a running hub in development mode.

    python3 Tests/Browser/test_chat.py http://127.0.0.1:8080

Needs Debian's `chromium` and `python3 -m pip install playwright`; no browser is downloaded. Every wait is for a
condition and has a bound; nothing sleeps.
"""

import os
import re
import secrets
import sys
from urllib.parse import urlsplit

from playwright.sync_api import Error, expect, sync_playwright

WAIT_MS = 10_000
# A client that lost its connection comes back inside 20 s, whatever its luck.
RECONNECT_WAIT_MS = 30_000

RUN = secrets.token_hex(3)
ROOM = f"test-{RUN}"
ALICE = f"alice-{RUN}"
BOB = f"bob-{RUN}"
HOSTILE = """<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> & "quotes" 'too' \u202e {{7*7}}"""

CHECKS = []


def check(name):
    """Registers a check; they run in the order of the file, each on what the ones before it left."""

    def register(body):
        CHECKS.append((name, body))
        return body

    return register


class Tab:
    """One user's browser: a context of its own, its page, and what the page complained of."""

    def __init__(self, browser, url, user, **options):
        self.user = user
        self.url = url
        self.context = browser.new_context(**options)
        self.complaints = []
        self.page = self.open_page()

    def open_page(self):
        page = self.context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: self.complaints.append(f"script error: {error}"))
        page.on("console", self.note_console)
        return page

    def note_console(self, message):
        # The network's own errors are what the offline check makes on purpose.
        is_network = "WebSocket connection to" in message.text or "net::ERR" in message.text
        if message.type == "error" and not is_network and "favicon" not in str(message.location):
            self.complaints.append(message.text)

    def connect(self):
        """By keyboard alone: the right field has the focus already."""
        self.page.goto(self.url)
        expect(self.page.locator("#user")).to_be_focused()
        self.page.keyboard.type(self.user)
        self.page.keyboard.press("Enter")
        expect(self.page.locator("#state-text")).to_have_text("connected")

    def join(self, room):
        self.page.fill("#join-room", room)
        self.page.press("#join-room", "Enter")
        expect(self.page.locator("#title")).to_have_text(room)
        expect(self.page.locator("#text")).to_be_focused()

    def say(self, text):
        self.page.fill("#text", text)
        self.page.press("#text", "Enter")

    def open_place(self, title):
        self.page.locator(".place", has_text=title).click()
        expect(self.page.locator("#title")).to_have_text(title)

    def messages(self, text):
        """The stored messages with exactly this text; none that is still on its way."""
        return self.page.locator("#log .message:not(.pending):not(.failed) .text").get_by_text(text, exact=True)


@check("two people connect by keyboard alone")
def connect(alice, bob):
    alice.connect()
    bob.connect()
    expect(alice.page.locator("#whoami")).to_have_text(ALICE)


@check("both join a room, and each sees two people in it")
def join(alice, bob):
    alice.join(ROOM)
    bob.join(ROOM)
    for tab in (alice, bob):
        expect(tab.page.locator("#subtitle")).to_have_text("2 people here")
        expect(tab.page.locator("#people-count")).to_have_text("2")
        expect(tab.page.locator("#people-list")).to_contain_text(ALICE if tab is bob else BOB)


@check("a message reaches both once, with its author and its time")
def chat(alice, bob):
    alice.say("hello, room")
    for tab in (alice, bob):
        expect(tab.messages("hello, room")).to_have_count(1)
    item = bob.page.locator(".message", has_text="hello, room")
    expect(item.locator(".author")).to_have_text(ALICE)
    expect(item.locator("time")).to_have_attribute("datetime", re.compile(r"^\d{4}-\d\d-\d\dT"))
    expect(alice.page.locator(".pending")).to_have_count(0)


@check("an answer comes the other way, in order, however fast")
def burst(alice, bob):
    texts = [f"line {number}" for number in range(1, 9)]
    for text in texts:
        bob.say(text)
    expect(alice.messages("line 8")).to_have_count(1)
    shown = alice.page.locator(".message:not(.pending) .text").all_inner_texts()
    assert [text for text in shown if text.startswith("line ")] == texts, shown


@check("typing shows to the other, and ends with the message")
def typing(alice, bob):
    alice.page.focus("#text")
    alice.page.keyboard.type("hm")
    expect(bob.page.locator("#typing")).to_have_text(f"{ALICE} is typing…")
    alice.page.keyboard.press("Enter")
    expect(bob.messages("hm")).to_have_count(1)
    expect(bob.page.locator("#typing")).to_have_text("")


@check("hostile text renders as text")
def hostile(alice, bob):
    alice.say(HOSTILE)
    for tab in (alice, bob):
        expect(tab.messages(HOSTILE)).to_have_count(1)
        assert tab.page.locator("#log img, #log script").count() == 0, "markup came to life"
        assert tab.page.evaluate("window.hacked") is None, "a script ran"


AS_ANOTHER_DEVICE = """
([user, room, commands]) => new Promise((resolve, reject) => {
    const socket = new WebSocket(location.origin.replace("http", "ws") + "/v1/ws", ["gohub.v1"]);
    const say = (command) => socket.send(JSON.stringify({ id: crypto.randomUUID(), room, ...command }));
    socket.onopen = () => say({ op: "hello", user, device: "another" });
    socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
    socket.onmessage = ({ data }) => {
        const event = JSON.parse(data);
        if (event.op === "welcome") return say({ op: "join" });
        if (event.op === "error") return reject(new Error(event.message));
        if (event.op !== "joined" && event.op !== "ack") return;
        if (commands.length) return say(commands.shift());
        socket.onclose = null;
        socket.close();
        resolve();
    };
})
"""


def offset_of(tab, text):
    return int(tab.page.locator(".message", has_text=text).last.get_attribute("data-offset"))


@check("edits, reactions and deletions show, to who is here and to who comes later")
def facts(alice, bob):
    alice.say("frist")
    alice.say("regretted")
    expect(bob.messages("regretted")).to_have_count(1)
    first, second = offset_of(bob, "frist"), offset_of(bob, "regretted")
    alice.page.evaluate(AS_ANOTHER_DEVICE, [ALICE, ROOM, [
        {"op": "edit", "offset": first, "text": "first"},
        {"op": "react", "offset": first, "reaction": "👍"},
        {"op": "delete", "offset": second},
    ]])
    bob.page.evaluate(AS_ANOTHER_DEVICE, [BOB, ROOM, [
        {"op": "react", "offset": first, "reaction": "👍"},
        {"op": "react", "offset": first, "reaction": "<b>hi</b>"},
        {"op": "react", "offset": first, "reaction": "<b>hi</b>", "remove": True},
    ]])
    late = Tab(bob.context.browser, bob.url, f"carol-{RUN}")
    late.connect()
    late.join(ROOM)
    for tab in (alice, bob, late):
        item = tab.page.locator(f"[data-offset='{first}']")
        expect(item.locator(".text")).to_have_text("first")
        expect(item.locator(".edited")).to_have_text("edited")
        expect(item.locator(".reactions li")).to_have_count(1)
        expect(item.locator(".reactions li")).to_have_text(re.compile(f"👍 2.*{ALICE}, {BOB}"))
        expect(tab.page.locator(f"[data-offset='{second}'] .text")).to_have_text("This message was deleted.")
        expect(tab.messages("regretted")).to_have_count(0)
        expect(tab.messages("frist")).to_have_count(0)
    assert late.complaints == [], late.complaints
    late.context.close()
    # What comes after facts comes in order still.
    bob.say("after the facts")
    expect(alice.messages("after the facts")).to_have_count(1)


@check("a whisper shows as a conversation of the two, and not in the room")
def whisper(alice, bob):
    alice.say(f"/w {BOB} just you")
    expect(bob.page.locator(".place", has_text=ALICE).locator(".unread")).to_be_visible()
    expect(bob.messages("just you")).to_have_count(0)
    bob.open_place(ALICE)
    expect(bob.messages("just you")).to_have_count(1)
    bob.say("and you")
    alice.open_place(BOB)
    for tab in (alice, bob):
        expect(tab.messages("and you")).to_have_count(1)
    for tab in (alice, bob):
        tab.open_place(ROOM)
        expect(tab.messages("just you")).to_have_count(0)


@check("a slash command answers its sender only")
def slash(alice, bob):
    alice.say("/ping")
    expect(alice.page.locator(".notice", has_text="pong")).to_have_count(1)
    expect(bob.page.locator(".notice", has_text="pong")).to_have_count(0)
    alice.say("//ping")
    expect(bob.messages("/ping")).to_have_count(1)


@check("an error shows at the message it is about")
def error(alice, bob):
    alice.say("/nosuchcommand")
    expect(alice.page.locator(".failed .note")).to_contain_text("no such command")
    alice.say("x" * 9_000)
    expect(alice.page.locator(".failed .note", has_text="long")).to_have_count(1)


@check("presence follows who leaves and comes back")
def presence(alice, bob):
    bob.page.click("#leave")
    expect(alice.page.locator("#subtitle")).to_have_text("1 person here")
    bob.join(ROOM)
    expect(alice.page.locator("#subtitle")).to_have_text("2 people here")
    expect(bob.messages("hello, room")).to_have_count(1)


@check("offline shows at once; what was missed and what was written meanwhile arrives once")
def offline(alice, bob):
    bob.context.set_offline(True)
    expect(bob.page.locator("#state-text")).to_have_text("offline")
    bob.say("written offline")
    expect(bob.page.locator(".pending .note")).to_have_text("waiting for the connection…")
    alice.say("missed by bob")
    expect(alice.messages("missed by bob")).to_have_count(1)
    assert bob.messages("missed by bob").count() == 0
    bob.context.set_offline(False)
    expect(bob.page.locator("#state-text")).to_have_text("connected", timeout=RECONNECT_WAIT_MS)
    for tab in (alice, bob):
        expect(tab.messages("written offline")).to_have_count(1)
        expect(tab.messages("missed by bob")).to_have_count(1)
    expect(bob.page.locator(".pending")).to_have_count(0)
    assert bob.messages("hello, room").count() == 1, "history came twice"


@check("the same device elsewhere replaces this one, which says so and stays away")
def replaced(alice, bob):
    device = bob.page.evaluate("sessionStorage.getItem('gohub.device')")
    first, bob.page = bob.page, bob.open_page()
    bob.page.add_init_script(f"sessionStorage.setItem('gohub.device', '{device}')")
    bob.connect()
    expect(first.locator("#state-text")).to_have_text("replaced")
    expect(first.locator("#text")).to_be_disabled()
    bob.join(ROOM)
    alice.say("to the newer one")
    expect(bob.messages("to the newer one")).to_have_count(1)
    expect(first.locator("#state-text")).to_have_text("replaced")
    first.close()


@check("nothing overflows at a width of 360 pixels")
def narrow(alice, bob):
    bob.page.set_viewport_size({"width": 360, "height": 640})
    wide = bob.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 360, f"the page is {wide} pixels wide"
    bob.say("from a small screen")
    expect(alice.messages("from a small screen")).to_have_count(1)


@check("neither page broke the content security policy or threw")
def quiet(alice, bob):
    assert alice.complaints + bob.complaints == [], alice.complaints + bob.complaints


def main():
    if len(sys.argv) != 2 or urlsplit(sys.argv[1]).scheme not in ("http", "https"):
        sys.exit("usage: test_chat.py http://127.0.0.1:PORT")
    expect.set_options(timeout=WAIT_MS)
    passed = failed = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"])
        alice, bob = Tab(browser, sys.argv[1], ALICE), Tab(browser, sys.argv[1], BOB)
        for name, body in CHECKS:
            try:
                body(alice, bob)
            except (AssertionError, Error) as problem:
                failed += 1
                print(f"FAIL  {name}\n      {str(problem).strip()}", flush=True)
            else:
                passed += 1
                print(f"ok    {name}", flush=True)
        browser.close()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
