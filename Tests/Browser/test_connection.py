"""Lost connections: the page says so immediately, reconnects, and neither loses nor duplicates anything."""

import json
import re
import time

from playwright.sync_api import expect

from harness import RECONNECT_WAIT_MS, Suite

suite = Suite("connection")
check = suite.check

# A drain window that is shorter than a test's timeout.
QUICK_DRAIN = ["drain.closeOverMs=100", "drain.reconnectOverMs=300", "drain.deadlineMs=2000"]

# Records what the page shows once all listeners have handled the event, before anything else can happen.
WATCH_STATE = """
() => addEventListener("offline", () => setTimeout(() => { window.shown = document.querySelector("#state-text").textContent; }))
"""


@check("offline in the middle of a conversation: it shows with the event itself, and nothing is lost or doubled after it")
def offline(world):
    room = world.name("room")
    alice, bob = world.tab("alice").connect(room), world.tab("bob").connect(room)
    alice.say("before")
    bob.expect_message("before")
    bob.page.evaluate(WATCH_STATE)
    bob.context.set_offline(True)
    bob.expect_state("Offline")
    expect(bob.page.locator("hub-banner")).to_contain_text("You are offline. What you write is kept and sent later.")
    assert bob.page.evaluate("() => window.shown") == "Offline", "it showed later than the system told it"
    for number in range(5):
        bob.say(f"written offline {number}")
        alice.say(f"missed {number}")
    expect(bob.page.locator("[data-status=sending]")).to_have_count(5)
    alice.expect_message("missed 4")
    bob.expect_message("missed 4", 0)
    bob.context.set_offline(False)
    bob.expect_state("Connected", RECONNECT_WAIT_MS)
    for tab in (alice, bob):
        for number in range(5):
            tab.expect_message(f"written offline {number}")
            tab.expect_message(f"missed {number}")
        written = [text for text in tab.texts() if text.startswith("written")]
        assert written == [f"written offline {number}" for number in range(5)], written
    expect(bob.page.locator("[data-status=sending]")).to_have_count(0)
    bob.expect_message("before")
    expect(bob.page.locator("hub-banner")).to_be_hidden()


@check("the hub restarts under the page: it is told, comes back, and has everything once")
def restart(world):
    hub = world.own_hub(f"--store=sqlite:{world.directory}/restart-{world.run}.sqlite", *QUICK_DRAIN)
    alice, bob = world.tab("alice", hub).connect("room"), world.tab("bob", hub).connect("room")
    alice.say("before the restart")
    bob.expect_message("before the restart")
    # The states that the page showed, in order: the end may come and go faster than a test can look.
    alice.page.evaluate("""() => {
        window.states = [];
        new MutationObserver(() => window.states.push(document.querySelector("#state-text").textContent))
            .observe(document.querySelector("#state-text"), { childList: true, characterData: true, subtree: true });
    }""")
    hub.stop()
    alice.expect_state("Reconnecting")
    assert alice.page.evaluate("() => window.states[0]") == "Restarting", alice.page.evaluate("() => window.states")
    alice.say("written meanwhile")
    hub.start()
    for tab in (alice, bob):
        tab.expect_state("Connected", RECONNECT_WAIT_MS)
        tab.expect_message("before the restart")
        tab.expect_message("written meanwhile")
    bob.say("after the restart")
    alice.expect_message("after the restart")
    # A page that asks why its attempt failed may meet the hub before or after it listens again.
    for tab in (alice, bob):
        tolerate_refusals(tab)


@check("the hub is killed under the page, with messages on their way: each is there once")
def killed(world):
    hub = world.own_hub(f"--store=sqlite:{world.directory}/killed-{world.run}.sqlite")
    alice, bob = world.tab("alice", hub).connect("room"), world.tab("bob", hub).connect("room")
    for number in range(10):
        alice.say(f"before {number}")
    hub.stop(kill=True)
    for number in range(10):
        alice.say(f"after {number}")
    hub.start()
    for tab in (alice, bob):
        tab.expect_state("Connected", RECONNECT_WAIT_MS)
        for number in range(10):
            tab.expect_message(f"before {number}")
            tab.expect_message(f"after {number}")
    assert alice.texts() == bob.texts(), (alice.texts(), bob.texts())
    for tab in (alice, bob):
        tolerate_refusals(tab)


