import GoHubCore

/// A chat server in one process: `swift run --package-path Examples NIOChat`, then connect to
/// ws://127.0.0.1:8081/v1/ws.
@main struct NIOChat {
    static func main() async throws {
        // In development mode users may claim any name, so only this machine may connect. A production server gives the
        // hub a `TokenVerifier`, or passes the credentials of a user that it has authenticated to `attach`.
        let hub = Hub(context: SessionContext(authentication: .development))
        let server = ChatServer(hub: hub)
        let listener = try await server.listen(host: "127.0.0.1", port: 8081)
        print("listening on ws://127.0.0.1:8081/v1/ws")
        try await server.serve(listener)
    }
}
