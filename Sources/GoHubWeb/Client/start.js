// Runs before the rest of the page, without modules: if a part of the page can't be loaded, it says which one and why,
// in the text that the page begins with. Once app.js runs, that text is gone.
(() => {
    "use strict";
    const AGAIN = "Wait a moment, then try again.";
    /** The meaning of a status; 0: no response, or a browser that does not report it. */
    const REASONS = new Map([
        [429, `The hub has reached its connection limit for your address. Others may be connected from it, too. ${AGAIN}`],
        [503, `The hub is busy or restarting. ${AGAIN}`],
        [0, `The hub cannot be reached, or it has reached its limit of connections from your address. ${AGAIN}`],
    ]);
    /** Addresses that could not be loaded, with their status if it is known from elsewhere. */
    const failed = new Map();
    let problem = null;

    const statusOf = (address) => failed.get(address) || (performance.getEntriesByName(address).pop()?.responseStatus ?? 0);

    function reason() {
        if (problem) return [`A script of the page failed: ${problem}`, ""];
        const all = [...failed.keys()].map((address) => [new URL(address).pathname.slice(1), statusOf(address)]);
        // A script also fails because of a module that it imports.
        const own = all.filter(([, one]) => one < 200 || one >= 400);
        const statuses = own.length ? own : all.map(([file]) => [file, 0]);
        // Prefers a failure with a known status.
        const [, status] = statuses.find(([, one]) => one !== 0) ?? statuses[0];
        const files = statuses.slice(0, 3).map(([file, one]) => (one ? `${file} (${one})` : file)).join(", ");
        const rest = statuses.length > 3 ? ` and ${statuses.length - 3} more` : "";
        return [REASONS.get(status) ?? `The hub answered ${status}. It may have been updated: try again.`, `Not loaded: ${files}${rest}`];
    }

    function show() {
        const start = document.getElementById("start");
        const again = document.getElementById("start-again");
        // The elements, of which this button is the last, do not all exist yet, or were removed.
        if (!start || !again || (failed.size === 0 && problem === null)) return;
        const [text, details] = reason();
        const write = (id, written) => {
            const element = document.getElementById(id);
            if (element.textContent !== written) element.textContent = written;
        };
        start.dataset.state = "failed";
        document.getElementById("start-title").textContent = "This page couldn't be loaded";
        write("start-text", text);
        write("start-details", details);
        again.hidden = false;
    }

    addEventListener("error", (event) => {
        const { target } = event;
        if (target instanceof HTMLScriptElement) failed.set(target.src, 0);
        else if (target instanceof HTMLLinkElement) failed.set(target.href, 0);
        else if (target === window && event instanceof ErrorEvent) problem ??= event.message;
        show();
    }, true);
    // The page is unusable without its styles.
    addEventListener("starting", (event) => {
        if (![...failed.keys()].some((address) => address.endsWith(".css"))) return;
        event.preventDefault();
        show();
    });
    // Failures of the page's own requests at its start.
    addEventListener("startfailed", ({ detail }) => {
        failed.set(detail.address, detail.status);
        show();
    });
    addEventListener("DOMContentLoaded", () => {
        document.getElementById("start-again").addEventListener("click", () => location.reload());
        show();
    });
    // The status may arrive shortly after the failure.
    new PerformanceObserver(show).observe({ type: "resource", buffered: true });
})();
