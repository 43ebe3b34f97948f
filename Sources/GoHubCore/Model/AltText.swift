/// The sender's description of a file, for people who don't see it and until it is loaded.
public struct AltText: Hashable, Sendable, CustomStringConvertible {
    /// 1–1,000 bytes of UTF-8.
    public let value: String

    /// The maximum length in bytes of UTF-8.
    public static let bytesMax = 1000

    /// - Parameter value: 1–1,000 bytes of UTF-8 without control characters (Unicode's category Cc); `nil` otherwise.
    public init?(_ value: String) {
        guard !value.isEmpty, value.utf8.count <= Self.bytesMax, !value.holdsControls else { return nil }
        self.value = value
    }

    public static func == (left: AltText, right: AltText) -> Bool { left.value.hasSameBytes(as: right.value) }

    public func hash(into hasher: inout Hasher) { value.hashBytes(into: &hasher) }

    public var description: String { value }
}

extension String {
    /// Whether it contains a control character: C0, DEL or C1. Line breaks are some of them.
    package var holdsControls: Bool {
        unicodeScalars.contains { scalar in
            switch scalar.value {
            case 0...0x1F, 0x7F...0x9F: true
            default: false
            }
        }
    }
}
