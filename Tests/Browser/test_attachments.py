"""Files on queued messages and on the draft: none of them is lost."""

import re

from playwright.sync_api import expect

from harness import Suite
from test_chat import two
from test_files import DROP, Gate, attach, chosen, png, uploads

suite = Suite("attachments")
check = suite.check

# Connects with this page's device id, which ends the page's own connection for good.
REPLACE = """
([user]) => new Promise((resolve) => {
    const socket = new WebSocket(location.origin.replace("http", "ws") + "/v1/ws", ["gohub.v1"]);
    const device = sessionStorage.getItem("gohub.device");
    socket.onopen = () => socket.send(JSON.stringify({ id: "1", op: "hello", device, user }));
    socket.onmessage = ({ data }) => JSON.parse(data).op === "welcome" && resolve();
})
"""

# A room whose uploads fail before any listener is registered.
REFUSED_AT_ONCE = """
async () => {
    const { Attachments } = await import("/attachments.js");
    const upload = { name: "a.txt", state: "failed", isOver: true, error: { message: "too many files wait" }, on() {} };
    const attachments = new Attachments({ on() {}, alert() {}, state: { name: "connected" } }, () => true);
    attachments.add({ upload: () => upload, on() {}, messages: [] }, [{ name: "a.txt" }]);
}
"""


def texts(*numbers):
    return [chosen(f"{number}.txt", "text/plain", b"file %d" % number) for number in numbers]


@check("a message is taken back as what it was: in the midst of an edit, which then hasn't happened, and as a reply")
def take_back(world):
    alice, bob, _ = two(world)
    gate = Gate(alice)
    bob.say("a question")
    alice.say("said before")
    bob.expect_message("said before")
    alice.message("a question").hover()
    alice.page.get_by_role("button", name="Reply").click()
    attach(alice, *texts(1))
    alice.say("an answer")
    expect(alice.page.locator(".held")).to_contain_text("an answer")
    alice.page.keyboard.press("ArrowUp")
    expect(alice.page.locator(".context")).to_contain_text("Editing")
    alice.page.get_by_role("button", name="Take back").click()
    expect(alice.page.locator("#text")).to_have_value("an answer")
    expect(alice.page.locator("#text")).to_be_focused()
    expect(alice.page.locator(".context")).to_contain_text("Replying to")
    alice.page.keyboard.press("Enter")
    gate.open()
    bob.expect_message("an answer")
    expect(bob.message("an answer").locator(".quote")).to_contain_text("a question")
    expect(bob.message("said before").locator(".edited")).to_have_count(0)


@check("what is taken back has ten files with those that are there, or stays where it is with all of them")
def too_many(world):
    alice, bob, _ = two(world)
    gate = Gate(alice)
    attach(alice, *texts(*range(6)))
    alice.say("six")
    expect(alice.page.locator(".held .upload")).to_have_count(6)
    attach(alice, *texts(*range(6, 11)))
    alice.page.fill("#text", "five")
    alice.page.get_by_role("button", name="Take back").click()
    expect(alice.page.locator("hub-alert")).to_contain_text("at most 10 files")
    expect(alice.page.locator(".held .upload")).to_have_count(6)
    expect(alice.page.locator("#text")).to_have_value("five")
    alice.page.get_by_role("button", name="Remove 10.txt").click()
    alice.page.get_by_role("button", name="Take back").click()
    expect(alice.page.locator(".held")).to_be_hidden()
    expect(uploads(alice)).to_have_count(10)
    attach(alice, *texts(11))
    expect(uploads(alice)).to_have_count(10)
    expect(alice.page.locator("#text")).to_have_value("six\nfive")
    alice.page.press("#text", "Enter")
    gate.open()
    expect(bob.page.locator(".message .files > li")).to_have_count(10)


@check("a message whose files are there while the hub takes nothing waits, and goes when it does")
def closed(world):
    alice, bob, _ = two(world)
    alice.context.route(re.compile(r"/v1/files\?.*2\.txt"), lambda route: route.fulfill(
        status=413, content_type="application/json", body='{"code":"too_large","message":"That is too much."}'))
    attach(alice, *texts(1, 2))
    expect(uploads(alice).first).to_have_attribute("data-state", "done")
    expect(uploads(alice).last).to_have_attribute("data-state", "failed")
    alice.say("with one of them")
    alice.page.evaluate(REPLACE, [alice.user])
    alice.expect_state("Open elsewhere")
    alice.page.get_by_role("button", name="Remove 2.txt").click()
    expect(uploads(alice)).to_have_count(1)
    expect(alice.page.locator(".held")).to_contain_text("with one of them")
    alice.page.get_by_role("button", name="Use it here").click()
    bob.expect_message("with one of them")
    expect(bob.page.locator(".excerpt")).to_have_text("file 1")
    expect(alice.page.locator("hub-upload-panel")).to_be_hidden()
    alice.complaints.clear()  # The browser logs the 413.


