"""Long histories: ten thousand messages in a room, of which the page keeps only those near the viewport."""

import re

from playwright.sync_api import expect

from harness import Suite

suite = Suite("history")
check = suite.check

MESSAGES = 10_000
# At 1,280 × 720, including the margin around the viewport.
ROWS_IN_PAGE_MAX = 400

FAST = [f"rates.{scope}{rate}=1000000" for scope in ("connection", "user", "address", "room") for rate in ("PerSecond", "Burst")]
ROOMY = ["memory.messagesPerRoomMax=20000", "memory.bytesPerRoomMax=100000000", "limits.commandsInFlightMax=1000"]

# Scrolls like a wheel, one step a frame. Reports the frame times and the highest number of rows.
SCROLL = """
([steps, stepPx]) => new Promise((resolve) => {
    const log = document.querySelector(".log");
    const frames = [];
    let before = performance.now();
    let rows = 0;
    const step = (now) => {
        frames.push(now - before);
        before = now;
        rows = Math.max(rows, log.querySelectorAll(".message").length);
        log.scrollTop += stepPx;
        if (frames.length < steps) requestAnimationFrame(step);
        else resolve({ frames: frames.slice(1).sort((one, other) => one - other), rows });
    };
    requestAnimationFrame(step);
})
"""

# The visible messages from the top, each with its position.
IN_SIGHT = """
() => {
    const log = document.querySelector(".log");
    const { top, bottom } = log.getBoundingClientRect();
    return [...log.querySelectorAll(".message")].map((row) => [Number(row.dataset.offset), row.getBoundingClientRect()])
        .filter(([, box]) => box.bottom > top && box.top < bottom).map(([offset, box]) => [offset, Math.round(box.top)]);
}
"""


def in_sight(tab):
    return tab.page.evaluate(IN_SIGHT)


