import GoHubCore

/// A chat server in one process: `swift run --package-path Examples NIOChat`, then talk to ws://127.0.0.1:8081/v1/ws.
@main struct NIOChat {
    static func main() async throws {
        // In development mode everybody is who they say they are, so only this machine may connect. A real server hands
        // the hub a `TokenVerifier`, or gives `attach` the credentials of whom it has logged in already.
        let hub = Hub(context: SessionContext(authentication: .development))
        let server = ChatServer(hub: hub)
        let listener = try await server.listen(host: "127.0.0.1", port: 8081)
        print("listening on ws://127.0.0.1:8081/v1/ws")
        try await server.serve(listener)
    }
}
