"""What users do together: send, reply, edit, whisper, moderate."""

import re

from playwright.sync_api import expect

from harness import Suite

suite = Suite("chat")
check = suite.check

HOSTILE = """<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> & "quotes" 'too' \u202e {{7*7}}"""


def two(world, room="room"):
    """Alice and Bob, both in a new room."""
    room = world.name(room)
    alice, bob = world.tab("alice").connect(room), world.tab("bob").connect(room)
    for tab in (alice, bob):
        expect(tab.page.locator("#subtitle")).to_have_text("2 people here")
    return alice, bob, room


@check("two people meet in a room, by keyboard alone, and each message reaches both once, with its author and time")
def meet(world):
    alice, bob, _ = two(world)
    for tab, other in ((alice, bob), (bob, alice)):
        expect(tab.page.locator("hub-people")).to_contain_text(other.user)
    alice.say("hello, room")
    for tab in (alice, bob):
        tab.expect_message("hello, room")
    expect(bob.message("hello, room").locator(".author")).to_have_text(alice.user)
    expect(bob.message("hello, room").locator("time")).to_have_attribute("datetime", re.compile(r"^\d{4}-\d\d-\d\dT"))
    texts = [f"line {number}" for number in range(1, 9)]
    for text in texts:
        bob.say(text)
    alice.expect_message("line 8")
    assert [text for text in alice.texts() if text.startswith("line ")] == texts, alice.texts()
    # Consecutive messages of one author share a heading.
    expect(alice.page.locator(".message.grouped")).to_have_count(7)


@check("four tabs of three people see the same, and one's own devices agree on what was read")
def many(world):
    alice, bob, room = two(world)
    carol = world.tab("carol").connect(room)
    second = world.tab("alice").connect(room)
    everybody = (alice, bob, carol, second)
    for index, tab in enumerate(everybody):
        expect(tab.page.locator("#subtitle")).to_have_text("3 people here")
        tab.say(f"from tab {index}")
    for tab in everybody:
        for index in range(4):
            tab.expect_message(f"from tab {index}")
    orders = [[text for text in tab.texts() if text.startswith("from tab")] for tab in everybody]
    assert all(order == orders[0] for order in orders), orders


@check("marks tell how far a message has got: in a direct conversation sent, delivered, seen; in a room by how many")
def marks(world):
    alice, bob, _ = two(world)
    bob.page.locator("[data-key^=write-]").first.click()
    expect(bob.page.locator("#title")).to_have_text(alice.user)
    # Alice still views the other room: the message is delivered but not seen.
    bob.say("psst")
    expect(bob.message("psst").locator(".mark")).to_contain_text("delivered")
    expect(alice.page.locator(".place", has_text=bob.user).locator(".unread")).to_contain_text("1")
    alice.open(bob.user)
    expect(bob.message("psst").locator(".mark")).to_contain_text("seen")
    expect(alice.page.locator(".place", has_text=bob.user).locator(".unread")).to_have_count(0)
    alice.open(world.name("room"))
    alice.say("who reads this")
    expect(alice.message("who reads this").locator(".mark")).to_contain_text("delivered")
    bob.open(world.name("room"))
    expect(alice.message("who reads this").locator(".mark")).to_contain_text("seen by 1")


@check("unread counts, the page's title, and the mark where reading stopped")
def unread(world):
    alice, bob, room = two(world)
    alice.join(world.name("elsewhere"))
    for number in range(3):
        bob.say(f"missed {number}")
    expect(alice.page.locator(".place", has_text=room).locator(".unread")).to_contain_text("3")
    expect(alice.page).to_have_title("(3) GoHub")
    alice.open(room)
    alice.expect_message("missed 0")
    expect(alice.page.locator(".unread-divider")).to_have_count(1)
    expect(alice.page.locator(".row", has=alice.page.locator(".unread-divider"))).to_contain_text("missed 0")
    expect(alice.page).to_have_title("GoHub")


