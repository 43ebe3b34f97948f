// Messages with files against a real hub.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Hub, client, until, withCleanup, within } from "./support/gohubd.mjs";
import { codeOf } from "./support/world.mjs";

test("a message has its files for all members, also for later ones, until it is deleted", () => withCleanup(async (defer) => {
    const hub = await new Hub().start();
    defer(() => hub.close());
    const enter = async (user) => {
        const made = client(hub.url, user);
        defer(() => made.close());
        made.connect();
        return within(made.join("lobby"), "joining");
    };
    const [hers, his] = [await enter("alice"), await enter("bob")];
    const upload = hers.upload(new Blob(["hello"], { type: "text/plain" }), { name: "a.txt", alt: "a greeting" });
    const { id } = await within(upload.finished, "the upload");
    const sent = await within(hers.send("", { files: [upload] }), "sending");
    await until(his, "message", () => his.offset >= sent.offset);
    const file = { id, name: "a.txt", type: "text/plain", size: 5, alt: "a greeting" };
    assert.deepEqual([his.messages[0].text, his.messages[0].files], ["", [file]]);
    assert.deepEqual((await enter("carol")).messages[0].files, [file]);
    assert.equal(await codeOf(hers.send("", { files: [{ id: "A".repeat(22) }] })), "not_found");
    await hers.delete(sent.offset);
    await until(his, "update", () => his.messages[0].deletedAt !== undefined);
    assert.deepEqual(his.messages[0].files, []);
}));
