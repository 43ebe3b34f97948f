// Seeded simulation: users in rooms, a network with losses and delays, and a hub that refuses commands, cannot replay
// and changes the epoch. Every client must converge to the hub's history, with each entry once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Model, randomOf } from "./support/model.mjs";
import { World, settle } from "./support/world.mjs";

const SEEDS = 150;
const STEPS = 400;
const ROOMS = ["room", "side", "third"];
/** More than enough steps to converge without losses. */
const REST_STEPS = 20_000;

async function simulate(seed, { startsOver, roomsPerJoin }) {
    const random = randomOf(seed);
    const world = new World();
    const model = new Model(random, () => world.time, { rooms: ROOMS, roomsPerJoin });
    const people = ["alice", "bob", "carol"].map((user) => {
        const hub = world.hub({ user, device: user, environment: { WebSocket: model.socketOf(user), random: random.next } });
        hub.connect();
        const seats = ROOMS.map((name) => {
            hub.join(name, { history: 20, timeoutMs: Infinity });
            const seat = { user, hub, room: hub.room(name), sends: [], told: [], resets: 0 };
            seat.room.on("message", (message) => seat.told.push([seat.resets, message.offset]));
            seat.room.on("reset", () => (seat.resets += 1));
            return seat;
        });
        return { hub, seats };
    });
    const seats = people.flatMap((person) => person.seats);
    let epochs = 1;
    for (let step = 0; step < STEPS; step++) {
        const seat = random.of(seats);
        const { room } = seat;
        const [message] = [random.of(room.messages)];
        if (random.chance(0.3)) {
            const text = `${seat.user} ${seat.sends.length}`;
            const send = { text, reply: null };
            seat.sends.push(send);
            room.send(text).then((reply) => (send.reply = reply), (error) => (send.reply = error));
        }
        const isTarget = message?.offset !== undefined && message.status === "sent";
        const nobodyMinds = () => {};
        if (isTarget && random.chance(0.1)) room.edit(message.offset, `edited ${step}`).catch(nobodyMinds);
        if (isTarget && random.chance(0.05)) room.delete(message.offset).catch(nobodyMinds);
        if (isTarget && random.chance(0.1)) room.react(message.offset, random.of(["👍", "🎉"])).catch(nobodyMinds);
        if (random.chance(0.05)) room.loadOlder(5);
        if (random.chance(0.03) && model.links.size) model.lose(random.of([...model.links]), random.of([1006, 4001, 1012]));
        if (startsOver && random.chance(0.005)) model.startOver(++epochs);
        if (random.chance(0.3)) await world.advance(random.below(3_000));
        for (let count = random.below(8); count > 0; count--) model.step();
        await settle();
    }
    // From here on no connection is lost.
    const isAtRest = () => seats.every(({ hub, room, sends }) => {
        const { epoch, log } = model.rooms.get(room.name);
        return hub.state.name === "connected" && room.status === "joined" && room.epoch === epoch && room.offset === log.length
            && sends.every(({ reply }) => reply);
    });
    for (let step = 0; step < REST_STEPS && !isAtRest(); step++) {
        for (let count = 0; count < 20; count++) model.step();
        await world.advance(500);
    }
    assert.ok(isAtRest(), JSON.stringify(seats.map(({ hub, room }) => [hub.state, room.status, room.offset])));
    for (const seat of seats) check(seat, model.rooms.get(seat.room.name), startsOver);
    assert.ok(startsOver || [...model.stored.values()].every((count) => count === 1));
    for (const { hub } of people) hub.close();
}

function check({ user, room, sends, told, resets }, place, startsOver) {
    // The view equals the hub's history from the view's first offset.
    const shown = room.messages;
    assert.ok(shown.every(({ status }) => status === "sent"));
    const first = shown[0]?.offset ?? Infinity;
    const expected = [...place.messages.values()].filter(({ offset }) => offset >= first).map((message) => ({
        offset: message.offset, text: message.text ?? "", isDeleted: message.deletedAt !== undefined,
        reactions: message.reactions ?? [],
    }));
    const actual = shown.map(({ offset, text, deletedAt, reactions }) => ({ offset, text, isDeleted: deletedAt !== undefined, reactions: [...reactions] }));
    assert.deepEqual(actual, expected);
    // No event was repeated or out of order between two resets.
    for (const [index, [reset, offset]] of told.entries()) {
        const [before, previous] = told[index - 1] ?? [-1, 0];
        assert.ok(reset > before || offset > previous, `${offset} was delivered after ${previous}`);
    }
    // No entry is missing.
    const lately = told.filter(([reset]) => reset === resets).map(([, offset]) => offset);
    assert.deepEqual(lately, [...place.messages.keys()].filter((offset) => offset >= lately[0]));
    // Each send is stored once in each history, in the order of sending.
    for (const { text, reply } of sends) assert.equal(reply.kind, "stored", `${text}: ${reply}`);
    if (startsOver) return;
    const stored = place.log.filter(({ op, from }) => op === "message" && from === user).map(({ id }) => id);
    assert.deepEqual(stored, sends.map(({ reply }) => reply.id));
}

const HUBS = {
    "": {}, ", with changes of the epoch": { startsOver: true },
    ", with one room per join": { roomsPerJoin: 0 },
    ", with one room per join and changes of the epoch": { roomsPerJoin: 0, startsOver: true },
};

for (const [name, hub] of Object.entries(HUBS)) {
    test(`${SEEDS} seeds${name}`, async () => {
        for (let seed = 1; seed <= SEEDS; seed++) {
            try {
                await simulate(seed, { startsOver: false, roomsPerJoin: 2, ...hub });
            } catch (error) {
                error.message = `seed ${seed}: ${error.message}`;
                throw error;
            }
        }
    });
}
