import Testing

@testable import gohub_preview

@Suite struct BlurHashTests {
    private func grid(_ drawing: Drawing) -> PixelGrid {
        PixelGrid(width: drawing.width, height: drawing.height) { x, y in
            UInt32(bitPattern: drawing.color(x, y).pixel)
        }
    }

    @Test func singleColorIsKept() throws {
        // The format's cosines start at 0 instead of a half, so a narrow image of one colour has waves.
        let drawing = try Drawing(width: 480, height: 240) { _, _ in Color.green.pixel }
        let text = BlurHash.encode(grid(drawing))
        #expect(text.utf8.count == 28)
        for color in try BlurHashPixels.colors(text, width: 8, height: 4) { #expect(color.isNear(.green, by: 8)) }
    }

    @Test(arguments: [(480, 320), (320, 480), (400, 400)]) func quartersKeepTheirPlaces(width: Int, height: Int)
        throws
    {
        let text = BlurHash.encode(grid(try .quarters(width: width, height: height)))
        #expect(text.utf8.count == 28)
        let colors = try BlurHashPixels.colors(text, width: 8, height: 8)
        for (index, color) in [Color.red, .green, .blue, .yellow].enumerated() {
            // The middle of each quarter. With so few waves edges overshoot, but never as far as another quarter's
            // colour.
            let seen = colors[(index / 2 * 4 + 2) * 8 + index % 2 * 4 + 2]
            #expect(seen.isNear(color, by: 105), "\(seen) isn't \(color)")
        }
    }

    @Test func transparencyIsDrawnOverWhite() throws {
        let drawing = try Drawing(width: 8, height: 8) { _, _ in
            Color(red: 0, green: 0, blue: 0, transparency: 127).pixel
        }
        for color in try BlurHashPixels.colors(BlurHash.encode(grid(drawing)), width: 2, height: 2) {
            #expect(color.isNear(Color(red: 255, green: 255, blue: 255), by: 4))
        }
    }

    @Test func theSmallestImageHasOne() throws {
        let drawing = try Drawing(width: 1, height: 1) { _, _ in Color.blue.pixel }
        #expect(try BlurHashPixels.colors(BlurHash.encode(grid(drawing)), width: 1, height: 1)[0].blue > 100)
    }
}