@check("who comes back is in the rooms that were read before: they are listed, told, and counted as messages come")
def following(world):
    room, other, strange = world.name("room"), world.name("other"), world.name("strange")
    bob = world.tab("bob").connect(strange)
    bob.say("nothing for alice")
    alice = world.tab("alice")
    for name in (other, room):
        bob.join(name)
        bob.say("before")
        bob.expect_message("before")
        # Alice reads, and sends nothing.
        alice.join(name) if alice.page.url.startswith("http") else alice.connect(name)
        expect(bob.message("before").locator(".mark")).to_contain_text("seen by 1")
    alice.close()
    world.tabs.remove(alice)
    for number in range(40):
        bob.say(f"meanwhile {number}")
    expect(bob.page.locator("#subtitle")).to_have_text("1 person here")
    # Another browser, with none of the first one's storage.
    again = world.tab("alice").connect()
    unread = lambda name: again.page.locator(f".place[data-room='{name}'] .unread")
    expect(unread(room)).to_contain_text("40")
    expect(again.page).to_have_title("(40) GoHub")
    expect(again.page.locator(f".place[data-room='{other}']")).to_be_visible()
    expect(again.page.locator(f".place[data-room='{strange}']")).to_have_count(0)
    # Alice is in these rooms without having opened them, and receives their messages.
    expect(bob.page.locator("#subtitle")).to_have_text("2 people here")
    bob.say("another word")
    expect(unread(room)).to_contain_text("41")
    bob.open(other)
    bob.say("and here")
    expect(unread(other)).to_contain_text("1")
    expect(again.page).to_have_title("(42) GoHub")
    again.open(room)
    again.expect_message("another word")
    expect(again.page.locator(".row", has=again.page.locator(".unread-divider"))).to_contain_text("meanwhile 0")
    expect(unread(room)).to_have_count(0)
    expect(again.page).to_have_title("(1) GoHub")


@check("a room is followed from the join on, though nobody has written there, until it is left, also by another device")
def followed(world):
    room = world.name("room")
    alice, bob = world.tab("alice").connect(room), world.tab("bob").connect(room)
    expect(alice.page.locator("#subtitle")).to_have_text("2 people here")
    alice.close()
    world.tabs.remove(alice)
    expect(bob.page.locator("#subtitle")).to_have_text("1 person here")
    bob.say("the first word")
    bob.expect_message("the first word")
    again = world.tab("alice").connect()
    expect(again.page.locator(f".place[data-room='{room}'] .unread")).to_contain_text("1")
    again.open(room)
    again.page.click("#leave")
    expect(again.page.locator(f".place[data-room='{room}']")).to_have_count(0)
    expect(bob.page.locator("#subtitle")).to_have_text("1 person here")
    third = world.tab("alice").connect(world.name("elsewhere"))
    third.page.reload()
    expect(third.page.locator(f".place[data-room='{world.name('elsewhere')}']")).to_be_visible()
    expect(third.page.locator(f".place[data-room='{room}']")).to_have_count(0)


@check("typing shows to the other, and ends with the message")
def typing(world):
    alice, bob, _ = two(world)
    alice.page.keyboard.type("hm")
    expect(bob.page.locator("#typing")).to_have_text(f"{alice.user} is typing…")
    alice.page.keyboard.press("Enter")
    bob.expect_message("hm")
    expect(bob.page.locator("#typing")).to_have_text("")


@check("the last message is edited with the arrow up, and the change shows to all who are here and come later")
def edit(world):
    alice, bob, room = two(world)
    alice.say("frist")
    bob.expect_message("frist")
    alice.page.keyboard.press("ArrowUp")
    expect(alice.page.locator("#text")).to_have_value("frist")
    alice.page.keyboard.press("Control+A")
    alice.page.keyboard.type("first")
    alice.page.keyboard.press("Enter")
    late = world.tab("carol").connect(room)
    for tab in (alice, bob, late):
        expect(tab.page.locator(".message .text")).to_have_text(re.compile(r"^first \(edited\)"))
        expect(tab.message("frist")).to_have_count(0)
    alice.page.keyboard.press("ArrowUp")
    alice.page.keyboard.press("Escape")
    expect(alice.page.locator("#text")).to_have_value("")


