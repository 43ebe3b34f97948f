import GoHubCore
import NIOCore
import NIOHTTP1
import NIOWebSocket
import Testing

@testable import NIOChat

/// The example, over real sockets.
@Suite(.timeLimit(.minutes(10))) struct ChatServerTests {
    @Test func twoClientsChat() async throws {
        try await withServer { port in
            try await withClient(port) { alice in
                try await alice.join("lobby", as: "alice")
                try await withClient(port) { bob in
                    try await bob.join("lobby", as: "bob")
                    try await alice.send(#"{"op":"send","id":"1","room":"lobby","text":"hello"}"#)
                    let heard = try await bob.expect("message")
                    #expect(heard.contains(#""from":"alice""#))
                    #expect(heard.contains(#""text":"hello""#))
                    try await bob.send(#"{"op":"send","id":"1","room":"lobby","text":"hi"}"#)
                    #expect(try await alice.expect("message").contains(#""text":"hello""#))
                    #expect(try await alice.expect("message").contains(#""text":"hi""#))
                }
            }
        }
    }

    @Test func aMessageMayComeInFragments() async throws {
        try await withServer { port in
            try await withClient(port) { alice in
                try await alice.send(.text, isFinal: false, ByteBuffer(string: #"{"op":"hello","#))
                try await alice.send(.ping, ByteBuffer(string: "still here?"))
                #expect(try await alice.expect(.pong) == ByteBuffer(string: "still here?"))
                try await alice.send(.continuation, ByteBuffer(string: #""user":"alice"}"#))
                #expect(try await alice.expect("welcome").contains(#""user":"alice""#))
            }
        }
    }

    @Test func whatIsNoTextIsClosedWithTheReason() async throws {
        try await withServer { port in
            try await withClient(port) { client in
                try await client.send(.binary, ByteBuffer(string: "{}"))
                #expect(try await client.expectClose() == 1003)
            }
            try await withClient(port) { client in
                try await client.send(.text, ByteBuffer(bytes: [0xC0, 0x80]))
                #expect(try await client.expectClose() == 1007)
            }
        }
    }

    @Test func theHubClosesWhomItDoesNotKnow() async throws {
        try await withServer(Hub()) { port in
            try await withClient(port) { client in
                try await client.send(#"{"op":"hello","user":"mallory"}"#)
                #expect(try await client.expect("error").contains("Hello needs a token."))
                #expect(try await client.expectClose() == 4501)
            }
        }
    }

    @Test func aClientThatDoesNotReadIsDroppedAndTheOthersGoOn() async throws {
        var limits = Limits()
        (limits.pageBytesMax, limits.queueBytesMax, limits.queueWatermarkBytes) = (8 * 1024, 160 * 1024, 32 * 1024)
        limits.filesPerMessageMax = 1
        #expect(limits.contradictions() == [])
        let context = SessionContext(limits: limits, authentication: .development, limiter: RateLimiter(.unlimited))
        try await withServer(Hub(context: context), closeTimeout: .seconds(1)) { port in
            try await withClient(port) { alice in
                try await alice.join("lobby", as: "alice")
                try await withClient(port) { sleeper in
                    try await sleeper.join("lobby", as: "sleeper")
                    // Until Alice knows of them, the hub need not report their end to her: her own join may be reported
                    // first.
                    var presence = ""
                    while !presence.contains("sleeper") { presence = try await alice.expect("presence") }
                    // The kernel's buffers hold an unknown amount on top of the outbox, so the number is not known.
                    let text = String(repeating: "z", count: limits.textBytesMax)
                    var event = ""
                    while !event.contains(#""left":["sleeper"]"#) {
                        try await alice.send(
                            #"{"op":"send","id":"1","room":"lobby","text":"\#(text)","ephemeral":true}"#)
                        event = try await alice.expect("ack", "presence")
                    }
                    try await sleeper.expectEnd()
                }
                try await alice.send(#"{"op":"who","id":"2","room":"lobby"}"#)
                #expect(try await alice.expect("members").contains(#""count":1"#))
            }
        }
    }

    @Test(arguments: ["http://evil.example", "null"]) func aForeignPageIsRefused(origin: String) async throws {
        try await withServer { port in
            await #expect(throws: (any Error).self) {
                try await withClient(port, fields: ["Origin": origin]) { _ in }
            }
            try await withClient(port, fields: ["Origin": "http://127.0.0.1:\(port)"]) { client in
                try await client.join("lobby", as: "alice")
            }
        }
    }

    @Test func theSubprotocolIsConfirmedOrTheHandshakeRefused() async throws {
        try await withServer { port in
            let offer = "chat, gohub.v1"
            try await withClient(port, fields: ["Sec-WebSocket-Protocol": offer]) { client in
                #expect(client.response.headers["Sec-WebSocket-Protocol"] == ["gohub.v1"])
            }
            await #expect(throws: (any Error).self) {
                try await withClient(port, fields: ["Sec-WebSocket-Protocol": "chat"]) { _ in }
            }
        }
    }
}
