"""What the web client's tests share: hubs that they start and stop, users in a real browser, and checks run in order.

Every wait is for a condition and has a bound; nothing sleeps.
"""

import os
import re
import secrets
import signal
import subprocess
import threading
import time
import traceback
from pathlib import Path

import axe_playwright_python
from playwright.sync_api import Error, expect

WAIT_MS = 10_000
# A client retries a lost connection within 10 s. It may take more than one attempt.
RECONNECT_WAIT_MS = 30_000
# `WEB=Sources/GoHubWeb` serves the page from the sources, so that changes to it need no build.
WEB = Path(os.environ["WEB"]) if os.environ.get("WEB") else None
START_SECONDS = 20
STOP_SECONDS = 15

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
AXE_RUN = """
() => axe.run(document, { resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] })
    .then(({ violations }) => violations.map(({ id, nodes }) =>
        `${id}: ${nodes.slice(0, 3).map((node) => `${node.target.join(" ")} (${node.failureSummary})`).join("; ")}`))
"""

# A user without a page, for what other users do in a test. Resolves to the answers to its commands.
AS_ANOTHER_DEVICE = """
([credentials, room, commands]) => new Promise((resolve, reject) => {
    const socket = new WebSocket(location.origin.replace("http", "ws") + "/v1/ws", ["gohub.v1"]);
    const IN_FLIGHT = 32;
    const answers = [];
    let next = 0;
    let isJoined = false;
    const say = (command) => socket.send(JSON.stringify({ id: crypto.randomUUID(), ...(command.to ? {} : { room }), ...command }));
    const more = () => {
        while (next < commands.length && next - answers.length < IN_FLIGHT) say(commands[next++]);
        if (answers.length < commands.length) return;
        socket.onclose = null;
        socket.close();
        resolve(answers);
    };
    socket.onopen = () => say({ op: "hello", device: `other-${crypto.randomUUID()}`, ...credentials });
    socket.onclose = ({ code }) => reject(new Error(`closed with ${code}`));
    socket.onmessage = ({ data }) => {
        const event = JSON.parse(data);
        if (event.op === "ping") say({ op: "pong" });
        else if (event.op === "welcome") say({ op: "join" });
        else if (event.op === "joined" && !isJoined) (isJoined = true), more();
        else if (isJoined && event.id && ["ack", "error", "notice", "members"].includes(event.op) ) answers.push(event), more();
    };
})
"""


class Hub:
    """A hub for one test, on a port that the system chooses. The port stays the same over a restart."""

    def __init__(self, gohubd, directory, *settings):
        self.gohubd = gohubd
        self.directory = directory
        self.settings = settings
        self.port = 0
        self.process = None
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/"

    def start(self):
        command = [self.gohubd, "serve", "--listen", f"127.0.0.1:{self.port}", "--set", "log.format=json"]
        # All users share one address, and each page loads several files.
        roomy = "connections.httpPerAddressMax="
        settings = self.settings if any(setting.startswith(roomy) for setting in self.settings) else [f"{roomy}1000", *self.settings]
        for setting in settings:
            command += [setting] if setting.startswith("--") else ["--set", setting]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=self.directory)
        started = threading.Event()
        lines = []

        def read(stream):
            for line in stream:
                lines.append(line)
                listens = re.search(r'"listen":"127\.0\.0\.1:(\d+)"', line) if '"message":"started"' in line else None
                if listens:
                    self.port = int(listens[1])
                    started.set()
            started.set()

        threading.Thread(target=read, args=(self.process.stderr,), daemon=True).start()
        started.wait(START_SECONDS)
        if not self.port or self.process.poll() is not None:
            raise SystemExit(f"the hub hasn't started:\n{''.join(lines[-20:])}")

    def stop(self, kill=False):
        self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the hub had to be killed") from None

    def token(self, user, *options):
        """A token for this hub's secret."""
        command = [self.gohubd, "token", "--set", f"auth.secretFile={self.directory}/secret", "--subject", user, *options]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class Tab:
    """One user's browser: a separate context, its page, and the errors that the page logged."""

    def __init__(self, browser, hub, user, **options):
        self.browser = browser
        self.hub = hub
        self.user = user
        self.complaints = []
        self.context = browser.new_context(**options)
        if WEB:
            self.context.route(re.compile(r"^https?://[^/]+/([a-z-]+\.(js|css|svg))?$"), self.serve)
        self.page = self.open_page()

    def open_page(self):
        page = self.context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("pageerror", lambda error: self.complaints.append(f"{self.user}: script error: {error}"))
        page.on("console", self.note_console)
        return page

    def serve(self, route):
        """Serves the page's files from the sources, with the hub's headers."""
        name = route.request.url.rsplit("/", 1)[1] or "index.html"
        path = WEB / ("SDK" if name.startswith("gohub") else "Client") / name
        answer = route.fetch(max_redirects=0)
        route.fulfill(response=answer, status=200, path=path) if path.is_file() else route.fulfill(response=answer)

    def note_console(self, message):
        # Network errors: some checks cause them on purpose.
        is_network = "WebSocket connection to" in message.text or "net::ERR" in message.text
        if message.type in ("error", "warning") and not is_network:
            self.complaints.append(f"{self.user}: {message.text}")

    def connect(self, room=None, page=None):
        """Uses only the keyboard: the right field already has the focus."""
        page = page or self.page
        page.goto(self.hub.url)
        expect(page.locator("#user")).to_be_focused()
        page.keyboard.type(self.user)
        page.keyboard.press("Enter")
        self.expect_state("Connected")
        if room:
            self.join(room)
        return self

    def connect_with(self, token, room=None):
        self.page.goto(self.hub.url)
        self.page.fill("#token", token)
        self.page.keyboard.press("Enter")
        self.expect_state("Connected")
        if room:
            self.join(room)
        return self

    def expect_state(self, text, timeout=WAIT_MS):
        expect(self.page.locator("#state-text")).to_have_text(text, timeout=timeout)

    def join(self, room):
        self.page.fill("#join-room", room)
        self.page.press("#join-room", "Enter")
        expect(self.page.locator("#title")).to_have_text(f"#{room}")
        expect(self.page.locator("#text")).to_be_focused()

    def say(self, text):
        self.page.fill("#text", text)
        self.page.press("#text", "Enter")

    def open(self, title):
        self.page.locator(".place", has_text=title).first.click()
        expect(self.page.locator("#title")).to_have_text(re.compile(re.escape(title)))

    def message(self, text):
        """Messages with exactly this text, in any state."""
        return self.page.locator(".message").filter(has=self.page.locator(".text", has_text=re.compile(rf"^{re.escape(text)}(\s|$)")))

    def expect_message(self, text, count=1, timeout=WAIT_MS):
        """Expects this many messages with the text, all stored."""
        expect(self.message(text)).to_have_count(count, timeout=timeout)
        expect(self.message(text).and_(self.page.locator("[data-status=sent]"))).to_have_count(count, timeout=timeout)

    def texts(self):
        return [re.sub(r"\s*(sent|delivered|sending|seen( by \d+)?)$", "", text).strip()
                for text in self.page.locator(".message .text").all_text_contents()]

    def other(self, room, commands, credentials=None):
        """Sends commands as another device of the same user, or as another user. Returns the hub's answers."""
        return self.page.evaluate(AS_ANOTHER_DEVICE, [credentials or {"user": self.user}, room, commands])

    def violations(self):
        """Returns axe's findings for the current page, in both themes."""
        if not self.page.evaluate("() => typeof axe !== 'undefined'"):
            self.page.evaluate(AXE)
        found = []
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found += [f"{scheme}: {violation}" for violation in self.page.evaluate(AXE_RUN)]
        self.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        return found

    def close(self):
        # Requests still in flight no longer matter.
        self.context.unroute_all(behavior="ignoreErrors")
        self.context.close()


