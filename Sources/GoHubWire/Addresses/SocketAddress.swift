internal import CGoHubLinux
internal import Glibc

/// An IP address and a port, in the system's form and as text.
struct SocketAddress: Hashable, Sendable {
    /// Network byte order: 4 bytes, or 16.
    let ip: [UInt8]
    let port: UInt16

    init(ip: [UInt8], port: UInt16) {
        self.ip = Self.unmapped(ip)
        self.port = port
    }

    /// - Parameter text: an IPv4 or IPv6 address, without brackets.
    init?(ip text: some StringProtocol, port: UInt16 = 0) {
        let text = String(text)
        // C would treat it as the end of the text.
        guard !text.utf8.contains(0) else { return nil }
        var v4 = in_addr()
        var v6 = in6_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            ip = withUnsafeBytes(of: v4) { Array($0) }
        } else if inet_pton(AF_INET6, text, &v6) == 1 {
            ip = Self.unmapped(withUnsafeBytes(of: v6) { Array($0) })
        } else {
            return nil
        }
        self.port = port
    }

    /// An address filled in by a system call; `nil` for a family other than IP.
    init?(_ storage: sockaddr_storage) {
        switch Int32(storage.ss_family) {
        case AF_INET:
            // The family says that the storage holds this type; both are plain C structures.
            let v4 = withUnsafeBytes(of: storage) { $0.load(as: sockaddr_in.self) }
            self.init(ip: withUnsafeBytes(of: v4.sin_addr) { Array($0) }, port: UInt16(bigEndian: v4.sin_port))
        case AF_INET6:
            let v6 = withUnsafeBytes(of: storage) { $0.load(as: sockaddr_in6.self) }
            self.init(ip: withUnsafeBytes(of: v6.sin6_addr) { Array($0) }, port: UInt16(bigEndian: v6.sin6_port))
        default: return nil
        }
    }

    /// An IPv4 address inside an IPv6 one (`::ffff:1.2.3.4`) is the IPv4 address.
    private static func unmapped(_ ip: [UInt8]) -> [UInt8] {
        let isMapped = ip.count == 16 && ip[..<10].allSatisfy { $0 == 0 } && ip[10] == 0xFF && ip[11] == 0xFF
        return isMapped ? Array(ip[12...]) : ip
    }

    var isLoopback: Bool {
        ip.count == 4 ? ip[0] == 127 : ip == [UInt8](repeating: 0, count: 15) + [1]
    }

    /// The key for limits: an IPv4 address, or the /64 of an IPv6 one, which one subscriber owns as a whole.
    var limitKey: String {
        guard ip.count == 16 else { return text }
        return SocketAddress(ip: Array(ip[..<8]) + [UInt8](repeating: 0, count: 8), port: 0).text + "/64"
    }

    /// The IP address without the port.
    var text: String {
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = ip.count == 4 ? AF_INET : AF_INET6
        guard inet_ntop(family, ip, &buffer, socklen_t(buffer.count)) != nil else { return "?" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Makes a system call with the address in its C form.
    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        if ip.count == 4 {
            var v4 = sockaddr_in()
            v4.sin_family = sa_family_t(AF_INET)
            v4.sin_port = port.bigEndian
            withUnsafeMutableBytes(of: &v4.sin_addr) { $0.copyBytes(from: ip) }
            return Self.rebound(&v4, body)
        }
        var v6 = sockaddr_in6()
        v6.sin6_family = sa_family_t(AF_INET6)
        v6.sin6_port = port.bigEndian
        withUnsafeMutableBytes(of: &v6.sin6_addr) { $0.copyBytes(from: ip) }
        return Self.rebound(&v6, body)
    }

    /// C's own convention: every socket address begins like `sockaddr`, and the length gives its real size.
    static func rebound<Address, Result>(
        _ address: inout Address, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<Address>.size))
            }
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    var description: String { ip.count == 4 ? "\(text):\(port)" : "[\(text)]:\(port)" }
}
