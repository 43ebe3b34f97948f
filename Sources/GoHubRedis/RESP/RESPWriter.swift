/// The commands of one connection on their way to the server: arrays of bulk strings, one after the other.
///
/// The shell sends from the writer's memory, so that a command's bytes are copied once, into it.
package struct RESPWriter: Sendable {
    private var storage: [UInt8] = []
    /// The first byte that isn't sent.
    private var start = 0

    package init() {}

    /// The number of bytes that aren't sent.
    package var count: Int { storage.count - start }
    package var isEmpty: Bool { count == 0 }

    // MARK: Sending

    /// Lends the bytes that aren't sent.
    package func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let start = start
        return try storage.withUnsafeBufferPointer { (bytes) throws(Failure) -> Result in
            try body(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[start...])))
        }
    }

    /// Forgets bytes that are sent.
    package mutating func removeFirst(_ count: Int) {
        precondition((0...self.count).contains(count), "more was sent than there was")
        start += count
        if start == storage.count {
            storage.removeAll(keepingCapacity: storage.capacity <= Self.keptBytesMax)
            start = 0
        } else if start >= Self.keptBytesMax, start >= storage.count / 2 {
            // At least as much is removed as is moved.
            storage.removeFirst(start)
            start = 0
        }
    }

    /// Bytes of memory that are kept for later, and bytes that are sent before the rest is moved.
    private static let keptBytesMax = 256 * 1024

    // MARK: Commands

    /// Begins a command.
    ///
    /// - Parameter count: its name and its arguments, each of which must be written next.
    package mutating func command(_ count: Int) {
        header(UInt8(ascii: "*"), count)
    }

    /// A whole command.
    package mutating func command(_ words: String...) {
        command(words.count)
        for word in words { bulk(word) }
    }

    package mutating func bulk(_ text: StaticString) {
        header(UInt8(ascii: "$"), text.utf8CodeUnitCount)
        text.withUTF8Buffer { storage.append(contentsOf: $0) }
        end()
    }

    package mutating func bulk(_ text: String) {
        header(UInt8(ascii: "$"), text.utf8.count)
        storage.append(contentsOf: text.utf8)
        end()
    }

    package mutating func bulk(_ bytes: [UInt8]) {
        header(UInt8(ascii: "$"), bytes.count)
        storage += bytes
        end()
    }

    package mutating func bulk(_ bytes: UnsafeRawBufferPointer) {
        header(UInt8(ascii: "$"), bytes.count)
        storage.append(contentsOf: bytes)
        end()
    }

    private mutating func header(_ type: UInt8, _ count: Int) {
        storage.append(type)
        decimal(count)
        end()
    }

    private mutating func end() {
        storage.append(UInt8(ascii: "\r"))
        storage.append(UInt8(ascii: "\n"))
    }

    /// Without a string for each number.
    private mutating func decimal(_ count: Int) {
        var divisor = 1
        while count / divisor >= 10 { divisor *= 10 }
        var rest = count
        while divisor > 0 {
            storage.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / divisor))
            rest %= divisor
            divisor /= 10
        }
    }
}

// The bytes of AUTH are a password.
extension RESPWriter: CustomStringConvertible, CustomReflectable {
    package var description: String { "RESPWriter (\(count) bytes)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
