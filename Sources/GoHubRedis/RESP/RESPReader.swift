/// The replies of one connection, parsed where they were received.
///
/// The shell receives into memory of the reader, and the caller reads a reply there: a message of the bus isn't copied
/// on its way. Only the part of a reply at the end of the memory is moved to its beginning.
package struct RESPReader: Sendable {
    private let limits: RESPLimits
    private var storage: [UInt8]
    /// The bytes of the current reply and of what follows it: `storage[start..<end]`.
    private var start = 0
    private var end = 0
    private var parser: RESPParser

    /// - Parameter limits: consistent ones: `contradictions` finds none.
    package init(limits: RESPLimits = RESPLimits()) {
        self.limits = limits
        storage = Array(repeating: 0, count: limits.bufferBytes)
        parser = RESPParser(limits: limits)
    }

    /// The number of bytes that were received and are not read, with those of the current reply.
    package var bufferedBytes: Int { end - start }

    // MARK: Receiving

    /// Lends free memory to receive into; at least 1 byte, usually much more.
    ///
    /// Call `next` until it is false before receiving again: otherwise the memory grows with what isn't read.
    ///
    /// - Parameter body: returns the number of bytes that it has written to the beginning of the memory.
    /// - Returns: the same number.
    @discardableResult
    package mutating func receive<Failure: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        makeSpace()
        let end = end
        let count = try storage.withUnsafeMutableBufferPointer { (memory) throws(Failure) -> Int in
            let free = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(memory)[end...])
            let count = try body(free)
            precondition((0...free.count).contains(count), "more was received than there was memory for")
            return count
        }
        self.end += count
        return count
    }

    /// Receives bytes that are elsewhere already.
    package mutating func append(_ bytes: some Collection<UInt8>) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = receive { (memory: UnsafeMutableRawBufferPointer) in
                let part = rest.prefix(memory.count)
                memory.copyBytes(from: part)
                return part.count
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Makes sure that there is free memory after `end`: as much as the current reply is known to need.
    private mutating func makeSpace() {
        let kept = end - start
        let needed = max(limits.bufferBytes / 16, parser.isComplete ? 1 : parser.missing(of: kept))
        if kept == 0 {
            (start, end) = (0, 0)
            // A long reply is over.
            if storage.count > limits.bufferBytes { storage = Array(repeating: 0, count: limits.bufferBytes) }
        }
        guard storage.count - end < needed else { return }
        // Doubled, so that a reply that arrives in small parts isn't moved again and again.
        let count = storage.count - kept < needed ? max(storage.count * 2, kept + needed) : storage.count
        if count > storage.count {
            var grown: [UInt8] = []
            grown.reserveCapacity(count)
            grown += storage[start..<end]
            grown += repeatElement(0, count: count - kept)
            storage = grown
        } else {
            let (start, end) = (start, end)
            storage.withUnsafeMutableBytes { memory in
                // Both ranges are inside the memory, and may overlap: `copyMemory` allows it.
                memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[start..<end]))
            }
        }
        (start, end) = (0, kept)
    }

    // MARK: Replies

    /// Proceeds to the next reply. The previous one, with all places of its tokens, is over.
    ///
    /// After an error the stream is lost: the reader must not be used again.
    ///
    /// - Returns: false when the next reply is incomplete.
    package mutating func next() throws(RESPError) -> Bool {
        if parser.isComplete {
            start += parser.position
            parser.reset()
        }
        guard start < end else { return false }
        return try Self.parse(storage, start..<end, &parser)
    }

    /// Static, because the parser changes while the storage is lent.
    private static func parse(
        _ storage: [UInt8], _ range: Range<Int>, _ parser: inout RESPParser
    ) throws(RESPError) -> Bool {
        try storage.withUnsafeBufferPointer { (bytes) throws(RESPError) -> Bool in
            try parser.parse(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[range])))
        }
    }

    /// The values of the current reply; at least one after `next` was true.
    package var tokens: [RESPToken] { parser.tokens }

    /// Lends the bytes of a value of the current reply.
    ///
    /// - Parameter place: from one of `tokens`.
    package func withBytes<Result, Failure: Error>(
        _ place: Range<Int>, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let range = start + place.lowerBound..<start + place.upperBound
        return try storage.withUnsafeBufferPointer { (bytes) throws(Failure) -> Result in
            try body(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[range])))
        }
    }

    /// Copies the bytes of a value of the current reply.
    package func bytes(_ place: Range<Int>) -> [UInt8] {
        Array(storage[start + place.lowerBound..<start + place.upperBound])
    }

    /// Whether a value of the current reply has these bytes.
    package func equals(_ place: Range<Int>, _ text: StaticString) -> Bool {
        guard place.count == text.utf8CodeUnitCount else { return false }
        return withBytes(place) { bytes in
            text.withUTF8Buffer { bytes.elementsEqual($0) }
        }
    }

    /// The current reply as a tree.
    package var value: RESPValue {
        var rest = tokens[...]
        return value(&rest)
    }

    /// As deep as the arrays are, which is bounded.
    private func value(_ rest: inout ArraySlice<RESPToken>) -> RESPValue {
        switch rest.popFirst() {
        case .simple(let place): .simple(bytes(place))
        case .error(let place): .error(bytes(place))
        case .integer(let number): .integer(number)
        case .bulk(let place): .bulk(bytes(place))
        case .array(let count): .array((0..<count).map { _ in value(&rest) })
        case .null, nil: .null
        }
    }
}

// Received bytes may be anybody's.
extension RESPReader: CustomStringConvertible, CustomReflectable {
    package var description: String { "RESPReader (\(end - start) bytes)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
