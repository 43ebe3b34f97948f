internal import Glibc

/// TCP sockets within this machine.
public enum Loopback {
    private static let size = socklen_t(MemoryLayout<sockaddr_in>.size)

    /// A socket that no child process inherits: a copy in a child would keep the connection open.
    public static func socket() -> Int32 {
        Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    }

    public static func bind(_ descriptor: Int32, port: UInt16 = 0) -> Bool {
        withAddress(port: port) { Glibc.bind(descriptor, $0, size) == 0 }
    }

    public static func connect(_ descriptor: Int32, port: UInt16) -> Bool {
        withAddress(port: port) { Glibc.connect(descriptor, $0, size) == 0 }
    }

    /// The port that a socket is bound to; 0 for none.
    public static func port(of descriptor: Int32) -> UInt16 {
        var address = sockaddr_in()
        var size = size
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    private static func withAddress(port: UInt16, _ body: (UnsafePointer<sockaddr>) -> Bool) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        // `sockaddr` is the form in which system calls take every kind of address; this one lives for the call.
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
        }
    }
}
