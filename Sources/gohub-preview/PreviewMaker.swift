internal import GoHubPreviewExchange

/// Makes the answer from an image's bytes: read the header, decode, shrink, rotate, encode.
struct PreviewMaker {
    var format: PreviewFormat
    var pixelsMax: Int

    /// Tried in this order until the preview is small enough; then again at half the size.
    private static let qualities = [75, 50, 25]

    func answer(_ bytes: consuming [UInt8]) -> PreviewAnswer {
        guard var header = try? ImageHeader(copy bytes, format: format) else { return .unreadable }
        guard header.isWithin(pixelsMax: pixelsMax) else { return .tooManyPixels }
        guard header.isDecodable(pixelsMax: pixelsMax) else { return .tooMuchWork }
        if let still = header.still {
            // The file itself is released before decoding: there is memory for one of them.
            bytes = still
            header.still = nil
        }
        guard let shrunk = shrunk(copy bytes, header), let webp = Self.encode(shrunk) else { return .unreadable }
        let (width, height) =
            header.orientation.swapsSides ? (header.height, header.width) : (header.width, header.height)
        return .preview(width: width, height: height, placeholder: BlurHash.encode(shrunk), webp: webp)
    }

    /// The image at the preview's size, with its orientation applied.
    private func shrunk(_ bytes: [UInt8], _ header: ImageHeader) -> PixelGrid? {
        guard let decoded = DrawnImage.decode(bytes, format: format),
            // Decoder and header must agree on the image.
            decoded.width == header.frame.width, decoded.height == header.frame.height
        else { return nil }
        let edge = max(header.width, header.height)
        func scaled(_ length: Int) -> Int {
            edge <= PreviewBounds.edgeMax ? length : (length * PreviewBounds.edgeMax + edge / 2) / edge
        }
        guard
            let small = DrawnImage.transparent(
                width: max(1, scaled(header.width)), height: max(1, scaled(header.height)))
        else { return nil }
        let frame = header.frame
        small.draw(
            decoded,
            into: ImageHeader.Frame(
                left: scaled(frame.left), top: scaled(frame.top), width: max(1, scaled(frame.width)),
                height: max(1, scaled(frame.height))))
        return small.grid.turned(header.orientation)
    }

    private static func encode(_ grid: PixelGrid) -> [UInt8]? {
        guard var image = DrawnImage(grid) else { return nil }
        while true {
            for quality in qualities {
                guard let webp = image.webp(quality: quality) else { return nil }
                if webp.count <= PreviewBounds.imageBytesMax { return webp }
            }
            let (width, height) = (max(1, image.width / 2), max(1, image.height / 2))
            guard width < image.width || height < image.height,
                let smaller = DrawnImage.transparent(width: width, height: height)
            else { return nil }
            smaller.draw(image, into: ImageHeader.Frame(width: width, height: height))
            image = smaller
        }
    }
}
