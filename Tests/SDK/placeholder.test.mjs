// The web client's image placeholders, which come from other users.
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawPlaceholder } from "../../Sources/GoHubWeb/Client/placeholder.js";

/** The pixels that were drawn onto a canvas; null if nothing was drawn. */
function drawn(hash) {
    let data = null;
    const context = {
        createImageData: (width, height) => ({ data: new Uint8ClampedArray(4 * width * height) }),
        putImageData: (picture) => ({ data } = picture),
    };
    assert.equal(drawPlaceholder(hash, { getContext: () => context }), data !== null);
    return data;
}

test("a placeholder is drawn in its colours", () => {
    // One white wave: "0" for one column and one row, "0" for the scale of further waves, and 0xffffff in base 83.
    assert.deepEqual([...new Set(drawn("00TSUA"))], [255]);
    assert.ok(new Set(drawn("LEHV6nWB2yk8pyo0adR*.7kCMdnj")).size > 10);
});

test("an invalid placeholder draws nothing, and is no error", () => {
    const good = "LEHV6nWB2yk8pyo0adR*.7kCMdnj";
    const bad = [
        "", "0", "00TS", "\"aaa", "\"0TSUA", "~0TSUA", good.slice(1), `${good}0`, "😀".repeat(14), "\ud800".repeat(28),
        undefined, null, 7, {}, [good],
    ];
    // A space is invalid in any position.
    for (const place of good.split("").keys()) bad.push(`${good.slice(0, place)} ${good.slice(place + 1)}`);
    for (const hash of bad) assert.equal(drawn(hash), null, String(hash));
});