@check("a message is answered, reacted to and deleted with the keyboard, and with the mouse")
def toolbar(world):
    alice, bob, _ = two(world)
    alice.say("what do you think")
    bob.expect_message("what do you think")
    # From the input field to the log, to its last message, to its actions.
    bob.page.locator(".log").focus()
    bob.page.keyboard.press("ArrowUp")
    expect(bob.message("what do you think")).to_be_focused()
    bob.page.keyboard.press("+")
    expect(bob.page.get_by_role("button", name="Thumbs up")).to_be_focused()
    bob.page.keyboard.press("Enter")
    reaction = alice.page.locator(".reaction")
    expect(reaction).to_have_text(re.compile(f"👍\\s*1.*{bob.user}"))
    reaction.click()
    expect(bob.page.locator(".reaction")).to_have_text(re.compile(r"👍\s*2"))
    expect(reaction).to_have_attribute("aria-pressed", "true")
    bob.message("what do you think").focus()
    bob.page.keyboard.press("r")
    expect(bob.page.locator("#text")).to_be_focused()
    expect(bob.page.locator(".context")).to_contain_text(f"Replying to {alice.user}")
    bob.page.keyboard.type("a good idea")
    bob.page.keyboard.press("Enter")
    alice.expect_message("a good idea")
    expect(alice.message("a good idea").locator(".quote")).to_contain_text("what do you think")
    alice.message("a good idea").locator(".quote").click()
    expect(alice.message("what do you think")).to_be_focused()
    alice.message("what do you think").hover()
    alice.page.get_by_role("button", name="Delete").click()
    alice.page.get_by_role("button", name="Delete for everyone").click()
    for tab in (alice, bob):
        expect(tab.message("This message was deleted.")).to_have_count(1)
        expect(tab.message("what do you think")).to_have_count(0)
        expect(tab.page.locator(".reaction")).to_have_count(0)
        expect(tab.message("a good idea").locator(".quote")).to_contain_text("deleted")


@check("hostile text and a hostile name render as text, and only addresses of the web become links")
def hostile(world):
    alice, bob, room = two(world)
    name = f"<img src=x onerror=window.hacked=1>{world.run}"
    alice.other(room, [
        {"op": "send", "text": HOSTILE}, {"op": "send", "text": "see https://example.com/a?b=1. and javascript:alert(1)"},
    ], {"user": name})
    for tab in (alice, bob):
        expect(tab.page.locator(".message .text", has_text=HOSTILE)).to_have_count(1)
        expect(tab.page.locator(".message .author")).to_have_text(name)
        assert tab.page.locator("hub-timeline img, hub-timeline script, hub-people img, hub-rooms img").count() == 0, "markup came to life"
        link = tab.page.locator(".message a")
        expect(link).to_have_count(1)
        expect(link).to_have_attribute("href", "https://example.com/a?b=1")
        expect(link).to_have_attribute("rel", "noopener noreferrer nofollow ugc")
    eve = world.tab("eve")
    eve.user = name
    eve.connect(room)
    for tab in (alice, bob, eve):
        expect(tab.page.locator("hub-people")).to_contain_text(name)
    eve.say(f"/w {alice.user} hidden")
    expect(alice.page.locator(".place", has_text=name)).to_be_visible()
    alice.page.locator("hub-rooms .live").click()
    expect(alice.page.locator(".in-words")).to_contain_text(name)
    for tab in (alice, bob, eve):
        assert tab.page.locator("main img, aside img, nav img").count() == 0, "markup came to life"
        assert tab.page.evaluate("() => window.hacked") is None, "a script ran"


@check("a whisper shows as a conversation of the two, and not in the room")
def whisper(world):
    alice, bob, room = two(world)
    alice.say(f"/w {bob.user} just you")
    expect(alice.page.locator(".notice")).to_contain_text(f"You wrote to {bob.user}")
    expect(bob.page.locator(".place", has_text=alice.user).locator(".unread")).to_be_visible()
    bob.expect_message("just you", 0)
    bob.open(alice.user)
    bob.expect_message("just you")
    bob.say("and you")
    alice.open(bob.user)
    for tab in (alice, bob):
        tab.expect_message("and you")
        tab.open(room)
        tab.expect_message("just you", 0)


