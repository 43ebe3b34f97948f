internal import GoHubCore

/// Decodes percent-encoding (RFC 3986, section 2.1) in what HTTP clients send.
package enum PercentEncoding {
    /// For a path, in which `+` is a plus.
    ///
    /// - Returns: `nil` for a `%` without two digits, and for a result that isn't UTF-8.
    package static func decode(_ text: some StringProtocol) -> String? { PercentDecoding.decode(text.utf8) }

    /// For a query, in which `+` is a space.
    ///
    /// - Returns: `nil` for a `%` without two digits, and for a result that isn't UTF-8.
    package static func decodeForm(_ text: some StringProtocol) -> String? {
        PercentDecoding.decode(text.utf8.lazy.map { $0 == UInt8(ascii: "+") ? UInt8(ascii: " ") : $0 })
    }
}
