/// The first part of the names of a cluster's channels: `cluster.prefix`.
///
/// Without a dot, which separates the parts of a name: no cluster's channel is another one's, whatever their prefixes
/// are. One pattern of an ACL gives a cluster its channels and no others: `&gohub.*`.
package struct ClusterPrefix: Hashable, Sendable, CustomStringConvertible {
    package let value: String

    package static let standard = ClusterPrefix(unchecked: "gohub")
    package static let bytesMax = 64
    /// For errors: what a prefix may be.
    package static let allowed = "1 to 64 ASCII letters, digits, -, _ or :"

    /// - Parameter value: `nil` unless it is `allowed`.
    package init?(_ value: String) {
        guard (1...Self.bytesMax).contains(value.utf8.count), value.utf8.allSatisfy(Self.isAllowed) else { return nil }
        self.value = value
    }

    private init(unchecked value: String) {
        self.value = value
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        ChannelNames.isUnreserved(byte) && byte != UInt8(ascii: "~") || byte == UInt8(ascii: ":")
    }

    package var description: String { value }
}
