"""Screenshots of the web client's states, at three widths and in both themes, for review and for the documentation.

    python3 Tests/Browser/screenshots.py .build/debug/gohubd FOLDER
"""

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from harness import Hub, Tab

SIZES = {"phone": (390, 844), "tablet": (820, 1180), "desktop": (1440, 900)}
TALK = [
    ("maria", "Good morning! The new build is on the test bench."),
    ("maria", "Notes are here: https://example.com/release-notes"),
    ("jonas", "Nice. How long did the run take?"),
    ("maria", "Eleven minutes, with everything."),
    ("aiko", "¡Buenos días! I'll look at the figures after the stand-up."),
    ("lee", "The tall graph in the middle is the drain, isn't it?"),
    ("jonas", "Yes. Ten thousand clients leave over five seconds, and none of them comes back at the same moment as another."),
    ("aiko", "That's a lovely curve."),
    ("omar", "Lunch at half past twelve?"),
    ("priya", "I'm in 🍜"),
]
ROOMS = {"lobby": ["maria", "jonas", "aiko", "lee", "omar", "priya"], "release": ["maria", "jonas", "lee"],
         "design": ["aiko", "priya", "sofia"], "lunch": ["omar", "priya", "jonas", "sofia", "tom"]}
REACTIONS = [("lee", 1, "🎉"), ("omar", 1, "🎉"), ("aiko", 1, "👍"), ("omar", 8, "❤️"), ("priya", 9, "👍")]

# All users except the one whose pages are captured. They join, send messages, and stay.
CROWD = """
(rooms) => Promise.all([...new Set(Object.values(rooms).flat())].map((user) => new Promise((resolve) => {
    const socket = new WebSocket(location.origin.replace("http", "ws") + "/v1/ws", ["gohub.v1"]);
    const mine = Object.keys(rooms).filter((room) => rooms[room].includes(user));
    let left = mine.length;
    const waiting = new Map();
    // Resolves when it is stored, so that what is said stands in the order in which it was said.
    (window.crowd ??= {})[user] = (command) => new Promise((stored) => {
        const id = crypto.randomUUID();
        socket.send(JSON.stringify({ id, ...command }));
        if (["send", "react"].includes(command.op)) waiting.set(id, stored);
        else stored();
    });
    socket.onopen = () => window.crowd[user]({ op: "hello", user, device: "desk" });
    socket.onmessage = ({ data }) => {
        const event = JSON.parse(data);
        if (event.op === "welcome") for (const room of mine) window.crowd[user]({ op: "join", room });
        if (event.op === "ack") waiting.get(event.id)?.();
        if (event.op === "ping") window.crowd[user]({ op: "pong" });
        if (event.op === "joined" && --left === 0) resolve();
        if (event.op === "message") window.crowd[user]({ op: "seen", room: event.room, offset: event.offset });
    };
})))
"""


