/// Hosts that are this very machine, as people and browsers write them: `localhost`, 127.0.0.0/8 and `::1`.
enum LoopbackHost {
    /// - Parameter host: a name or an address without a port; an IPv6 address with its brackets or without.
    static func isMeant(by host: String) -> Bool {
        // Names are the same in any case (RFC 9110, section 4.2.3).
        if ["localhost", "::1", "[::1]"].contains(host.lowercased()) { return true }
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return numbers.count == 4 && numbers[0] == 127 && numbers.allSatisfy { $0 != nil }
    }

    /// - Parameter authority: what a Host field holds, a host with its port if it has one (RFC 9110, section 7.2).
    static func isMeant(byAuthority authority: String) -> Bool {
        // The colons of an IPv6 address stand within its brackets.
        let end = authority.hasPrefix("[") ? authority.firstIndex(of: "]").map { authority.index(after: $0) } : nil
        let port = authority[(end ?? authority.startIndex)...].firstIndex(of: ":")
        return isMeant(by: String(authority[..<(port ?? authority.endIndex)]))
    }
}