def copied(world, tab):
    """Duplicates a tab as the browser does: with a copy of its session storage."""
    kept = tab.page.evaluate("() => Object.entries(sessionStorage)")
    page = tab.open_page()
    page.add_init_script(f"for (const [key, value] of {json.dumps(kept)}) sessionStorage.getItem(key) ?? sessionStorage.setItem(key, value);")
    page.goto(world.hub.url)
    return page


@check("a copy of a tab is a device of its own: both go on")
def copy(world):
    room = world.name("room")
    alice, bob = world.tab("alice").connect(room), world.tab("bob").connect(room)
    first, second = alice.page, copied(world, alice)
    expect(second.locator("#state-text")).to_have_text("Connected")
    expect(second.locator("#title")).to_have_text(f"#{room}")
    bob.say("hello, both")
    for alice.page in (first, second):
        alice.expect_message("hello, both")
        alice.expect_state("Connected")


@check("the same device in two tabs: the older is told, keeps what it shows, and doesn't fight; it may take over again")
def ghost(world):
    room = world.name("room")
    alice, bob = world.tab("alice"), world.tab("bob").connect(room)
    # Without TLS from another machine, a browser has no Web Locks, which tell a copied tab that it is a copy.
    alice.context.add_init_script("Object.defineProperty(navigator, 'locks', { value: undefined })")
    alice.connect(room)
    alice.say("hello from the first tab")
    bob.expect_message("hello from the first tab")
    first, second = alice.page, copied(world, alice)
    expect(first.locator("#state-text")).to_have_text("Open elsewhere")
    expect(first.locator("hub-banner")).to_contain_text("opened in another tab")
    expect(first.locator("#text")).to_be_disabled()
    bob.say("who gets this")
    alice.page = second
    alice.expect_message("hello from the first tab")
    alice.expect_message("who gets this")
    # A reconnect of the first tab would have replaced the second.
    alice.expect_state("Connected")
    alice.page = first
    alice.expect_state("Open elsewhere")
    expect(alice.message("hello from the first tab")).to_have_count(1)
    first.get_by_role("button", name="Use it here").click()
    alice.expect_state("Connected")
    alice.expect_message("who gets this")
    expect(second.locator("#state-text")).to_have_text("Open elsewhere")


@check("what waits to be sent outlives the page: the next one in this tab sends it, once")
def waiting(world):
    hub = world.own_hub(f"--store=sqlite:{world.directory}/waiting-{world.run}.sqlite")
    alice, bob = world.tab("alice", hub).connect("room"), world.tab("bob", hub).connect("room")
    hub.stop(kill=True)
    alice.expect_state("Reconnecting")
    alice.say("written before the page was left")
    expect(alice.page.locator("[data-status=sending]")).to_have_count(1)
    alice.page.goto("about:blank")
    hub.start()
    alice.page.goto(hub.url)
    for tab in (alice, bob):
        tab.expect_message("written before the page was left", timeout=RECONNECT_WAIT_MS)


@check("a reload keeps the session and the rooms; signing out keeps nothing")
def reload(world):
    room = world.name("room")
    alice, bob = world.tab("alice").connect(room), world.tab("bob").connect(room)
    alice.join(world.name("second"))
    alice.open(room)
    alice.say("before the reload")
    bob.expect_message("before the reload")
    alice.page.reload()
    alice.expect_state("Connected")
    expect(alice.page.locator("#title")).to_have_text(f"#{room}")
    expect(alice.page.locator(".place", has_text=world.name("second"))).to_be_visible()
    alice.expect_message("before the reload")
    alice.page.get_by_role("button", name="Sign out").click()
    expect(alice.page.locator("#user")).to_be_focused()
    assert alice.page.evaluate("() => Object.keys(sessionStorage).filter((key) => key.startsWith('gohub.'))") in ([], ["gohub.device"])
    expect(alice.page.locator(".message")).to_have_count(0)
    expect(bob.page.locator("#subtitle")).to_have_text("1 person here")