@check("who describes an image of a message that waits isn't cut short, and the focus of who doesn't is kept")
def focus(world):
    alice, bob, _ = two(world)
    gate = Gate(alice)
    attach(alice, chosen("cat.png", "image/png", png(80, 80)))
    alice.say("look")
    alice.page.get_by_label("Description of cat.png").focus()
    alice.page.keyboard.type("A ca")
    gate.open()
    expect(uploads(alice)).to_have_attribute("data-state", "done")
    expect(alice.page.locator(".held")).to_contain_text("look")
    alice.page.keyboard.type("t")
    alice.page.keyboard.press("Enter")
    expect(bob.page.get_by_role("button", name="A cat, open")).to_be_visible()
    expect(alice.page.locator("#text")).to_be_focused()
    gate = Gate(alice)
    attach(alice, *texts(1))
    alice.say("read")
    alice.page.get_by_role("button", name="Pause 1.txt").focus()
    gate.open()
    bob.expect_message("read")
    expect(alice.page.locator("hub-upload-panel")).to_be_hidden()
    expect(alice.page.locator("#text")).to_be_focused()


@check("a description that gets the focus before its message is drawn keeps it")
def moved(world):
    alice, bob, _ = two(world)
    gate = Gate(alice)
    attach(alice, chosen("cat.png", "image/png", png(80, 80)))
    expect(alice.page.get_by_label("Description of cat.png")).to_be_visible()
    alice.page.locator("#text").fill("look")
    # In one evaluation: the page shows the message in the next frame.
    alice.page.evaluate("""() => {
        document.querySelector("#text").form.requestSubmit();
        document.querySelector("hub-upload-panel input").focus();
    }""")
    expect(alice.page.locator(".held")).to_contain_text("look")
    alice.page.keyboard.type("A cat")
    gate.open()
    expect(uploads(alice)).to_have_attribute("data-state", "done")
    alice.page.keyboard.press("Enter")
    expect(bob.page.get_by_role("button", name="A cat, open")).to_be_visible()


@check("the focus goes from a button that is gone to what does no harm: the next file, the description, the text")
def buttons(world):
    alice, _, _ = two(world)
    gate = Gate(alice)
    attach(alice, *texts(1, 2))
    expect(uploads(alice)).to_have_count(2)
    gate.open()
    for index in range(2):
        expect(uploads(alice).nth(index)).to_have_attribute("data-state", "done")
    alice.page.get_by_role("button", name="Remove 1.txt").focus()
    alice.page.keyboard.press("Enter")
    expect(alice.page.get_by_role("button", name="Remove 2.txt")).to_be_focused()
    alice.page.keyboard.press("Enter")
    expect(alice.page.locator("#text")).to_be_focused()
    gate = Gate(alice)
    attach(alice, chosen("cat.png", "image/png", png(80, 80)))
    alice.page.get_by_role("button", name="Pause cat.png").focus()
    gate.open()
    expect(uploads(alice)).to_have_attribute("data-state", "done")
    expect(alice.page.get_by_label("Description of cat.png")).to_be_focused()


@check("a file that is removed before it was sent goes from the hub, unless it is needed")
def removed(world):
    alice, _, _ = two(world)
    deleted = []
    alice.page.on("request", lambda request: request.method == "DELETE" and deleted.append(request.url))
    # The same file each time, with the same modification time.
    choose = lambda: alice.page.evaluate(DROP, ["1.txt", "text/plain", "x", "drop"])
    choose()
    expect(uploads(alice)).to_have_attribute("data-state", "done")
    choose()
    expect(uploads(alice)).to_have_count(2)
    expect(uploads(alice).last).to_have_attribute("data-state", "done")
    alice.page.get_by_role("button", name="Remove 1.txt").first.click()
    expect(uploads(alice)).to_have_count(1)
    alice.say("sent")
    alice.expect_message("sent")
    choose()
    expect(uploads(alice)).to_have_attribute("data-state", "done")
    alice.page.get_by_role("button", name="Remove 1.txt").click()
    expect(uploads(alice)).to_have_count(0)
    attach(alice, *texts(2))
    expect(uploads(alice)).to_have_attribute("data-state", "done")
    with alice.page.expect_response(lambda response: response.request.method == "DELETE") as gone:
        alice.page.get_by_role("button", name="Remove 2.txt").click()
    assert gone.value.status == 204 and deleted == [gone.value.url], deleted
    assert re.search(r"/v1/files/[\w-]{22}\?", gone.value.url), gone.value.url


@check("a file that is refused at once is told")
def refused(world):
    alice, _, _ = two(world)
    alice.page.evaluate(REFUSED_AT_ONCE)
    expect(alice.page.locator("#announcer")).to_have_text("a.txt was not sent: too many files wait")
