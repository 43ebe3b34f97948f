import GoHubCore
import GoHubWire
import Logging

/// A whole server on a loopback port of the system's choice, with one event loop. The clients run on the thread of the
/// case, one after the other, and block, so that the loop finds the same work in the same order each time.
///
/// No timer fires within a run. Otherwise, presence would come at a different message in each run.
private func withServer(_ body: (UInt16) throws -> Void) async throws {
    guard let address = ListenAddress("127.0.0.1:0") else { throw Failure("no address") }
    var configuration = ServerConfiguration(listen: address)
    configuration.loops = 1
    configuration.headTimeout = .seconds(600)
    var limits = Limits()
    limits.presenceDelay = .seconds(3_600)
    limits.heartbeat = .seconds(3_600)
    let context = SessionContext(limits: limits, authentication: .development, limiter: Fixed.limiter)
    let server = HubServer(
        configuration, context: context, store: Fixed.store, verifier: nil, logger: Logger(label: "instructions"))
    try server.start()
    let result = Result { try body(server.port) }
    await server.stop()
    try result.get()
}

extension Case {
    func wireMessages(_ times: Int, members: Int, textBytes: Int) async throws {
        let text = String(repeating: "x", count: textBytes)
        let frames = (0..<Case.timesMax).map { WireClient.frame(Fixed.send($0, text: text)) }
        try await withServer { port in
            let (welcome, joined) = ([WireClient.Kind("welcome")], [WireClient.Kind("joined")])
            let ack = WireClient.Kind("ack"), message = WireClient.Kind("message")
            var clients: [WireClient] = []
            defer { for client in clients { client.close() } }
            for number in 0..<members {
                let client = try WireClient(port: port)
                clients.append(client)
                try client.upgrade()
                try client.send(WireClient.frame(#"{"op":"hello","user":"u\#(number)","device":"d"}"#))
                try client.receive(welcome)
                try client.send(WireClient.frame(Fixed.join))
                try client.receive(joined)
            }
            for frame in frames.prefix(times) {
                try clients[0].send(frame)
                try clients[0].receive([ack, message])
                for client in clients.dropFirst() { try client.receive([message]) }
            }
        }
    }

    func handshakes(_ times: Int) async throws {
        try await withServer { port in
            for _ in 0..<times {
                let client = try WireClient(port: port)
                defer { client.close() }
                try client.upgrade()
                try client.end()
            }
        }
    }
}