@check("a token that is about to end is renewed in place; one that has ended, too; and none of them is stored for longer")
def token(world):
    (world.directory_path / "secret").write_text("a secret of the tests that is long enough for this\n")
    hub = world.own_hub("--store=memory", f"auth.secretFile={world.directory}/secret", "auth.leewaySeconds=0")
    bob = world.tab("bob", hub)
    bob.connect_with(hub.token(bob.user, "--ttl", "1h", "--room", "room"), "room")
    alice = world.tab("alice", hub)
    alice.connect_with(hub.token(alice.user, "--ttl", "20s", "--name", "Alice A.", "--room", "room"), "room")
    expect(bob.page.locator("hub-people")).to_contain_text("Alice A.")
    assert alice.page.get_by_role("button", name="Moderate").count() == 0, "moderation is offered without the grant"
    renewal = alice.page.locator("hub-renewal input")
    expect(renewal).to_be_visible(timeout=RECONNECT_WAIT_MS)
    alice.say("still here")
    bob.expect_message("still here")
    renewal.fill(hub.token(alice.user, "--ttl", "15s", "--name", "Alice A.", "--room", "room"))
    alice.page.keyboard.press("Enter")
    expect(renewal).to_be_hidden()
    # A second token, which expires.
    expect(alice.page.locator("hub-renewal")).to_contain_text("has ended", timeout=RECONNECT_WAIT_MS)
    expect(alice.page.locator("#state-text")).not_to_have_text("Connected")
    alice.say("written without a token")
    renewal.fill(hub.token(alice.user, "--ttl", "1h", "--name", "Alice A.", "--room", "room"))
    alice.page.keyboard.press("Enter")
    alice.expect_state("Connected", RECONNECT_WAIT_MS)
    bob.expect_message("written without a token")
    assert "ey" not in alice.page.url
    assert alice.page.evaluate("() => JSON.stringify(localStorage)").find("eyJ") < 0, "a token is in the local storage"
    alice.page.get_by_role("button", name="Sign out").click()
    assert alice.page.evaluate("() => JSON.stringify(sessionStorage)").find("eyJ") < 0, "a token outlives the session"


# The hub's HTTP answer to a refused handshake.
REFUSALS = {
    429: ("rate_limited", "Too many connections from this address.", "The hub has reached its connection limit for your address"),
    503: ("unavailable", "The hub has reached its connection limit.", "The hub is not accepting new connections now"),
}


def refuse_handshakes(tab, status, body, content_type="application/json"):
    """Makes the WebSocket fail, and HTTP at its address say why. Returns a function that ends this."""
    path = re.compile(r"/v1/ws$")
    closed = {"now": True}
    tab.page.route_web_socket(path, lambda socket: socket.close(code=1006) if closed["now"] else socket.connect_to_server())
    handler = lambda route: route.fulfill(status=status, content_type=content_type, body=body, headers={"Retry-After": "1"})
    tab.page.route(path, handler)
    return lambda: (closed.update(now=False), tab.page.unroute(path, handler))


def tolerate_refusals(tab):
    """The browser's own log lines for requests that were refused on purpose."""
    tab.complaints[:] = [complaint for complaint in tab.complaints if "Failed to load resource" not in complaint]


@check("a hub that takes no more connections is told as that, tried again, and there as soon as it takes one")
def full(world):
    for status, (code, message, words) in REFUSALS.items():
        for body, content_type in [(json.dumps({"code": code, "message": message}), "application/json"), (message, "text/plain")]:
            tab = world.tab("alice")
            tab.page.goto(tab.hub.url)
            restore = refuse_handshakes(tab, status, body, content_type)
            expect(tab.page.locator("#user")).to_be_focused()
            tab.page.keyboard.type(tab.user)
            tab.page.keyboard.press("Enter")
            expect(tab.page.locator("hub-banner")).to_contain_text(words)
            expect(tab.page.locator("hub-banner")).not_to_contain_text("lost")
            tab.expect_state("No connection")
            assert tab.violations() == [], tab.violations()
            restore()
            tab.expect_state("Connected", RECONNECT_WAIT_MS)
            expect(tab.page.locator("hub-banner")).to_be_hidden()
            tolerate_refusals(tab)
            tab.close()
            world.tabs.remove(tab)


@check("a page of an origin that may not connect is told so where one signs in, and nothing tries again by itself")
def foreign(world):
    hub = world.own_hub("--store=memory", "origins=https://chat.example.com")
    tab = world.tab("alice", hub)
    tab.page.goto(hub.url)
    words = "Pages of this origin are not allowed to use the hub. The operator can add the origin to `origins`."
    tab.page.route(re.compile(r"/v1/ws$"), lambda route: route.fulfill(status=403, json={"code": "forbidden", "message": words}))
    expect(tab.page.locator("#user")).to_be_focused()
    tab.page.keyboard.type(tab.user)
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("#sign-in-problem")).to_have_text(f"Not connected: {words}")
    expect(tab.page.locator("#user")).to_be_focused()
    assert tab.violations() == [], tab.violations()
    tolerate_refusals(tab)