@check("slash commands are completed with the keyboard, and answer their sender only")
def slash(world):
    alice, bob, _ = two(world)
    alice.page.keyboard.type("/pi")
    expect(alice.page.get_by_role("option")).to_have_count(1)
    expect(alice.page.locator("#text")).to_have_attribute("aria-activedescendant", "option-0")
    alice.page.keyboard.press("Tab")
    expect(alice.page.locator("#text")).to_have_value("/ping")
    alice.page.keyboard.press("Enter")
    expect(alice.page.locator(".notice", has_text="pong")).to_have_count(1)
    expect(bob.page.locator(".notice")).to_have_count(0)
    alice.page.keyboard.type(f"/w {bob.user[:3]}")
    expect(alice.page.get_by_role("option")).to_have_count(1)
    alice.page.keyboard.press("Enter")
    expect(alice.page.locator("#text")).to_have_value(f"/w {bob.user} ")
    alice.page.keyboard.press("Control+A")
    alice.page.keyboard.type("/")
    expect(alice.page.get_by_role("option").first).to_have_attribute("aria-setsize", re.compile(r"^1\d$"))
    alice.page.keyboard.press("ArrowDown")
    expect(alice.page.get_by_role("option", selected=True)).to_have_text(re.compile("/me"))
    alice.page.keyboard.press("Escape")
    expect(alice.page.locator("#options")).to_be_hidden()
    alice.page.keyboard.press("Control+A")
    alice.say("//ping")
    bob.expect_message("/ping")


@check("what the hub refuses is told at the message, which can be discarded; too long a text isn't sent at all")
def refused(world):
    alice, _, _ = two(world)
    alice.say("/nosuchcommand")
    expect(alice.page.locator(".failure")).to_contain_text("no such command")
    alice.page.get_by_role("button", name="Discard").click()
    expect(alice.page.locator(".failure")).to_have_count(0)
    alice.page.fill("#text", "é" * 5_000)
    expect(alice.page.locator(".counter.over")).to_have_text(re.compile("^-"))
    alice.page.press("#text", "Enter")
    expect(alice.page.locator("#text")).not_to_have_value("")


@check("a moderator mutes, pardons, deletes and puts out, and all who are concerned are told")
def moderation(world):
    alice, bob, room = two(world)
    alice.page.get_by_role("button", name=f"Moderate {bob.user}").click()
    alice.page.get_by_role("button", name="Mute for 10 min").click()
    expect(bob.page.locator(".notice")).to_contain_text("was muted")
    bob.say("can you hear me")
    expect(bob.page.locator(".failure")).to_be_visible()
    alice.page.get_by_role("button", name=f"Moderate {bob.user}").click()
    alice.page.get_by_role("button", name="Pardon").click()
    expect(bob.page.locator(".notice")).to_have_count(2)
    bob.page.get_by_role("button", name="Try again").click()
    alice.expect_message("can you hear me")
    alice.message("can you hear me").hover()
    alice.page.get_by_role("button", name="Delete").click()
    alice.page.get_by_role("button", name="Delete for everyone").click()
    expect(bob.message("This message was deleted.")).to_have_count(1)
    alice.page.get_by_role("button", name=f"Moderate {bob.user}").click()
    alice.page.get_by_role("button", name="Put out").click()
    expect(bob.page.locator("hub-alert")).to_contain_text(f"no longer in {room}")
    expect(alice.page.locator("#subtitle")).to_have_text("1 person here")


@check("presence follows who leaves and comes back, in the list and in the live picture; a click there whispers")
def presence(world):
    alice, bob, room = two(world)
    alice.page.locator("hub-rooms .live").click()
    picture = alice.page.locator("svg.picture")
    expect(picture.locator(".point.user")).to_have_count(2)
    expect(picture.get_by_role("button", name=f"Room {room}")).to_have_count(1)
    expect(alice.page.locator(".in-words")).to_contain_text(bob.user)
    bob.page.click("#leave")
    expect(picture.locator(".point.user")).to_have_count(1)
    expect(alice.page.locator(".in-words")).not_to_contain_text(bob.user)
    alone = picture.locator(".point.self").get_attribute("transform")
    bob.join(room)
    expect(picture.locator(".point.self")).not_to_have_attribute("transform", alone)
    someone = picture.get_by_role("button", name=f"Write to {bob.user}")
    expect(someone).to_have_count(1)
    someone.focus()
    alice.page.keyboard.press("Enter")
    expect(alice.page.locator("#title")).to_have_text(bob.user)
    alice.say("seen you in the picture")
    bob.open(alice.user)
    bob.expect_message("seen you in the picture")
