internal import GoHubWire

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// The URL of a key set: https, or http to this machine, where nobody can change data in transit.
package struct JWKSLocation: Hashable, Sendable {
    /// Printable ASCII.
    package let url: String

    /// - Returns: `nil` for another scheme, a URL without a host, or one with a user and password, which would end up
    ///   in logs.
    package init?(_ text: String) {
        guard let url = URL(string: text), let host = url.host(), !host.isEmpty, url.user() == nil,
            url.password() == nil, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        switch url.scheme?.lowercased() {
        case "https": break
        case "http" where LoopbackHost.isMeant(by: host): break
        default: return nil
        }
        self.url = text
    }
}
