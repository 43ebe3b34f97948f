// Force-directed layout of the graph: springs along the edges, repulsion between nodes, attraction to the centre.
// Independent of the drawing: `step` moves the points and returns how much they still move.

const SPRING = 0.05;
const REPULSION = 1_300;
const GRAVITY = 0.008;
const FRICTION = 0.8;
const SPEED_MAX = 16;
const LENGTH = { node: 150, room: 90 };
/** Rooms repel each other more than users do, so that each room has its users around it. */
const WEIGHT = { node: 3, room: 5, user: 1.2 };
/** The minimum distance of nodes: each has its name below it. */
const ROOM_FOR = { node: 46, room: 42, user: 30 };
/** The minimum visible area. */
const WIDTH_MIN = 400;
const HEIGHT_MIN = 400;

export class Layout {
    points = new Map();
    edges = [];

    /** Sets nodes `{ id, kind }` and edges `{ from, to }`. Known nodes stay; a new node begins beside its neighbour. */
    set(nodes, edges) {
        const before = this.points;
        this.points = new Map();
        for (const node of nodes) {
            const known = before.get(node.id);
            const near = edges.find(({ to }) => to === node.id);
            const from = near && (this.points.get(near.from) ?? before.get(near.from));
            // Deterministic: the same hub always looks the same.
            const angle = this.points.size * 2.4;
            const point = known ?? { x: (from?.x ?? 0) + 60 * Math.cos(angle), y: (from?.y ?? 0) + 60 * Math.sin(angle), vx: 0, vy: 0 };
            this.points.set(node.id, Object.assign(point, { kind: node.kind }));
        }
        const degrees = new Map();
        for (const { to } of edges) degrees.set(to, (degrees.get(to) ?? 0) + 1);
        this.edges = edges.filter(({ from, to }) => this.points.has(from) && this.points.has(to))
            .map(({ from, to }) => ({ from, to, share: 1 / Math.sqrt(degrees.get(to)) }));
    }

    step() {
        const points = [...this.points.values()];
        for (const [index, one] of points.entries()) {
            for (let next = index + 1; next < points.length; next++) this.#repel(one, points[next]);
            one.vx -= one.x * GRAVITY;
            one.vy -= one.y * GRAVITY;
        }
        for (const edge of this.edges) this.#pull(edge);
        let most = 0;
        for (const point of points) {
            // The hub stays at the centre.
            if (point.kind === "node") point.vx = point.vy = point.x = point.y = 0;
            const speed = Math.hypot(point.vx, point.vy);
            const brake = FRICTION * Math.min(1, SPEED_MAX / (speed || 1));
            point.vx *= brake;
            point.vy *= brake;
            point.x += point.vx;
            point.y += point.vy;
            most = Math.max(most, speed * brake);
        }
        return most;
    }

    #repel(one, other) {
        const dx = one.x - other.x || 0.1;
        const dy = one.y - other.y || 0.1;
        const distance = Math.max(8, Math.hypot(dx, dy));
        const crowding = Math.max(0, ROOM_FOR[one.kind] + ROOM_FOR[other.kind] - distance) * 0.12;
        const push = ((REPULSION * WEIGHT[one.kind] * WEIGHT[other.kind]) / (distance * distance) + crowding) / distance;
        const [first, second] = [push / WEIGHT[one.kind], push / WEIGHT[other.kind]];
        one.vx += dx * first;
        one.vy += dy * first;
        other.vx -= dx * second;
        other.vy -= dy * second;
    }

    /** The springs of a user in many rooms are weaker. */
    #pull({ from, to, share }) {
        const one = this.points.get(from);
        const other = this.points.get(to);
        const dx = other.x - one.x;
        const dy = other.y - one.y;
        const distance = Math.hypot(dx, dy) || 1;
        const pull = ((distance - LENGTH[one.kind]) / distance) * SPRING * share;
        one.vx += (dx * pull) / WEIGHT[one.kind];
        one.vy += (dy * pull) / WEIGHT[one.kind];
        other.vx -= dx * pull;
        other.vy -= dy * pull;
    }

    /** The rectangle around all points, with the hub at its centre. */
    bounds(margin) {
        const points = [...this.points.values()];
        const width = 2 * Math.max(WIDTH_MIN / 2, ...points.map(({ x }) => Math.abs(x) + margin));
        const height = 2 * Math.max(HEIGHT_MIN / 2, ...points.map(({ y }) => Math.abs(y) + margin));
        return { left: -width / 2, top: -height / 2, width, height };
    }
}
