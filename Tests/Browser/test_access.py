"""Accessibility and safety: axe in each state and both themes, the keyboard alone, small screens, and injected
content."""

import re
import urllib.request

from playwright.sync_api import expect

from harness import Suite

suite = Suite("access")
check = suite.check

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


class Auditor:
    """Collects axe's findings in each state, and fails once with all of them."""

    def __init__(self):
        self.found = []
        self.states = 0

    def __call__(self, tab, state):
        self.states += 1
        self.found += [f"{state}: {violation}" for violation in tab.violations()]

    def judge(self):
        assert not self.found, "\n      ".join(self.found)


def filled(world, room):
    """A room that shows every part that a message can have."""
    alice = world.tab("alice").connect(room)
    bob = world.tab("bob").connect(room)
    carol = {"user": world.name("carol")}
    alice.other(room, [{"op": "send", "text": "good morning, see https://example.com/news"}, {"op": "send", "text": "regretted"},
                       {"op": "send", "text": "with a tpyo"}], carol)
    alice.other(room, [{"op": "edit", "offset": 3, "text": "without a typo"}, {"op": "react", "offset": 1, "reaction": "👍"},
                       {"op": "delete", "offset": 2}], carol)
    bob.other(room, [{"op": "send", "text": "an answer", "replyTo": 1}, {"op": "send", "text": "for now", "ephemeral": True}])
    alice.say("mine")
    alice.say("/nosuchcommand")
    alice.say("/ping")
    expect(alice.page.locator(".failure")).to_be_visible()
    expect(alice.page.locator(".notice")).to_be_visible()
    expect(alice.page.locator(".reaction")).to_be_visible()
    return alice, bob


@check("axe finds nothing in the states of a conversation, in both themes")
def conversation(world):
    audit = Auditor()
    alice, bob = filled(world, world.name("room"))
    page = alice.page
    audit(alice, "messages of all kinds")
    page.locator(".message").first.hover()
    expect(page.locator(".actions")).to_be_visible()
    audit(alice, "a message's actions")
    page.get_by_role("button", name="React").click()
    audit(alice, "choosing a reaction")
    page.keyboard.press("Escape")
    alice.message("mine").focus()
    page.keyboard.press("Delete")
    audit(alice, "asked before deleting")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_role("listbox")).to_be_visible()
    audit(alice, "completing a command")
    page.keyboard.press("Escape")
    page.keyboard.press("Backspace")
    page.keyboard.press("ArrowUp")
    audit(alice, "editing")
    page.keyboard.press("Escape")
    bob.page.keyboard.type("typ")
    expect(page.locator("#typing")).not_to_have_text("")
    audit(alice, "somebody types")
    page.get_by_role("button", name=f"Moderate {bob.user}").click()
    audit(alice, "moderating")
    page.fill("#join-room", "not/a/room")
    page.keyboard.press("Enter")
    expect(page.locator("#join-room")).to_be_focused()
    assert "A room's name has" in page.locator("#join-room").evaluate("(field) => field.validationMessage")
    page.fill("#join-room", "")
    page.locator("hub-rooms .live").click()
    expect(page.locator(".point.user")).to_have_count(2)
    audit(alice, "the live picture")
    page.get_by_role("button", name=f"Write to {bob.user}").first.focus()
    audit(alice, "the live picture with the focus in it")
    page.keyboard.press("Enter")
    expect(page.locator("#title")).to_have_text(bob.user)
    audit(alice, "a direct conversation without messages")
    page.click("#leave")
    bob.say(f"/kick {alice.user}")
    expect(page.locator("hub-alert")).to_contain_text("You are no longer in")
    audit(alice, "put out, and no conversation left")
    expect(page.locator("#welcome")).to_be_visible()
    page.get_by_role("button", name="Dismiss this message").click()
    expect(page.locator("hub-alert")).to_be_hidden()
    audit.judge()


@check("axe finds nothing in the states of the connection and of signing in, in both themes")
def states(world):
    audit = Auditor()
    alice = world.tab("alice")
    alice.page.goto(world.hub.url)
    expect(alice.page.locator("#user")).to_be_focused()
    audit(alice, "signing in by name")
    alice.page.keyboard.press("Enter")
    expect(alice.page.locator("#sign-in-problem")).to_be_visible()
    audit(alice, "signing in without a name")
    alice.connect(world.name("room"))
    audit(alice, "an empty room")
    alice.context.set_offline(True)
    alice.expect_state("Offline")
    alice.say("waits")
    expect(alice.page.locator("[data-status=sending]")).to_be_visible()
    audit(alice, "offline, with a message that waits")
    (world.directory_path / "secret").write_text("a secret of the tests that is long enough for this\n")
    hub = world.own_hub("--store=memory", f"auth.secretFile={world.directory}/secret", "auth.leewaySeconds=0", "drain.closeOverMs=3000")
    bob = world.tab("bob", hub)
    bob.page.goto(hub.url)
    expect(bob.page.locator("#token")).to_be_focused()
    audit(bob, "signing in with a token")
    bob.connect_with(hub.token(bob.user, "--ttl", "20s", "--room", "room", "--room", "other:read"), "room")
    bob.page.fill("#join-room", "closed")
    bob.page.keyboard.press("Enter")
    expect(bob.page.locator("hub-timeline .empty h2")).to_have_text("You can't enter this room")
    audit(bob, "a room that is refused")
    bob.page.fill("#join-room", "other")
    bob.page.keyboard.press("Enter")
    expect(bob.page.locator("#text")).to_be_disabled()
    audit(bob, "a room where one may only read")
    expect(bob.page.locator("hub-renewal input")).to_be_visible(timeout=30_000)
    audit(bob, "another token is wanted")
    hub.stop(kill=True)
    bob.expect_state("Reconnecting")
    audit(bob, "reconnecting")
    audit.judge()


