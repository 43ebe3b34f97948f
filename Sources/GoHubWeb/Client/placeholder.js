// The placeholder of a loading image: a BlurHash (https://blurha.sh), the lowest frequencies of its colours.

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";
/** The style sheet scales it up, and the browser interpolates. */
const SIDE = 32;

const toLight = (byte) => (byte <= 10.31475 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4);
const toByte = (light) => 255 * (light <= 0.0031308 ? 12.92 * light : 1.055 * Math.max(0, light) ** (1 / 2.4) - 0.055);

/** Decodes a placeholder: `{ columns, rows, waves }`, each wave with red, green and blue; null if it is invalid. */
function wavesOf(hash) {
    const digits = Array.from(hash, (digit) => DIGITS.indexOf(digit));
    if (digits.includes(-1)) return null;
    const number = (from, count) => digits.slice(from, from + count).reduce((sum, digit) => sum * 83 + digit, 0);
    const shape = number(0, 1);
    const columns = (shape % 9) + 1;
    const rows = Math.floor(shape / 9) + 1;
    // The format: two digits, then four for the first wave and two for each further wave.
    if (digits.length !== 4 + 2 * columns * rows || rows > 9) return null;
    const scale = (number(1, 1) + 1) / 166;
    const average = number(2, 4);
    const amount = (value) => Math.sign(value - 9) * ((value - 9) / 9) ** 2 * scale;
    const waves = [[average >> 16, (average >> 8) & 255, average & 255].map(toLight)];
    for (let index = 1; index < columns * rows; index++) {
        const value = number(4 + 2 * index, 2);
        waves.push([Math.floor(value / 361), Math.floor(value / 19) % 19, value % 19].map(amount));
    }
    return { columns, rows, waves };
}

/** Draws a placeholder. Returns false and draws nothing if it is invalid or the canvas has no 2D context. */
export function drawPlaceholder(hash, canvas) {
    const read = typeof hash === "string" ? wavesOf(hash) : null;
    const context = read && canvas.getContext("2d");
    if (!context) return false;
    canvas.width = canvas.height = SIDE;
    const picture = context.createImageData(SIDE, SIDE);
    const cosines = Array.from({ length: 9 }, (_, wave) => (
        Array.from({ length: SIDE }, (_, place) => Math.cos((Math.PI * wave * place) / SIDE))));
    for (let y = 0; y < SIDE; y++) {
        for (let x = 0; x < SIDE; x++) {
            const sum = [0, 0, 0];
            for (const [index, wave] of read.waves.entries()) {
                const factor = cosines[index % read.columns][x] * cosines[Math.floor(index / read.columns)][y];
                for (let colour = 0; colour < 3; colour++) sum[colour] += wave[colour] * factor;
            }
            picture.data.set([...sum.map(toByte), 255], 4 * (y * SIDE + x));
        }
    }
    context.putImageData(picture, 0, 0);
    return true;
}