class Studio:
    def __init__(self, browser, hub, folder):
        self.browser, self.hub, self.folder = browser, hub, folder

        self.crowd = browser.new_page()
        self.crowd.goto(hub.url)
        self.crowd.evaluate(CROWD, ROOMS)
        for user, text in TALK:
            self.tell(user, {"op": "send", "room": "lobby", "text": text})
        for user, offset, reaction in REACTIONS:
            self.tell(user, {"op": "react", "room": "lobby", "offset": offset, "reaction": reaction})

    def tell(self, user, command):
        self.crowd.evaluate("([user, command]) => window.crowd[user](command)", [user, command])

    def shoot(self, tab, name):
        for scheme in ("light", "dark"):
            tab.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            tab.page.screenshot(path=self.folder / f"{name}-{self.size}-{scheme}.png")
        tab.page.emulate_media(color_scheme="light", reduced_motion="reduce")

    def tab(self, user, size):
        width, height = SIZES[size]
        return Tab(self.browser, self.hub, user, viewport={"width": width, "height": height}, reduced_motion="reduce")

    def session(self, size):
        self.size = size
        is_small = size == "phone"
        ann = self.tab("ann", size)
        page = ann.page
        page.goto(self.hub.url)
        expect(page.locator("#user")).to_be_focused()
        self.shoot(ann, "sign-in")
        ann.connect()
        self.shoot(ann, "welcome")
        for room in ("design", "lunch", "release", "lobby"):
            if is_small:
                page.get_by_role("button", name="Conversations").click()
            ann.page.fill("#join-room", room)
            ann.page.press("#join-room", "Enter")
            expect(page.locator("#title")).to_have_text(f"#{room}")
        expect(page.locator(".message").first).to_be_visible()
        ann.say("Count me in, and thanks for the notes")
        ann.say("I'll bring the graphs")
        expect(page.locator("[data-status=sent]").last).to_contain_text("graphs")
        self.tell("jonas", {"op": "send", "room": "release", "text": "shall we?"})
        self.tell("tom", {"op": "send", "room": "lunch", "text": "who else?"})
        self.tell("sofia", {"op": "send", "to": "ann", "text": "have you got a minute?"})
        expect(page.locator(".mark.seen").last).to_contain_text("seen by 6")
        self.tell("omar", {"op": "typing", "room": "lobby", "active": True})
        expect(page.locator("#typing")).to_contain_text("omar")
        self.shoot(ann, "conversation")
        if is_small:
            page.get_by_role("button", name="Conversations").click()
            self.shoot(ann, "drawer")
            page.keyboard.press("Escape")
        if size != "desktop":
            page.get_by_role("button", name="People").click()
            self.shoot(ann, "people")
            page.keyboard.press("Escape")
        page.locator(".message", has_text="lovely curve").focus()
        self.shoot(ann, "actions")
        page.keyboard.press("+")
        self.shoot(ann, "reactions")
        page.keyboard.press("Escape")
        page.locator(".message", has_text="bring the graphs").focus()
        page.keyboard.press("Delete")
        self.shoot(ann, "delete")
        page.keyboard.press("Escape")
        page.keyboard.press("r")
        self.shoot(ann, "reply")
        page.keyboard.press("Escape")
        page.keyboard.type("/")
        expect(page.get_by_role("listbox")).to_be_visible()
        self.shoot(ann, "commands")
        page.keyboard.press("Escape")
        page.keyboard.press("Backspace")
        if size == "desktop":
            page.get_by_role("button", name="Moderate tom").or_(page.get_by_role("button", name="Moderate omar")).first.click()
            self.shoot(ann, "moderation")
        ann.context.set_offline(True)
        ann.expect_state("Offline")
        ann.say("written on the train")
        self.shoot(ann, "offline")
        ann.context.set_offline(False)
        ann.expect_state("Connected", 30_000)
        expect(page.locator("#subtitle")).to_have_text("7 people here")
        ann.say("/help")
        expect(page.locator(".notice").first).to_be_visible()
        ann.say("/nosuchcommand")
        expect(page.locator(".failure")).to_be_visible()
        self.shoot(ann, "notice")
        page.get_by_role("button", name="Discard").click()
        if is_small:
            page.get_by_role("button", name="Conversations").click()
        page.locator("hub-rooms .live").click()
        expect(page.locator(".point.user")).to_have_count(9)
        self.shoot(ann, "live")
        if is_small:
            page.get_by_role("button", name="Conversations").click()
        page.locator(".place", has_text="sofia").click()
        ann.say("Of course. Call you in five?")
        expect(page.locator(".mark").last).to_contain_text("seen")
        self.shoot(ann, "direct")
        page.context.close()


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: screenshots.py GOHUBD FOLDER")
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
                                             args=["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"])
        for size in SIZES:
            hub = Hub(os.path.abspath(sys.argv[1]), directory, "--store=memory")
            try:
                Studio(browser, hub, folder).session(size)
            finally:
                hub.stop(kill=True)
        browser.close()


if __name__ == "__main__":
    main()