@check("10,000 messages scroll: a bounded part of them is in the page, all can be reached, in order and without a hole")
def ten_thousand(world):
    hub = world.own_hub("--store=memory", *FAST, *ROOMY)
    alice = world.tab("alice", hub).connect("lobby")
    # Texts of all lengths, so that no row has its estimated height.
    texts = [f"message {number} " + "lorem ipsum " * (number * 7 % 40) for number in range(1, MESSAGES + 1)]
    alice.other("big", [{"op": "send", "text": text} for text in texts], {"user": "filler"})
    alice.join("big")
    log = alice.page.locator(".log")
    expect(log.locator(f"[data-offset='{MESSAGES}']")).to_be_visible()
    # Scrolls to the beginning: each page of history is loaded when the scroll position nears it.
    first = log.locator(".message").first
    for _ in range(MESSAGES // 20):
        before = first.get_attribute("data-offset")
        if before == "1":
            break
        log.evaluate("(log) => { log.scrollTop = 0; }")
        expect(first).not_to_have_attribute("data-offset", before)
    log.evaluate("(log) => { log.scrollTop = 0; }")
    expect(log.locator("[data-offset='1']")).to_be_in_viewport()
    assert log.locator(".message").count() <= ROWS_IN_PAGE_MAX, log.locator(".message").count()
    # Scrolls down again, with the whole history in the list.
    seen = set()
    for _ in range(40):
        moved = alice.page.evaluate(SCROLL, [10, 60])
        assert moved["rows"] <= ROWS_IN_PAGE_MAX, moved["rows"]
        offsets = [offset for offset, _ in in_sight(alice)]
        assert offsets == list(range(offsets[0], offsets[-1] + 1)), offsets
        seen |= set(offsets)
    assert len(seen) > 200 and max(seen) > 250, (len(seen), max(seen))
    height = log.evaluate("(log) => log.scrollHeight")
    moved = alice.page.evaluate(SCROLL, [120, height // 120])
    assert moved["rows"] <= ROWS_IN_PAGE_MAX, moved["rows"]
    frames = moved["frames"]
    print(f"      a scroll over 10,000 messages: {len(frames)} frames, median {frames[len(frames) // 2]:.0f} ms, "
          f"19 of 20 within {frames[len(frames) * 19 // 20]:.0f} ms; {moved['rows']} rows in the page at most")
    alice.page.locator(".latest").click() if alice.page.locator(".latest").is_visible() else None
    expect(log.locator(f"[data-offset='{MESSAGES}']")).to_be_visible()


@check("an earlier page comes in above without moving what is in sight; what is new below waits for one to come")
def place(world):
    hub = world.own_hub("--store=memory", *FAST, *ROOMY)
    alice, bob = world.tab("alice", hub), world.tab("bob", hub)
    alice.connect("lobby")
    alice.other("talk", [{"op": "send", "text": f"message {number} " + "lorem ipsum " * (number % 30)} for number in range(1, 301)],
                {"user": "filler"})
    alice.join("talk")
    bob.connect("talk")
    log = alice.page.locator(".log")
    expect(log.locator("[data-offset='300']")).to_be_visible()
    # Holds the scroll position at a message in the middle while the page before it is loaded and inserted above it.
    log.evaluate("(log) => { log.scrollTop = 900; }")
    before = dict(in_sight(alice))
    expect(log.locator(".block").nth(6)).to_be_attached()
    after = dict(in_sight(alice))
    same = set(before) & set(after)
    assert same and all(abs(before[offset] - after[offset]) <= 2 for offset in same), (before, after)
    bob.say("new at the end")
    latest = alice.page.locator(".latest")
    expect(latest).to_have_text(re.compile("1 new message"))
    expect(alice.page.locator(".place", has_text="talk").locator(".unread")).to_contain_text("1")
    still = dict(in_sight(alice))
    assert all(abs(after[offset] - still[offset]) <= 2 for offset in set(after) & set(still)), (after, still)
    latest.click()
    alice.expect_message("new at the end")
    expect(latest).to_be_hidden()
    expect(alice.page.locator("#text")).to_be_focused()
    expect(alice.page.locator(".unread")).to_have_count(0)


@check("who scrolls up is not taken back by what is drawn before the browser reports the scrolling")
def scrolled_early(world):
    alice = world.tab("alice").connect(world.name("room"))
    alice.other(world.name("room"), [{"op": "send", "text": f"message {number}"} for number in range(1, 41)], {"user": world.name("bob")})
    alice.expect_message("message 40")
    # Changing the view draws the log anew in the next frame, which also reports the scrolling.
    alice.page.evaluate("""() => {
        document.querySelector("hub-rooms .live").click();
        document.querySelector(".place[data-room]").click();
        document.querySelector(".log").scrollTop = 0;
    }""")
    expect(alice.page.locator(".latest")).to_be_visible()
    assert alice.page.evaluate("() => document.querySelector('.log').scrollTop") == 0


@check("many messages at once are one text for a screen reader, and a message's place is known to the keyboard")
def announced(world):
    room = world.name("room")
    alice = world.tab("alice").connect(room)
    alice.page.evaluate("""() => {
        window.said = [];
        const announcer = document.querySelector("#announcer");
        new MutationObserver(() => announcer.textContent && window.said.push(announcer.textContent))
            .observe(announcer, { childList: true, characterData: true, subtree: true });
    }""")
    alice.other(room, [{"op": "send", "text": f"burst {number}"} for number in range(20)], {"user": world.name("bob")})
    alice.expect_message("burst 19")
    expect(alice.page.locator("#announcer")).to_contain_text("burst 19")
    said = [text for text in alice.page.evaluate("() => window.said") if "burst" in text]
    assert len(said) < 10, said
    expect(alice.page.locator(".log")).to_have_attribute("aria-live", "off")
    alice.page.locator(".log").focus()
    alice.page.keyboard.press("ArrowUp")
    expect(alice.message("burst 19")).to_be_focused()
    alice.page.keyboard.press("ArrowUp")
    expect(alice.message("burst 18")).to_be_focused()
    alice.page.keyboard.press("Escape")
    expect(alice.page.locator("#text")).to_be_focused()


@check("a room with a history is read once it is joined: nothing stays unread, and its senders see who has seen it")
def read(world):
    hub = world.own_hub("--store=memory", *FAST)
    alice = world.tab("alice", hub).connect("lobby")
    alice.other("lobby", [{"op": "send", "text": f"earlier {number}"} for number in range(201)])
    alice.expect_message("earlier 200")
    expect(alice.message("earlier 200").locator(".mark")).not_to_contain_text("seen")
    bob = world.tab("bob", hub).connect("lobby")
    bob.expect_message("earlier 200")
    expect(alice.message("earlier 200").locator(".mark")).to_contain_text("seen by 1")
    # The whole history, which the page loads while scrolling up.
    bob.page.wait_for_function("() => { document.querySelector('.log').scrollTop = 0; return document.querySelector('[data-offset=\"1\"]'); }")
    expect(bob.page.locator(".place", has_text="lobby")).to_be_visible()
    expect(bob.page.locator(".place .unread")).to_have_count(0)
    expect(bob.page).to_have_title("GoHub")
