#if DEBUG
import Glibc
import GoHubCore
import GoHubTLS
import GoHubTestSupport

@testable import GoHubWire

/// One event loop that echoes every message.
final class EchoLoop {
    let loop: EventLoop
    let settings: ConnectionSettings
    let resources: ConnectionResources
    private let socket: ListenSocket
    private var connections: [UInt64: Connection] = [:]
    private var lastSerial: UInt64 = 0
    private var flushList: [Connection] = []
    private var wheel: TimerWheel<UInt64>

    struct BadAddress: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameters:
    ///   - listen: such as `127.0.0.1:9001`.
    ///   - windowBits: the server's compression window. With 9 it can accept every offer of the suite.
    ///   - isTLS: uses a certificate for localhost that is made here and never stored.
    init(listen: String, deflate: Bool, windowBits: Int, isTLS: Bool) throws {
        guard let address = ListenAddress(listen) else { throw BadAddress(description: "no address: \(listen)") }
        var configuration = ServerConfiguration(listen: address)
        configuration.webSocketPaths = ["/"]
        if isTLS { configuration.tls = try EchoLoop.throwAwayTLS() }
        // The suite sends messages of 16 MiB, and of 65,536 fragments.
        var limits = Limits()
        limits.messageBytesMax = 16 * 1024 * 1024
        limits.queueBytesMax = 64 * 1024 * 1024
        limits.queueWatermarkBytes = 32 * 1024 * 1024
        settings = ConnectionSettings(
            configuration.connections, limits: limits, requiresToken: false, framesPerMessageMax: 1 << 20,
            deflate: DeflateConfiguration(windowBits: windowBits))
        resources = ConnectionResources(
            inflater: deflate ? try Inflater() : nil, deflater: deflate ? try Deflater(settings.deflate) : nil)
        loop = try EventLoop(poller: EpollPoller())
        wheel = TimerWheel(now: loop.now)
        socket = try ListenSocket(address)
        try loop.register(socket.descriptor, .read, Acceptor(self))
    }

    var address: SocketAddress { socket.address }

    /// The files are read once, and are removed with `certificates`.
    private static func throwAwayTLS() throws -> TLSReloader {
        let certificates = try TestCertificates()
        return try withExtendedLifetime(certificates) {
            try TLSReloader(
                TLSConfiguration(
                    certificateChainPath: certificates.server.chainPath,
                    privateKeyPath: certificates.server.keyPath))
        }
    }

    /// Never returns.
    func run() {
        // As `SystemThread` does for the server's loops.
        signal(SIGPIPE, SIG_IGN)
        loop.run(self)
    }

    private final class Acceptor: EventHandler {
        private unowned let echo: EchoLoop

        init(_ echo: EchoLoop) {
            self.echo = echo
        }

        func readable() { echo.accept() }
        func writable() {}
        func broken() {}
    }

    private func accept() {
        guard case .socket(let descriptor, let peer) = socket.accept() else { return }
        SocketOptions.apply(to: descriptor)
        lastSerial += 1
        do {
            let tls = try settings.configuration.tls.map {
                try TLSEngine(context: $0.current, fd: descriptor, through: resources.tlsSocket)
            }
            let connection = Connection(
                serial: lastSerial, descriptor: descriptor, peer: peer, owner: self, tls: tls)
            try connection.start()
            connections[connection.serial] = connection
        } catch {
            close(descriptor)
        }
    }
}

extension EchoLoop: LoopOwner {
    var tickInterval: Milliseconds { TimerWheel<UInt64>.tick }

    func turnEnded() {
        for serial in wheel.advance(to: loop.now) {
            guard let connection = connections[serial] else { continue }
            if connection.timerFired() { connection.arm() }
        }
        while !flushList.isEmpty {
            let list = flushList
            flushList = []
            for connection in list { connection.flush() }
        }
    }
}

extension EchoLoop: ConnectionOwner, ConnectionServices {
    func received(_ connection: Connection, _ companion: ConnectionCompanion, text: UnsafeRawBufferPointer) {
        connection.send(text, opcode: .text)
    }
    func received(_ connection: Connection, _ companion: ConnectionCompanion, binary: UnsafeRawBufferPointer) {
        connection.send(binary, opcode: .binary)
    }
    func needsFlush(_ connection: Connection) { flushList.append(connection) }
    func closed(_ connection: Connection) { connections[connection.serial] = nil }
    func schedule(_ connection: Connection, at deadline: MonotonicTime) {
        wheel.schedule(connection.serial, at: deadline)
    }

    func opened(_ connection: Connection, credentials: Credentials?) -> ConnectionCompanion { ConnectionCompanion() }
    func noteActivity(_ companion: ConnectionCompanion) {}
    func backlogChanged(_ companion: ConnectionCompanion, isBacklogged: Bool) {}
    func ended(_ companion: ConnectionCompanion) {}
    func verify(_ token: String, for connection: Connection) {}
    func note(_ connection: Connection, _ message: @autoclosure () -> String) {}
}
#endif
