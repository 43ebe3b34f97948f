import CGoHubZlib
import Glibc
import GoHubCore
import Testing

@testable import GoHubWire

/// Failed zlib allocations: an error of one message at the most, and no leak or crash.
@Suite struct ZlibMemoryTests {
    private let memory = ZlibMemory()

    @Test func deflaterInitFailureFreesEverything() throws {
        var failed = 0
        // Until it needs fewer allocations than are granted.
        while failed < 100 {
            memory.allocationsLeft = failed
            do throws(WebSocketError) {
                _ = try Deflater(DeflateConfiguration(), memory.stream)
                break
            } catch {
                #expect(error.closeCode == .internalError)
                #expect(memory.blocks == 0, "what had been allocated was freed")
                failed += 1
            }
        }
        #expect((1..<100).contains(failed))
        #expect(memory.blocks == 0)
    }

    @Test func inflaterOutOfMemoryFailsOneMessage() throws {
        memory.allocationsLeft = 0
        #expect(throws: WebSocketError.self) { _ = try Inflater(memory.stream) }
        #expect(memory.blocks == 0)

        // The window is allocated with the first message that needs it.
        let payload = [UInt8](String(repeating: "again and again ", count: 4_000).utf8)
        let compressed = try payload.withUnsafeBytes { bytes in
            var frame: [UInt8] = []
            try Deflater(DeflateConfiguration()).appendFrame(bytes, opcode: .text, to: &frame)
            return ClientFrames.payload(ofServerFrame: frame)
        }
        memory.allocationsLeft = .max
        do {
            let inflater = try Inflater(memory.stream)
            let reader = WebSocketReader.Limits(messageBytesMax: 100_000)
            let frame = ClientFrames.frame(1, compressed, reserved: 4)
            memory.allocationsLeft = 0
            var starved = WebSocketReader(limits: reader, inflater: inflater)
            #expect(starved.outcome(of: [frame]).error == .internalError)
            memory.allocationsLeft = .max
            var next = WebSocketReader(limits: reader, inflater: inflater)
            #expect(next.outcome(of: [frame]) == Outcome(received: [.text(String(decoding: payload, as: UTF8.self))]))
            #expect(memory.blocks > 0)
        }
        #expect(memory.blocks == 0)
    }
}

/// zlib's allocator: it succeeds a number of times, then always fails.
private final class ZlibMemory {
    var allocationsLeft = 0
    private(set) var blocks = 0

    /// Unretained: the test keeps this object for as long as it uses the stream.
    var stream: z_stream {
        var stream = z_stream()
        stream.opaque = Unmanaged.passUnretained(self).toOpaque()
        stream.zalloc = { opaque, count, bytes in
            guard let opaque else { return nil }
            return Unmanaged<ZlibMemory>.fromOpaque(opaque).takeUnretainedValue().allocate(Int(count) * Int(bytes))
        }
        stream.zfree = { opaque, block in
            guard let opaque else { return }
            Unmanaged<ZlibMemory>.fromOpaque(opaque).takeUnretainedValue().free(block)
        }
        return stream
    }

    private func allocate(_ bytes: Int) -> UnsafeMutableRawPointer? {
        guard allocationsLeft > 0 else { return nil }
        allocationsLeft -= 1
        blocks += 1
        return malloc(bytes)
    }

    private func free(_ block: UnsafeMutableRawPointer?) {
        blocks -= 1
        Glibc.free(block)
    }
}
