import Glibc
import GoHubTestSupport

/// A hostile client's behaviour: how it connects, and what it repeats until the server has disconnected it.
struct Attack: Sendable {
    struct Target: Sendable {
        let port: UInt16
        /// The client's TLS settings, for a server with TLS.
        let tls: TLSTestClient.Options?

        /// Connected, TLS included.
        func peer(receiveBytes: Int32? = nil) throws -> HostilePeer {
            try HostilePeer(port: port, receiveBytes: receiveBytes, tls: tls)
        }

        /// Only TCP.
        func barePeer() throws -> HostilePeer { try HostilePeer(port: port) }
    }

    /// Makes the peer with this number.
    let begin: @Sendable (Target, Int) throws -> HostilePeer
    let step: @Sendable (HostilePeer) -> Void

    init(
        _ begin: @escaping @Sendable (Target, Int) throws -> HostilePeer,
        then step: @escaping @Sendable (HostilePeer) -> Void = { _ in }
    ) {
        self.begin = begin
        self.step = step
    }

    /// A peer that has sent hello, with its input after that.
    private static func welcomed(
        sending bytes: [UInt8], then step: @escaping @Sendable (HostilePeer) -> Void = { _ in }
    ) -> Attack {
        Attack(
            { target, number in
                let peer = try target.peer()
                try peer.hello("hostile\(number)")
                peer.send(bytes)
                return peer
            }, then: step)
    }

    /// A peer that sends before its WebSocket is open.
    private static func connected(
        sending bytes: [UInt8], then step: @escaping @Sendable (HostilePeer) -> Void = { _ in }
    ) -> Attack {
        Attack(
            { target, _ in
                let peer = try target.peer()
                peer.send(bytes)
                return peer
            }, then: step)
    }

    private static func frame(_ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true) -> [UInt8] {
        WebSocketTestClient.frame(opcode, payload, isFinal: isFinal)
    }

    private static func spaces(_ count: Int) -> [UInt8] { [UInt8](repeating: 0x20, count: count) }
}

// MARK: - Slow

extension Attack {
    /// Slow in every phase: each peer stops somewhere, or continues one byte at a time.
    static let slow: [Attack] = [
        // TCP and nothing else, also for TLS.
        Attack { target, _ in try target.barePeer() },
        // A TLS handshake and nothing else.
        connected(sending: []),
        connected(sending: Array("GET /v1/ws HTTP/1.1\r\nHost: loc".utf8)),
        connected(sending: Array("GET /".utf8), then: { $0.send("x") }),
        // No hello.
        Attack { target, _ in
            let peer = try target.peer()
            try peer.upgrade()
            return peer
        },
        // Half a hello.
        Attack { target, number in
            let peer = try target.peer()
            try peer.upgrade()
            peer.send(Array(HostilePeer.hello("hostile\(number)").prefix(20)))
            return peer
        },
        // The first byte of a header; a header without a payload; an unfinished payload; a payload byte by byte.
        welcomed(sending: [0x81]),
        welcomed(sending: Array(frame(1, spaces(1_000)).prefix(8))),
        welcomed(sending: Array(frame(1, spaces(1_000)).prefix(500))),
        welcomed(sending: Array(frame(1, spaces(60_000)).prefix(8)), then: { $0.send([0x20]) }),
        // A message that is never finished, with pings that keep the connection active.
        welcomed(
            sending: frame(1, [0x7B], isFinal: false),
            then: { peer in
                peer.send(frame(9, []))
                peer.drain()
            }),
        // Never reads and never answers the ping.
        welcomed(sending: []),
    ]

    /// The beginning of a ClientHello and nothing else, or one byte at a time.
    static let slowClientHello: [Attack] = [
        Attack { target, _ in
            let peer = try target.barePeer()
            peer.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00])
            return peer
        },
        Attack(
            { target, _ in
                let peer = try target.barePeer()
                peer.send([0x16, 0x03, 0x01, 0x3F, 0x00, 0x01, 0x00, 0x3E, 0xFC, 0x03, 0x03])
                return peer
            }, then: { $0.send([0x11]) }),
    ]
}

// MARK: - Too much

extension Attack {
    private static let upgradeLine = "GET /v1/ws HTTP/1.1\r\nHost: localhost\r\n"

    static let heads: [Attack] = [
        // Complete but too long: a field, a line, the number of fields.
        connected(sending: Array("\(upgradeLine)X: \(String(repeating: "x", count: 20_000))\r\n\r\n".utf8)),
        connected(sending: Array("GET /\(String(repeating: "x", count: 10_000)) HTTP/1.1\r\n\r\n".utf8)),
        connected(sending: Array("\(upgradeLine)\(String(repeating: "X: y\r\n", count: 200))\r\n".utf8)),
        // Endless.
        connected(
            sending: Array(upgradeLine.utf8), then: { $0.send("X-Field: \(String(repeating: "y", count: 500))\r\n") }),
        connected(sending: Array("GET /".utf8), then: { $0.send(String(repeating: "x", count: 500)) }),
        connected(sending: Array("\(upgradeLine)X: ".utf8), then: { $0.send(String(repeating: "x", count: 500)) }),
        connected(sending: [], then: { $0.send("\r\n\r\n") }),
    ]

