/// The helper's command line: `FORMAT PIXELS-MAX MEMORY-BYTES-MAX CPU-SECONDS-MAX`. The image is its standard input.
public struct PreviewOrder: Hashable, Sendable {
    /// `png`, `jpeg`, `gif` or `webp`.
    public var format: String
    /// If the image's header announces more, nothing is decoded.
    public var pixelsMax: Int
    /// The bytes of memory for the work beyond the program itself.
    public var memoryBytesMax: Int
    /// The processor time of the helper.
    public var cpuSecondsMax: Int

    public init(format: String, pixelsMax: Int, memoryBytesMax: Int, cpuSecondsMax: Int) {
        self.format = format
        self.pixelsMax = pixelsMax
        self.memoryBytesMax = memoryBytesMax
        self.cpuSecondsMax = cpuSecondsMax
    }

    /// The command line without the program's name: four arguments, in the order of the properties.
    public var arguments: [String] { [format, "\(pixelsMax)", "\(memoryBytesMax)", "\(cpuSecondsMax)"] }

    /// - Parameter arguments: without the program's name.
    /// - Returns: `nil` unless there are four arguments, the last three of which are whole numbers above 0.
    public init?(arguments: [String]) {
        guard arguments.count == 4, let format = arguments.first else { return nil }
        let numbers = arguments.dropFirst().compactMap { Int($0) }
        guard numbers.count == 3, numbers.allSatisfy({ $0 > 0 }) else { return nil }
        self.init(format: format, pixelsMax: numbers[0], memoryBytesMax: numbers[1], cpuSecondsMax: numbers[2])
    }
}
