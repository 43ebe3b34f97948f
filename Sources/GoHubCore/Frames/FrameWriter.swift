/// Writes the fields of a frame one after the other.
struct FrameWriter {
    private(set) var bytes: [UInt8] = []

    /// Keeps the memory for the next frame.
    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

    mutating func byte(_ byte: UInt8) { bytes.append(byte) }

    /// Eight bytes, the highest first.
    mutating func fixed(_ number: UInt64) {
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }

    /// LEB128: seven bits a byte, the lowest first, in as few bytes as possible.
    mutating func number(_ number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// Counts are never negative; a negative one would be a bug, and is written as 0.
    mutating func number(_ number: Int) { self.number(UInt64(clamping: number)) }

    /// Zigzag: small numbers of either sign are short.
    mutating func signed(_ number: Int64) {
        self.number(UInt64(bitPattern: number << 1 ^ number >> 63))
    }

    mutating func flag(_ flag: Bool) { byte(flag ? 1 : 0) }

    mutating func text(_ text: String) {
        number(text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    mutating func optional<Value>(_ value: Value?, _ write: (inout FrameWriter, Value) -> Void) {
        flag(value != nil)
        if let value { write(&self, value) }
    }

    mutating func list<Element>(_ elements: some Collection<Element>, _ write: (inout FrameWriter, Element) -> Void) {
        number(elements.count)
        for element in elements { write(&self, element) }
    }

    /// Fields with their length before them, so that older readers can pass over new ones.
    mutating func group(_ write: (inout FrameWriter) -> Void) {
        var place = bytes.count
        byte(0)
        write(&self)
        // One byte was left for the length. A longer one, which is rare, moves the fields.
        var rest = bytes.count - place - 1
        while rest >= 0x80 {
            bytes[place] = UInt8(truncatingIfNeeded: rest) | 0x80
            rest >>= 7
            place += 1
            bytes.insert(0, at: place)
        }
        bytes[place] = UInt8(truncatingIfNeeded: rest)
    }
}