@check("on a phone: nothing is wider than the screen, the lists are drawers that keep the focus, axe finds nothing")
def phone(world):
    audit = Auditor()
    room = world.name("room")
    alice = world.tab("alice", **PHONE)
    page = alice.page
    page.goto(world.hub.url)
    audit(alice, "phone, signing in")
    page.fill("#user", alice.user)
    page.keyboard.press("Enter")
    alice.expect_state("Connected")
    opener = page.get_by_role("button", name="Conversations")
    opener.click()
    drawer = page.locator("#rooms")
    expect(drawer).to_be_in_viewport()
    audit(alice, "phone, conversations")
    # The focus cycles inside the drawer, and returns to the button.
    for _ in range(10):
        page.keyboard.press("Tab")
        inside = page.evaluate("() => document.activeElement === document.body || Boolean(document.activeElement.closest('#rooms, .bar'))")
        assert inside, page.evaluate("() => document.activeElement.outerHTML")
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    expect(drawer).not_to_be_in_viewport()
    opener.click()
    page.fill("#join-room", room)
    page.keyboard.press("Enter")
    expect(page.locator("#title")).to_have_text(f"#{room}")
    expect(drawer).not_to_be_in_viewport()
    alice.say("from a small screen, with a long word " + "x" * 200)
    alice.say("and another")
    alice.expect_message("and another")
    alice.message("and another").tap()
    expect(page.get_by_role("button", name="Reply")).to_be_visible()
    audit(alice, "phone, a message's actions")
    page.get_by_role("button", name="People").click()
    expect(page.locator("#people")).to_be_in_viewport()
    audit(alice, "phone, people")
    page.get_by_role("button", name="Close").last.click()
    page.get_by_role("button", name="Conversations").click()
    page.locator("hub-rooms .live").click()
    expect(page.locator(".point.user")).to_have_count(1)
    audit(alice, "phone, the live picture")
    for width in (320, 390, 820, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        wide = page.evaluate("() => document.documentElement.scrollWidth")
        assert wide <= width, f"the page is {wide} pixels wide at {width}"
    audit.judge()


@check("who wants less motion gets a picture that stands still at once, and the theme can be chosen")
def calm(world):
    room = world.name("room")
    alice = world.tab("alice", reduced_motion="reduce", color_scheme="dark").connect(room)
    page = alice.page
    page.locator("hub-rooms .live").click()
    point = page.locator(".point.user")
    expect(point).to_have_attribute("transform", re.compile("translate"))
    where = page.evaluate("""() => new Promise((resolve) => {
        const at = () => document.querySelector(".point.user").getAttribute("transform");
        const first = at();
        requestAnimationFrame(() => requestAnimationFrame(() => resolve([first, at()])));
    })""")
    assert where[0] == where[1], where
    ground = "() => getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").wait_for()
    light = page.evaluate(ground)
    assert light != dark, light
    page.reload()
    alice.expect_state("Connected")
    assert page.evaluate(ground) == light


@check("the hub's policy lets nothing in: no markup from text, no script and no style that isn't the page's own")
def policy(world):
    with urllib.request.urlopen(world.hub.url) as answer:
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert policy["default-src"] == "'none'" and policy["script-src"] == "'self'" and policy["style-src"] == "'self'", policy
    assert policy["frame-ancestors"] == "'none'" and policy["base-uri"] == "'none'" and policy["form-action"] == "'none'", policy
    assert policy["img-src"] == "'self' blob:" and policy["media-src"] == "'self'" and policy["connect-src"] == "'self'", policy
    assert "unsafe" not in str(policy) and policy["require-trusted-types-for"] == "'script'", policy
    alice = world.tab("alice").connect(world.name("room"))
    blocked = alice.page.evaluate("""() => new Promise((resolve) => {
        const blocked = new Set();
        document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
            blocked.add(effectiveDirective);
            if (blocked.size === 3) resolve([...blocked].sort());
        });
        try { document.body.innerHTML = "<b>no</b>"; } catch {}
        document.body.append(Object.assign(document.createElement("style"), { textContent: "body { color: red }" }));
        const picture = new Image();
        picture.src = "https://example.com/x.png";
    })""")
    assert blocked == ["img-src", "require-trusted-types-for", "style-src-elem"], blocked
    # These three errors were expected.
    alice.complaints.clear()
    for name in ("gohub.js", "app.js", "chat.js", "files.js", "message.js", "upload-panel.js", "viewer.js"):
        with urllib.request.urlopen(world.hub.url + name) as answer:
            source = answer.read().decode()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", source), name