class Suite:
    """Checks that run in the order of their file. Everything that they start ends with them."""

    def __init__(self, name):
        self.name = name
        self.checks = []

    def check(self, name):
        def register(body):
            self.checks.append((name, body))
            return body

        return register

    def run(self, world):
        failed = 0
        for name, body in self.checks:
            began = time.monotonic()
            world.run = secrets.token_hex(3)
            problem = None
            try:
                body(world)
                complaints = [complaint for tab in world.tabs for complaint in tab.complaints]
                problem = "\n".join(complaints) or None
            except (AssertionError, Error) as error:
                # An assertion without a message is reported with its line.
                problem = str(error).strip() or traceback.format_exc().strip()
            if problem:
                failed += 1
                world.keep_pictures(f"{self.name}-{failed}")
                print(f"FAIL  {self.name}: {name}\n      {problem}", flush=True)
            else:
                print(f"ok    {self.name}: {name} ({time.monotonic() - began:.1f} s)", flush=True)
            world.end()
        return len(self.checks) - failed, failed


class World:
    """What one check can use: the shared hub in development mode, and tabs and hubs of its own."""

    def __init__(self, browser, gohubd, directory):
        self.browser = browser
        self.gohubd = gohubd
        self.directory = directory
        self.directory_path = Path(directory)
        self.run = ""
        self.tabs = []
        self.hubs = []
        self.hub = Hub(gohubd, directory, "--store=memory")

    def name(self, word):
        """A name that no other check uses."""
        return f"{word}-{self.run}"

    def tab(self, user, hub=None, **options):
        tab = Tab(self.browser, hub or self.hub, self.name(user), **options)
        self.tabs.append(tab)
        return tab

    def own_hub(self, *settings):
        hub = Hub(self.gohubd, self.directory, *settings)
        self.hubs.append(hub)
        return hub

    def keep_pictures(self, name):
        """The folder that keeps screenshots and traces of failures, if one is set."""
        folder = os.environ.get("PICTURES")
        if not folder:
            return
        for index, tab in enumerate(self.tabs):
            try:
                tab.page.screenshot(path=f"{folder}/{name}-{index}.png")
            except Error:
                pass

    def end(self):
        for tab in self.tabs:
            tab.close()
        for hub in self.hubs:
            if hub.process.poll() is None:
                hub.stop(kill=True)
        self.tabs, self.hubs = [], []

    def close(self):
        self.hub.stop(kill=True)
