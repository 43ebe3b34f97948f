/// Reads the fields of a frame one after the other. Every read checks that its bytes are there.
struct FrameReader {
    /// Valid for the reader's life, which is inside the scope of the frame's bytes.
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private let limits: FrameLimits

    init(_ bytes: UnsafeRawBufferPointer, limits: FrameLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    /// Whether nothing is left. New fields may follow in frames of later versions.
    var isAtEnd: Bool { position == bytes.count }
    private var left: Int { bytes.count - position }

    mutating func byte() throws(FrameError) -> UInt8 {
        guard left >= 1 else { throw .malformed }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func fixed() throws(FrameError) -> UInt64 {
        guard left >= 8 else { throw .malformed }
        defer { position += 8 }
        return UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
    }

    mutating func number() throws(FrameError) -> UInt64 {
        var number: UInt64 = 0
        for shift in stride(from: 0 as UInt64, to: 64, by: 7) {
            let byte = try byte()
            let part = UInt64(byte & 0x7F)
            // The tenth byte has only the highest bit of the number.
            guard shift < 63 || part <= 1 else { throw .malformed }
            number |= part << shift
            if byte < 0x80 {
                // A zero at the end would be another spelling of a shorter one.
                guard byte != 0 || shift == 0 else { throw .malformed }
                return number
            }
        }
        throw .malformed
    }

    /// A number that is at most `max`.
    mutating func count(max: Int) throws(FrameError) -> Int {
        let number = try number()
        guard number <= UInt64(clamping: max) else { throw .malformed }
        return Int(number)
    }

    mutating func signed() throws(FrameError) -> Int64 {
        let number = try number()
        return Int64(bitPattern: number >> 1) ^ -Int64(bitPattern: number & 1)
    }

    mutating func flag() throws(FrameError) -> Bool {
        switch try byte() {
        case 0: return false
        case 1: return true
        default: throw .malformed
        }
    }

    /// Valid UTF-8.
    mutating func text(bytesMax: Int) throws(FrameError) -> String {
        let count = try count(max: min(bytesMax, left))
        guard count <= left else { throw .malformed }
        defer { position += count }
        let slice = UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
        guard let text = String(validating: slice, as: UTF8.self) else { throw .malformed }
        return text
    }

    /// A text that makes a value, such as a user's id.
    mutating func named<Value>(bytesMax: Int, _ make: (String) -> Value?) throws(FrameError) -> Value {
        guard let value = make(try text(bytesMax: bytesMax)) else { throw .malformed }
        return value
    }

    mutating func optional<Value>(
        _ read: (inout FrameReader) throws(FrameError) -> Value
    ) throws(FrameError) -> Value? {
        try flag() ? try read(&self) : nil
    }

    mutating func list<Element>(
        _ read: (inout FrameReader) throws(FrameError) -> Element
    ) throws(FrameError) -> [Element] {
        // Each element has a byte at least, so that a short frame can't announce a long list.
        let count = try count(max: min(limits.elementsMax, left))
        var elements: [Element] = []
        for _ in 0..<count { elements.append(try read(&self)) }
        return elements
    }

    /// Fields with their length before them; what `read` leaves is passed over.
    mutating func group<Value>(
        _ read: (inout FrameReader) throws(FrameError) -> Value
    ) throws(FrameError) -> Value {
        let count = try count(max: left)
        guard count <= left else { throw .malformed }
        var inner = FrameReader(UnsafeRawBufferPointer(rebasing: bytes[position..<position + count]), limits: limits)
        let value = try read(&inner)
        position += count
        return value
    }

    var textBytesMax: Int { limits.textBytesMax }
    var nameBytesMax: Int { limits.nameBytesMax }
}
