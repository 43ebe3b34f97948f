// Where the nodes of the picture go: springs along the edges, everybody keeps a distance, all are drawn to the middle.
// It knows no picture: `step` moves the points, and says how much they still move.

const SPRING = 0.06;
const REPULSION = 2_600;
const GRAVITY = 0.018;
const FRICTION = 0.82;
const SPEED_MAX = 14;
const LENGTH = { node: 150, room: 74 };

export class Layout {
    points = new Map();
    edges = [];

    /** Takes on nodes `{ id, kind }` and edges `{ from, to }`; who was there stays, who is new begins beside its neighbour. */
    set(nodes, edges) {
        const before = this.points;
        this.points = new Map();
        for (const node of nodes) {
            const known = before.get(node.id);
            const near = edges.find(({ to }) => to === node.id);
            const from = near && (this.points.get(near.from) ?? before.get(near.from));
            // Not at random: the same hub looks the same.
            const angle = this.points.size * 2.4;
            const point = known ?? { x: (from?.x ?? 0) + 30 * Math.cos(angle), y: (from?.y ?? 0) + 30 * Math.sin(angle), vx: 0, vy: 0 };
            this.points.set(node.id, Object.assign(point, { kind: node.kind }));
        }
        this.edges = edges.filter(({ from, to }) => this.points.has(from) && this.points.has(to));
    }

    step() {
        const points = [...this.points.values()];
        for (const [index, one] of points.entries()) {
            for (const other of points.slice(index + 1)) {
                const dx = one.x - other.x || 0.1;
                const dy = one.y - other.y || 0.1;
                const squared = Math.max(80, dx * dx + dy * dy);
                const push = REPULSION / squared / Math.sqrt(squared);
                one.vx += dx * push;
                one.vy += dy * push;
                other.vx -= dx * push;
                other.vy -= dy * push;
            }
            one.vx -= one.x * GRAVITY;
            one.vy -= one.y * GRAVITY;
        }
        for (const { from, to } of this.edges) {
            const one = this.points.get(from);
            const other = this.points.get(to);
            const dx = other.x - one.x;
            const dy = other.y - one.y;
            const distance = Math.hypot(dx, dy) || 1;
            const pull = ((distance - LENGTH[one.kind]) / distance) * SPRING;
            one.vx += dx * pull;
            one.vy += dy * pull;
            other.vx -= dx * pull;
            other.vy -= dy * pull;
        }
        let most = 0;
        for (const point of points) {
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

    /** The rectangle that holds all points. */
    bounds(margin) {
        const points = [...this.points.values()];
        const xs = points.map(({ x }) => x);
        const ys = points.map(({ y }) => y);
        const [left, right] = [Math.min(...xs, -80) - margin, Math.max(...xs, 80) + margin];
        const [top, bottom] = [Math.min(...ys, -80) - margin, Math.max(...ys, 80) + margin];
        return { left, top, width: right - left, height: bottom - top };
    }
}
