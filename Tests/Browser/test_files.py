"""Files: choosing, dropping, pasting, failures during the upload, files in messages, and full-size views."""

import re
import struct
import zlib

from playwright.sync_api import expect

from harness import RECONNECT_WAIT_MS, Suite
from test_chat import two

suite = Suite("files")
check = suite.check

HOSTILE_NAME = '"><img src=x onerror=window.hacked=1>\u202egnp.exe'


def png(width, height, seed=0):
    """An image of one colour with a line, encoded as a minimal PNG (ISO/IEC 15948, section 11)."""
    rows = b"".join(b"\0" + bytes([40 + seed, y * 255 // height, 160]) * width for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def wav(seconds=1):
    """Silence."""
    samples = b"\x80" * 8_000 * seconds
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16, 1, 1, 8_000, 8_000, 1, 8, b"data", len(samples))
    return head + samples


def chosen(name, kind, data):
    return {"name": name, "mimeType": kind, "buffer": data}


def attach(tab, *files):
    tab.page.set_input_files("#attach", list(files))


def uploads(tab):
    return tab.page.locator("hub-upload-panel .upload")


class Gate:
    """Holds a tab's upload parts back until they are released."""

    def __init__(self, tab):
        self.held = []
        self.is_open = False
        tab.context.route(re.compile("/v1/uploads/"), self.came)

    def came(self, route):
        if self.is_open or route.request.method != "PATCH":
            route.continue_()
        else:
            self.held.append(route)

    def open(self):
        self.is_open = True
        for route in self.held:
            try:
                route.continue_()
            except Exception:  # The page cancelled the request.
                pass
        self.held = []


@check("an image is chosen, described and sent by keyboard, and shows to others with its size beforehand")
def image(world):
    alice = world.tab("alice")
    # From here on, the browser's dialogs go to the test.
    alice.page.on("filechooser", lambda _: None)
    bob = world.tab("bob").connect(world.name("room"))
    alice.connect(world.name("room"))
    alice.page.get_by_role("button", name="Attach files").focus()
    with alice.page.expect_file_chooser() as chooser:
        alice.page.keyboard.press("Enter")
    chooser.value.set_files([chosen("cat.png", "image/png", png(800, 400))])
    expect(uploads(alice)).to_have_attribute("data-state", "done")
    expect(alice.page.locator("#text")).to_be_focused()
    alice.page.get_by_label("Description of cat.png").fill("A cat on a roof")
    alice.page.keyboard.press("Enter")
    picture = bob.page.get_by_role("button", name="A cat on a roof, open")
    expect(picture).to_be_visible()
    box = picture.bounding_box()
    assert abs(box["width"] - 360) < 2 and abs(box["height"] - 180) < 2, box
    bob.page.wait_for_function("() => document.querySelector('.preview img').naturalWidth > 0")
    assert picture.bounding_box() == box, (picture.bounding_box(), box)
    expect(uploads(alice)).to_have_count(0)
    for tab in (alice, bob):
        expect(tab.page.locator(".message .files")).to_have_count(1)
        assert tab.violations() == [], tab.violations()


@check("nothing moves when an image comes, and until then there is its placeholder")
def placeholder(world):
    alice, bob, _ = two(world)
    held = []
    bob.context.route(re.compile("/preview"), lambda route: held.append(route))
    attach(alice, chosen("cat.png", "image/png", png(300, 300)))
    alice.say("look")
    bob.expect_message("look")
    alice.say("below")
    bob.expect_message("below")
    # Between the two messages, whatever surrounds them in the list.
    where = """below => {
        const [image, text] = [document.querySelector(".preview"), below].map((element) => element.getBoundingClientRect());
        return [image.width, image.height, text.left - image.left, text.top - image.top];
    }"""
    before = bob.message("below").evaluate(where)
    drawn = bob.page.evaluate("""() => {
        const canvas = document.querySelector(".preview canvas");
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const colours = new Set();
        for (let i = 0; i < data.length; i += 4) colours.add(`${data[i]},${data[i + 1]},${data[i + 2]}`);
        return [canvas.hidden, colours.size > 10, data[3]];
    }""")
    assert drawn == [False, True, 255], drawn
    expect(bob.page.locator(".preview canvas")).to_be_visible()
    for route in held:
        route.continue_()
    expect(bob.page.locator(".preview canvas")).to_be_hidden()
    assert bob.message("below").evaluate(where) == before


@check("a message waits for its files, can be taken back, and none overtakes one before it with files")
def held(world):
    alice, bob, _ = two(world)
    gate = Gate(alice)
    attach(alice, chosen("a.txt", "text/plain", b"first"))
    alice.say("with a file")
    expect(alice.page.locator(".held")).to_contain_text("Sent when its files are there")
    expect(alice.page.locator("#text")).to_have_value("")
    expect(alice.page.locator("#announcer")).to_have_text("The message is sent when its files are there")
    alice.page.get_by_role("button", name="Take back").click()
    expect(alice.page.locator("#text")).to_have_value("with a file")
    expect(alice.page.locator(".held")).to_be_hidden()
    alice.page.keyboard.press("Enter")
    attach(alice, chosen("b.txt", "text/plain", b"second"))
    alice.say("another one")
    alice.say("without")
    bob.expect_message("without")
    gate.open()
    bob.expect_message("another one")
    assert [text for text in bob.texts() if text] == ["without", "with a file", "another one"], bob.texts()
    expect(bob.message("with a file").locator(".excerpt")).to_have_text("first")
    expect(alice.page.locator("hub-upload-panel")).to_be_hidden()


@check("an upload is paused, goes on, and is removed by its buttons, whose names say of which file")
def buttons(world):
    alice, _, _ = two(world)
    gate = Gate(alice)
    attach(alice, chosen("slow.bin", "", b"\0" * 600_000), chosen("other.bin", "", b"\1" * 1_000))
    expect(uploads(alice)).to_have_count(2)
    alice.page.get_by_role("button", name="Pause slow.bin").focus()
    alice.page.keyboard.press("Enter")
    expect(uploads(alice).first).to_contain_text("Paused, 0 bytes of 600 kB")
    # A bar shows the progress: empty, without an animation.
    expect(alice.page.get_by_role("progressbar", name="Progress of slow.bin")).to_have_js_property("position", 0)
    resume = alice.page.get_by_role("button", name="Resume slow.bin")
    expect(resume).to_be_focused()
    alice.page.get_by_role("button", name="Remove other.bin").focus()
    alice.page.keyboard.press("Enter")
    expect(uploads(alice)).to_have_count(1)
    resume.focus()
    gate.open()
    alice.page.keyboard.press("Enter")
    expect(uploads(alice).first).to_have_attribute("data-state", "done")
    # Not on the button beside it, which removes the file.
    expect(alice.page.locator("#text")).to_be_focused()
    assert alice.violations() == [], alice.violations()


@check("progress has words: how much of what, how fast, how long; and it is no news to who listens")
def progress(world):
    alice, _, _ = two(world)
    alice.page.evaluate("""() => {
        window.heard = [];
        const speaker = document.getElementById("announcer");
        new MutationObserver(() => speaker.textContent && heard.push(speaker.textContent)).observe(speaker, { childList: true });
        window.words = new Set();
        new MutationObserver(() => document.querySelectorAll(".upload-state").forEach((one) => words.add(one.textContent)))
            .observe(document.querySelector("hub-upload-panel"), { childList: true, subtree: true, characterData: true });
    }""")
    attach(alice, chosen("big.bin", "", b"\0" * 4_000_000))
    expect(uploads(alice)).to_have_attribute("data-state", "done")
    expect(alice.page.locator("#announcer")).to_have_text("The file is there")
    assert alice.page.evaluate("heard") == ["big.bin is added", "The file is there"], alice.page.evaluate("heard")
    words = alice.page.evaluate("[...words]")
    assert any(re.search(r"of 4 MB, .*/s, \d+ \w+ left", text) for text in words), words


@check("without a network an upload says so, waits, and goes on by itself")
def offline(world):
    alice, bob, _ = two(world)
    gate = Gate(alice)
    attach(alice, chosen("a.txt", "text/plain", b"over the gap"))
    alice.page.wait_for_function("() => document.querySelector('.upload')?.dataset.state === 'sending'")
    alice.context.set_offline(True)
    alice.expect_state("Offline")
    expect(uploads(alice)).to_contain_text("Waits for a connection")
    alice.say("said offline")
    gate.open()
    alice.context.set_offline(False)
    bob.expect_message("said offline", timeout=RECONNECT_WAIT_MS)
    expect(bob.page.locator(".excerpt")).to_have_text("over the gap")


@check("a file that the hub doesn't want says why, and can be removed; the message goes without it")
def refused(world):
    alice, bob, _ = two(world)
    alice.context.route(re.compile(r"/v1/files\?"), lambda route: route.fulfill(
        status=413, content_type="application/json", body='{"code":"too_large","message":"A file may have 5 MB."}'))
    attach(alice, chosen("huge.bin", "", b"\0" * 100))
    expect(uploads(alice)).to_contain_text("Not sent: A file may have 5 MB.")
    expect(alice.page.locator("#announcer")).to_have_text("huge.bin was not sent: A file may have 5 MB.")
    expect(alice.page.get_by_role("button", name="Try again huge.bin")).to_be_visible()
    assert alice.violations() == [], alice.violations()
    alice.say("without it then")
    expect(alice.page.locator(".held")).to_be_visible()
    alice.page.get_by_role("button", name="Remove huge.bin").click()
    bob.expect_message("without it then")
    alice.complaints.clear()  # The browser logs the 413.


DROP = """([name, type, text, how]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([text], name, { type, lastModified: 1 }));
    if (how === "with text") transfer.setData("text/plain", "a table");
    const on = (target, event) => target.dispatchEvent(event);
    if (how === "drag") return on(document.querySelector(".log"), new DragEvent("dragover", { dataTransfer: transfer, bubbles: true, cancelable: true }));
    if (how === "drop") return on(document.querySelector(".log"), new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
    if (how === "beside") return on(document.querySelector("#rooms"), new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
    return on(document.querySelector("#text"), new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
}"""


@check("files are dropped on the conversation, which says where they go, and images are pasted")
def drop(world):
    alice, _, room = two(world)
    sign = alice.page.locator(".drop-sign")
    expect(sign).to_be_hidden()
    # If the event were not cancelled, the browser would open the file in place of the page.
    assert alice.page.evaluate(DROP, ["a.txt", "text/plain", "x", "drag"]) is False
    expect(sign).to_have_text(f"Drop files here for #{room}")
    assert alice.page.evaluate(DROP, ["a.txt", "text/plain", "x", "drop"]) is False
    expect(sign).to_be_hidden()
    expect(uploads(alice)).to_have_attribute("data-state", "done")
    assert alice.page.evaluate(DROP, ["b.txt", "text/plain", "x", "beside"]) is False
    assert alice.page.evaluate(DROP, ["pasted.png", "image/png", "x", "paste"]) is False
    expect(uploads(alice)).to_have_count(2)
    # The same file again is stored once by the hub, and appears once in the message.
    alice.page.evaluate(DROP, ["a.txt", "text/plain", "x", "drop"])
    expect(uploads(alice)).to_have_count(3)
    for index in range(3):
        expect(uploads(alice).nth(index)).to_have_attribute("data-state", "done")
    alice.say("both")
    expect(alice.message("both").locator(".files > li")).to_have_count(2)
    attach(alice, chosen("d.txt", "text/plain", b"d"), chosen("e.txt", "text/plain", b"e"))
    assert alice.page.evaluate(DROP, ["c.png", "image/png", "x", "with text"]) is True
    expect(uploads(alice)).to_have_count(2)


@check("no more than ten files go with a message")
def ten(world):
    alice, _, _ = two(world)
    attach(alice, *[chosen(f"{number}.txt", "text/plain", b"%d" % number) for number in range(12)])
    expect(uploads(alice)).to_have_count(10)
    expect(alice.page.locator("hub-alert")).to_contain_text("at most 10 files")


@check("an image opens at full size in a dialog, which Escape closes, and the focus is back")
def viewer(world):
    alice, bob, _ = two(world)
    attach(alice, chosen("cat.png", "image/png", png(1_200, 600)))
    alice.page.get_by_label("Description of cat.png").fill("A cat")
    alice.page.get_by_label("Description of cat.png").press("Enter")
    picture = bob.page.get_by_role("button", name="A cat, open")
    picture.focus()
    bob.page.keyboard.press("Enter")
    dialog = bob.page.get_by_role("dialog")
    expect(dialog).to_contain_text("cat.png")
    expect(bob.page.get_by_role("button", name="Close")).to_be_focused()
    image = dialog.get_by_role("img", name="A cat")
    expect(image).to_be_visible()
    assert image.evaluate("(image) => image.naturalWidth") == 1_200
    assert bob.violations() == [], bob.violations()
    # The focus stays inside the viewer.
    for _ in range(4):
        bob.page.keyboard.press("Tab")
        assert bob.page.evaluate("() => document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))")
    bob.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(picture).to_be_focused()
    # A double click does not close it again.
    picture.dblclick()
    expect(image).to_be_visible()
    bob.page.get_by_role("button", name="Close").click()
    with bob.page.expect_download() as download:
        picture.click()
        dialog.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "cat.png"


@check("a link that is over is renewed by itself; a file that is gone says so")
def links(world):
    alice, bob, _ = two(world)
    seen = []

    def over(route):
        seen.append(route.request.url)
        if len(seen) == 1:
            route.fulfill(status=403, content_type="application/json", body="{}")
        else:
            route.continue_()

    asked = []
    bob.page.on("request", lambda request: request.method == "POST" and asked.append(request.url))
    bob.context.route(re.compile(r"signature="), over)
    attach(alice, chosen("beep.wav", "audio/wav", wav()))
    alice.say("listen")
    bob.expect_message("listen")
    player = bob.page.locator("audio")
    bob.page.wait_for_function("() => document.querySelector('audio').readyState > 0")
    assert len(seen) > 1 and len(asked) == 2, (seen, asked)
    expect(player).to_have_attribute("aria-label", "Sound beep.wav")
    bob.context.unroute(re.compile(r"signature="))
    bob.context.route(re.compile(r"signature=|/preview"), lambda route: route.fulfill(status=404, content_type="application/json", body="{}"))
    attach(alice, chosen("gone.wav", "audio/wav", wav()), chosen("gone.png", "image/png", png(100, 100)))
    alice.say("gone")
    expect(bob.message("gone").locator(".media-failure")).to_have_text("This sound can't be played here.")
    picture = bob.message("gone").locator(".preview")
    expect(picture).to_contain_text("can't be shown")
    expect(picture).to_have_accessible_name("Image gone.png, can't be shown, open")
    bob.complaints.clear()  # The browser logs the 403 and 404.


@check("what can't be fetched now is had by another try, at the place where it is missing")
def again(world):
    alice, bob, _ = two(world)
    busy = re.compile(r"/url|/preview|/v1/files/[\w-]{22}\?user=")
    bob.context.route(busy, lambda route: route.fulfill(
        status=503, content_type="application/json", body='{"code":"unavailable","message":"The hub is busy."}'))
    attach(alice, chosen("beep.wav", "audio/wav", wav()), chosen("cat.png", "image/png", png(100, 100)),
           chosen("a.txt", "text/plain", b"words"))
    alice.say("three")
    message = bob.message("three")
    picture = message.locator(".preview")
    expect(message.locator(".media-failure")).to_contain_text("This sound can't be fetched: The hub is busy.")
    expect(picture).to_have_accessible_name("Image cat.png, can't be fetched. Try again")
    expect(message.locator(".excerpt")).to_contain_text("It can't be shown: The hub is busy.")
    assert bob.violations() == [], bob.violations()
    bob.context.unroute(busy)
    message.locator(".media-failure").get_by_role("button", name="Try again").click()
    expect(message.locator("audio")).to_be_focused()
    bob.page.wait_for_function("() => document.querySelector('audio').readyState > 0")
    picture.click()
    bob.page.wait_for_function("() => document.querySelector('.preview img').naturalWidth > 0")
    expect(picture).to_have_accessible_name("Image cat.png, open")
    # The hub's preview image, fetched with the token.
    assert picture.locator("img").get_attribute("src").startswith("blob:")
    message.locator(".excerpt").get_by_role("button", name="Try again").click()
    expect(message.locator(".excerpt")).to_have_text("words")
    bob.complaints.clear()  # The browser logs the 503.


@check("a file's name and text are text, whatever is in them, and any file can be saved")
def hostile(world):
    alice, bob, _ = two(world)
    html = b"<script>window.hacked=1</script><img src=x onerror=window.hacked=1>" + b"\n0123456789" * 400
    attach(alice, chosen(HOSTILE_NAME, "text/html", html), chosen("data.bin", "", b"\0\1\2\3"))
    alice.say("files")
    bob.expect_message("files")
    excerpt = bob.page.locator(".excerpt")
    expect(excerpt).to_contain_text("<script>window.hacked=1</script>")
    shown = excerpt.text_content()
    assert 2_000 < len(shown) <= 2_049 and shown.endswith("…"), len(shown)
    expect(bob.page.locator(".file-name").first).to_contain_text("onerror=window.hacked=1")
    expect(bob.page.locator(".file", has_text="data.bin")).to_contain_text("File, 4 bytes")
    with bob.page.expect_download() as download:
        bob.page.get_by_role("button", name="Download data.bin").click()
    assert download.value.suggested_filename == "data.bin"
    for tab in (alice, bob):
        assert tab.page.evaluate("() => window.hacked") is None
        assert tab.violations() == [], tab.violations()


@check("a name with spaces and signs is the same for all, also between people whose names have some")
def spaces(world):
    name = "report 100% + final.pdf"
    alice, bob = world.tab("Alice Smith").connect(), world.tab("Bob+Brown 50%").connect()
    alice.page.fill("#whisper-user", bob.user)
    alice.page.press("#whisper-user", "Enter")
    expect(alice.page.locator("#title")).to_have_text(bob.user)
    attach(alice, chosen(name, "application/pdf", b"%PDF-1.7 nothing"))
    alice.say("the report")
    bob.open(alice.user)
    for tab in (alice, bob):
        tab.expect_message("the report")
        expect(tab.page.locator(".message .file-name bdi")).to_have_text(name)
        with tab.page.expect_download() as download:
            tab.page.get_by_role("button", name=f"Download {name}").click()
        assert download.value.suggested_filename == name, download.value.suggested_filename


@check("what plays goes on when its message changes; a deleted message has no files")
def changes(world):
    alice, bob, _ = two(world)
    attach(alice, chosen("beep.wav", "audio/wav", wav(60)), chosen("cat.png", "image/png", png(50, 50)))
    alice.say("frist")
    bob.expect_message("frist")
    bob.page.wait_for_function("() => document.querySelector('audio').readyState > 0")
    bob.page.evaluate("async () => { window.player = document.querySelector('audio'); player.muted = true; await player.play(); }")
    alice.page.keyboard.press("ArrowUp")
    alice.page.keyboard.press("Control+A")
    alice.page.keyboard.type("first")
    alice.page.keyboard.press("Enter")
    expect(bob.page.locator(".message .edited")).to_be_visible()
    assert bob.page.evaluate("() => !player.paused && player === document.querySelector('audio')")
    alice.message("first (edited)").hover()
    alice.page.get_by_role("button", name="Delete").click()
    alice.page.get_by_role("button", name="Delete for everyone").click()
    expect(bob.page.locator(".deleted")).to_have_count(1)
    expect(bob.page.locator(".message .files")).to_have_count(0)


@check("a command goes alone, and a page with files on their way doesn't go unasked")
def command(world):
    alice, _, _ = two(world)
    gate = Gate(alice)
    attach(alice, chosen("a.txt", "text/plain", b"x"))
    expect(uploads(alice)).to_have_count(1)
    # The hub would answer. The point is that the files stay for the next message.
    alice.say("/me waves")
    expect(alice.page.locator("#text")).to_have_value("")
    expect(uploads(alice)).to_have_count(1)
    expect(alice.page.locator(".held")).to_be_hidden()
    with alice.page.expect_event("dialog") as asked:
        alice.page.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    expect(uploads(alice)).to_have_count(1)
    gate.open()


@check("on a phone all of it fits")
def phone(world):
    alice, _, room = two(world)
    page = world.tab("carol", viewport={"width": 360, "height": 640}, has_touch=True).connect()
    page.page.get_by_role("button", name="Conversations").click()
    page.page.fill("#join-room", room)
    page.page.keyboard.press("Enter")
    expect(page.page.locator("#title")).to_have_text(f"#{room}")
    gate = Gate(page)
    attach(page, chosen("a-rather-long-name-of-an-image-that-does-not-fit-on-a-phone.png", "image/png", png(900, 300)))
    expect(uploads(page)).to_be_visible()
    wide = """() => document.documentElement.scrollWidth > innerWidth || [...document.querySelectorAll(".upload, .preview, .file, .log")]
        .some((one) => one.getBoundingClientRect().right > innerWidth + 1 || one.scrollWidth > one.clientWidth + 1)"""
    assert page.page.evaluate(wide) is False
    gate.open()
    expect(uploads(page)).to_have_attribute("data-state", "done")
    attach(page, chosen("a-rather-long-name-of-something-that-does-not-fit-on-a-phone.bin", "", b"\0\1"), chosen("b.wav", "audio/wav", wav()))
    page.say("all of it")
    page.expect_message("all of it")
    expect(page.page.locator(".preview")).to_be_visible()
    assert page.page.evaluate(wide) is False
    expect(alice.message("all of it").locator(".files > li")).to_have_count(3)
    assert page.violations() == [], page.violations()