    /// Lengths that are false or forbidden.
    static let lies: [Attack] = [
        welcomed(sending: [0x82, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4]),
        welcomed(sending: [0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
        welcomed(sending: [0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4]),
        welcomed(sending: [0x81, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4]),
        welcomed(sending: [0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2, 3, 4]),
        welcomed(sending: [0x81, 0xFE, 0, 9, 1, 2, 3, 4]),
        welcomed(sending: frame(1, spaces(70_000))),
        welcomed(sending: frame(1, spaces(60_000), isFinal: false) + frame(0, spaces(60_000), isFinal: false)),
        welcomed(sending: frame(9, spaces(126))),
        // Less than announced, and then the end.
        Attack { target, number in
            let peer = try target.peer()
            try peer.hello("hostile\(number)")
            peer.send(Array(frame(1, spaces(60_000)).prefix(100)))
            number.isMultiple(of: 2) ? peer.finishSending() : peer.end(isReset: true)
            return peer
        },
    ]

    /// Floods of frames, from peers that read the answers and from peers that don't.
    static let floods: [Attack] = [
        flood(of: frame(9, []), reads: true),
        flood(of: frame(9, spaces(125)), reads: false),
        flood(of: frame(10, []), reads: true),
        flood(of: HostilePeer.text("x"), reads: true),
        flood(of: HostilePeer.text(#"{"op":"who","id":"w","room":"elsewhere"}"#), reads: false),
        // Fragments of one message, empty, or of a byte each.
        welcomed(
            sending: frame(1, [], isFinal: false),
            then: { $0.send([UInt8](Array(repeating: frame(0, [], isFinal: false), count: 100).joined())) }),
        welcomed(
            sending: frame(1, [0x20], isFinal: false),
            then: { $0.send([UInt8](Array(repeating: frame(0, [0x20], isFinal: false), count: 100).joined())) }),
        // Few enough for the fragment limit, and never the last one.
        welcomed(
            sending: [UInt8](
                ([frame(1, [], isFinal: false)] + Array(repeating: frame(0, [], isFinal: false), count: 99)).joined())),
    ]

    private static func flood(of frame: [UInt8], reads: Bool) -> Attack {
        let wave = [UInt8](Array(repeating: frame, count: 2_000).joined())
        return welcomed(
            sending: [],
            then: { peer in
                peer.send(wave)
                if reads { peer.drain() }
            })
    }
}

// MARK: - Disconnects, and other protocols

extension Attack {
    /// Disconnects at some point, by FIN or by a reset, without a closing handshake.
    static let departures: [Attack] =
        [false, true].flatMap { isReset in
            [
                Attack { target, _ in leave(try target.barePeer(), isReset) },
                Attack { target, _ in leave(try target.peer(), isReset) },
                Attack { target, _ in
                    let peer = try target.peer()
                    try peer.upgrade()
                    return leave(peer, isReset)
                },
                Attack { target, number in
                    let peer = try target.peer()
                    try peer.join("hostile", as: "hostile\(number)")
                    return leave(peer, isReset)
                },
                // In the middle of a message, and with answers in flight.
                Attack { target, number in
                    let peer = try target.peer()
                    try peer.join("hostile", as: "hostile\(number)")
                    for id in 0..<20 {
                        peer.send(HostilePeer.text(#"{"op":"send","id":"\#(id)","room":"hostile","text":"x"}"#))
                    }
                    peer.send(Array(frame(1, spaces(1_000)).prefix(500)))
                    return leave(peer, isReset)
                },
                // After its close frame, without waiting for the server's.
                Attack { target, number in
                    let peer = try target.peer()
                    try peer.join("hostile", as: "hostile\(number)")
                    peer.send(frame(8, [0x03, 0xE8]))
                    return leave(peer, isReset)
                },
            ]
        } + [
            // Half closed: it goes on reading forever.
            Attack { target, number in
                let peer = try target.peer()
                try peer.join("hostile", as: "hostile\(number)")
                peer.finishSending()
                return peer
            },
            // A close frame, and then the connection stays open.
            welcomed(sending: frame(8, [0x03, 0xE8])),
        ]

    private static func leave(_ peer: HostilePeer, _ isReset: Bool) -> HostilePeer {
        peer.end(isReset: isReset)
        return peer
    }

    /// Another protocol than the port's: TLS on a plain port, and plain HTTP on a TLS port.
    static let strangers: [Attack] = [
        [UInt8](repeating: 0, count: 100), [UInt8](0...255), Array("SSH-2.0-OpenSSH_9.2\r\n".utf8),
        Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8), Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8),
        Array("GET /\r\n".utf8), Array("EHLO localhost\r\n".utf8),
        // A ClientHello's beginning; records of other types; a record that is too long.
        [0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0x03], [0x17, 0x03, 0x03, 0x00, 0x01, 0x00],
        [0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x00], [0x16, 0x03, 0x01, 0xFF, 0xFF, 0x01],
    ].map { bytes in
        Attack { target, _ in
            let peer = try target.barePeer()
            peer.send(bytes)
            return peer
        }
    }
}