# Opens connections until the hub refuses one, and keeps them open.
FILL = """
() => new Promise((resolve) => {
    window.kept = [];
    const open = () => {
        const socket = new WebSocket(location.origin.replace("http", "ws") + "/v1/ws", ["gohub.v1"]);
        socket.onopen = () => (window.kept.push(socket), open());
        socket.onerror = () => resolve(window.kept.length);
    };
    open();
})
"""


@check("the hub itself tells a page that it takes no more connections")
def full_hub(world):
    hub = world.own_hub("--store=memory", "connections.perAddressMax=150")
    alice, bob = world.tab("alice", hub), world.tab("bob", hub)
    for tab in (alice, bob):
        tab.page.goto(hub.url)
        expect(tab.page.locator("#user")).to_be_focused()
    count = bob.page.evaluate(FILL)
    assert 0 < count <= 150, count
    alice.page.keyboard.type(alice.user)
    alice.page.keyboard.press("Enter")
    expect(alice.page.locator("hub-banner")).to_contain_text("connection limit for your address")
    bob.page.evaluate("() => { for (const socket of window.kept) socket.close(); }")
    alice.expect_state("Connected", RECONNECT_WAIT_MS)
    for tab in (alice, bob):
        tolerate_refusals(tab)


@check("the hub itself tells a page of its own that its origin may not connect")
def shut_hub(world):
    hub = world.own_hub("--store=memory", "origins=https://chat.example.com")
    tab = world.tab("alice", hub)
    tab.page.goto(hub.url)
    expect(tab.page.locator("#user")).to_be_focused()
    tab.page.keyboard.type(tab.user)
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("#sign-in-problem")).to_contain_text("add same-origin to `origins`")
    tolerate_refusals(tab)


@check("a token that has expired is told as that where one signs in; one that is kept with the tab can be replaced in the page")
def expired(world):
    (world.directory_path / "secret").write_text("a secret of the tests that is long enough for this\n")
    hub = world.own_hub("--store=memory", f"auth.secretFile={world.directory}/secret", "auth.leewaySeconds=0")
    tab = world.tab("alice", hub)
    ended = hub.token(tab.user, "--ttl", "1s", "--room", "room")
    expect(tab.page).to_have_url("about:blank")
    tab.page.goto(hub.url)
    tab.page.wait_for_function("(end) => Date.now() > end", arg=(int(time.time()) + 2) * 1_000)
    tab.page.fill("#token", ended)
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("#sign-in-problem")).to_have_text("Not connected: this token has expired.")
    expect(tab.page.locator("#token")).to_be_focused()
    tab.page.fill("#token", hub.token(tab.user, "--ttl", "1h", "--room", "room"))
    tab.page.keyboard.press("Enter")
    tab.expect_state("Connected")
    tab.join("room")
    # Opens the page again after the token has expired.
    tab.page.evaluate("(token) => sessionStorage.setItem('gohub.who', JSON.stringify({ token }))", ended)
    tab.page.reload()
    expect(tab.page.locator("hub-banner")).to_contain_text("Your sign-in has ended: give a new token to go on.")
    renewal = tab.page.locator("hub-renewal input")
    expect(renewal).to_be_visible()
    renewal.fill(hub.token(tab.user, "--ttl", "1h", "--room", "room"))
    tab.page.keyboard.press("Enter")
    tab.expect_state("Connected", RECONNECT_WAIT_MS)
    expect(tab.page.locator("#title")).to_have_text("#room")


@check("a wrong token is told at the field, and nothing tries again by itself")
def wrong(world):
    (world.directory_path / "secret").write_text("a secret of the tests that is long enough for this\n")
    hub = world.own_hub("--store=memory", f"auth.secretFile={world.directory}/secret")
    alice = world.tab("alice", hub)
    alice.page.goto(hub.url)
    alice.page.fill("#token", "not.a.token")
    alice.page.keyboard.press("Enter")
    expect(alice.page.locator("#sign-in-problem")).to_have_text(re.compile("^Not connected: .+"))
    expect(alice.page.locator("#token")).to_be_focused()
    expect(alice.page.locator("#token")).to_have_value("")
