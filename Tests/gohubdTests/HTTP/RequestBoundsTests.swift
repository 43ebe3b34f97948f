import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import gohubd

@Suite struct RequestBoundsTests {
    /// The limits around NIO's decoder, as set by `TunnelChannel`. The decoder's own limits are out of reach.
    private func makeChannel(fileBytesMax: UInt64? = 1_000_000) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        let bounds = RequestBounds.makeHandlers(fileBytesMax: fileBytesMax)
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(bounds.beforeDecoder)
        try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false, withErrorHandling: false)
        let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
        try pipeline.addHandler(bounds.afterDecoder, position: .after(decoder))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    /// Many small fields, each within the limit.
    private func head(bytes: Int, method: String = "GET", extra: String = "") -> String {
        var head = "\(method) / HTTP/1.1\r\n\(extra)"
        var index = 0
        while head.utf8.count < bytes - 260 {
            head += "x-\(index): \(String(repeating: "a", count: 200))\r\n"
            index += 1
        }
        return head + "y: " + String(repeating: "b", count: max(0, bytes - head.utf8.count - 7)) + "\r\n\r\n"
    }

    /// The decoder's error on a truncated connection doesn't matter.
    private func feed(_ channel: EmbeddedChannel, _ text: String) {
        _ = try? channel.writeInbound(ByteBuffer(string: text))
    }

    private func heads(in channel: EmbeddedChannel) throws -> Int {
        var count = 0
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
            if case .head = part { count += 1 }
        }
        return count
    }

    private func sent(by channel: EmbeddedChannel) throws -> String {
        var text = ""
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { text += String(buffer: buffer) }
        return text
    }

    @Test func aHeadUpToTheBoundPasses() throws {
        let channel = try makeChannel()
        let head = head(bytes: RequestBounds.headBytesMax)
        #expect(head.utf8.count == RequestBounds.headBytesMax)
        try channel.writeInbound(ByteBuffer(string: head))
        #expect(try heads(in: channel) == 1)
        #expect(channel.isActive)
    }

    @Test(arguments: [1, 100, 2048, 100_000])
    func aHeadAboveTheBoundIsAnsweredAndTheConnectionClosed(pieceBytes: Int) throws {
        let channel = try makeChannel()
        let bytes = Array(head(bytes: 2 * RequestBounds.headBytesMax).utf8)
        var index = 0
        while index < bytes.count, channel.isActive {
            let end = min(index + pieceBytes, bytes.count)
            feed(channel, String(decoding: bytes[index..<end], as: UTF8.self))
            index = end
        }
        #expect(!channel.isActive)
        #expect(try heads(in: channel) == 0)
        #expect(try sent(by: channel).hasPrefix("HTTP/1.1 431 "))
        #expect(index <= RequestBounds.headBytesMax + max(pieceBytes, 2048))
    }

    @Test func endlessHeadIsAborted() throws {
        let channel = try makeChannel()
        var fed = 0
        while channel.isActive, fed < 1_000_000 {
            feed(channel, fed == 0 ? "GET / HTTP/1.1\r\nx: " : String(repeating: "a", count: 100))
            fed += 100
        }
        #expect(!channel.isActive)
        #expect(fed < RequestBounds.headBytesMax + 2_000)
    }

    @Test func aBodyHasABoundOfItsOwn() throws {
        let channel = try makeChannel()
        let length = RequestBounds.bodyBytesMax
        let head = head(bytes: RequestBounds.headBytesMax - 100, method: "POST", extra: "content-length: \(length)\r\n")
        try channel.writeInbound(ByteBuffer(string: head + String(repeating: "b", count: length)))
        #expect(channel.isActive)
        #expect(try heads(in: channel) == 1)
        // The next request on the connection starts with fresh limits.
        try channel.writeInbound(ByteBuffer(string: self.head(bytes: RequestBounds.headBytesMax - 100)))
        #expect(channel.isActive)
        #expect(try heads(in: channel) == 1)
    }

    @Test func endlessBodyIsAbortedSilently() throws {
        let channel = try makeChannel()
        try channel.writeInbound(ByteBuffer(string: "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"))
        var fed = 0
        while channel.isActive, fed < 10_000_000 {
            feed(channel, "1000\r\n" + String(repeating: "c", count: 4096) + "\r\n")
            fed += 4096
        }
        #expect(!channel.isActive)
        #expect(fed <= RequestBounds.bodyBytesMax + 4096)
        #expect(try sent(by: channel).isEmpty)
    }

    @Test(
        arguments: [
            ("POST", "/v1/files?room=lobby", true), ("PATCH", "/v1/uploads/abc", true), ("PATCH", "/v1/files", false),
            ("POST", "/v1/files/", false), ("POST", "/v1/filesX", false), ("POST", "/v1/uploads/abc", false),
            ("PATCH", "/v1/uploads/", false), ("PATCH", "/v1/uploads/a/b", false), ("PUT", "/v1/uploads/abc", false),
        ] as [(String, String, Bool)])
    func onlyUploadsMayBeLarge(method: String, path: String, isUpload: Bool) throws {
        let length = 2 * RequestBounds.bodyBytesMax
        let request =
            "\(method) \(path) HTTP/1.1\r\nhost: a\r\ncontent-length: \(length)\r\n\r\n"
            + String(repeating: "b", count: length)
        let channel = try makeChannel()
        feed(channel, request)
        #expect(channel.isActive == isUpload)
        // Where there are no files, nothing is.
        let other = try makeChannel(fileBytesMax: nil)
        feed(other, request)
        #expect(!other.isActive)
    }

    @Test func aRefusalIsNotWrittenIntoAnotherAnswer() throws {
        let channel = try makeChannel()
        try channel.writeInbound(ByteBuffer(string: "GET / HTTP/1.1\r\nhost: a\r\n\r\n"))
        // Unanswered when the next head arrives and is too long.
        feed(channel, head(bytes: 2 * RequestBounds.headBytesMax))
        #expect(!channel.isActive)
        #expect(try sent(by: channel).isEmpty)
    }

    @Test func manySmallRequestsPass() throws {
        let channel = try makeChannel()
        let request = "GET / HTTP/1.1\r\nhost: a\r\n\r\n"
        for _ in 0..<2_000 { try channel.writeInbound(ByteBuffer(string: request)) }
        #expect(channel.isActive)
        #expect(try heads(in: channel) == 2_000)
    }
}
