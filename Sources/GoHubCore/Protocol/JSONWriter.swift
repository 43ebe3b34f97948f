#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Writes one JSON object after another field, straight into bytes.
///
/// Keys are literals of ours and never need escaping; values are escaped by RFC 8259, section 7. `<` and U+2028/2029
/// are left alone: an event is data for a JSON parser, never pasted into a page.
///
/// It writes into memory of its own, which it keeps when it is emptied, so that a loop that uses one writer for all of
/// its events allocates nothing for each. `reserve` comes before every write, with at least what is then written; all
/// access to the memory is in `put`, `copy` and `withBytes`.
struct JSONWriter: ~Copyable {
    private var memory: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0
    private var needsComma = false

    /// Memory above this isn't kept for the next event.
    private static let keptBytesMax = 64 * 1024

    init(capacity: Int = 256) {
        self.capacity = max(capacity, 32)
        memory = .allocate(byteCount: self.capacity, alignment: 8)
    }

    deinit {
        memory.deallocate()
    }

    /// What was written. The pointer is valid during the call.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        body(UnsafeRawBufferPointer(start: memory, count: count))
    }

    var bytes: [UInt8] { withBytes { Array($0) } }

    /// Forgets what was written.
    mutating func removeAll() {
        if capacity > Self.keptBytesMax { self = JSONWriter() }
        count = 0
        needsComma = false
    }

    // MARK: Structure

    mutating func object(_ fields: (inout JSONWriter) -> Void) {
        separate()
        put(UInt8(ascii: "{"))
        needsComma = false
        fields(&self)
        reserve(1)
        put(UInt8(ascii: "}"))
        needsComma = true
    }

    mutating func array<Element>(_ elements: some Sequence<Element>, _ write: (inout JSONWriter, Element) -> Void) {
        reserve(1)
        put(UInt8(ascii: "["))
        needsComma = false
        for element in elements { write(&self, element) }
        reserve(1)
        put(UInt8(ascii: "]"))
        needsComma = true
    }

    @inline(__always)
    mutating func key(_ key: StaticString) {
        reserve(key.utf8CodeUnitCount + 4)
        if needsComma { put(UInt8(ascii: ",")) }
        put(UInt8(ascii: "\""))
        copy(UnsafeRawBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount))
        put(UInt8(ascii: "\""))
        put(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func field(_ key: StaticString, _ value: String) {
        self.key(key)
        string(value)
    }

    mutating func field(_ key: StaticString, _ value: String?) {
        if let value { field(key, value) }
    }

    mutating func field(_ key: StaticString, _ value: some FixedWidthInteger) {
        self.key(key)
        let isNegative = value < 0
        integer(UInt64(clamping: value.magnitude), isNegative: isNegative)
    }

    mutating func field(_ key: StaticString, _ value: Bool) {
        self.key(key)
        literal(value ? "true" : "false")
        needsComma = true
    }

    // MARK: Values

    mutating func string(_ value: String) {
        separate()
        value.withBytes { utf8 in
            reserve(utf8.count + 2)
            put(UInt8(ascii: "\""))
            if let start = utf8.baseAddress { escape(start, utf8.count) }
            reserve(1)
            put(UInt8(ascii: "\""))
        }
        needsComma = true
    }

    private mutating func escape(_ start: UnsafeRawPointer, _ count: Int) {
        var clean = 0
        while true {
            let special = JSONScan.indexOfSpecial(start, from: clean, to: count)
            // An escape takes six bytes at the most.
            reserve(special - clean + 6)
            copy(UnsafeRawBufferPointer(start: start + clean, count: special - clean))
            guard special < count else { return }
            putEscape(start.load(fromByteOffset: special, as: UInt8.self))
            clean = special + 1
        }
    }

    private mutating func putEscape(_ byte: UInt8) {
        put(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): put(byte)
        case 0x0A: put(UInt8(ascii: "n"))
        case 0x0D: put(UInt8(ascii: "r"))
        case 0x09: put(UInt8(ascii: "t"))
        default:
            for digit in [UInt8(ascii: "u"), UInt8(ascii: "0"), UInt8(ascii: "0")] { put(digit) }
            put(Self.hexDigit(byte >> 4))
            put(Self.hexDigit(byte & 15))
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    /// The most digits of a `UInt64`.
    private static let digitsMax = 20

    private mutating func integer(_ value: UInt64, isNegative: Bool) {
        reserve(Self.digitsMax + 1)
        if isNegative { put(UInt8(ascii: "-")) }
        var digits = 1
        var bound: UInt64 = 10
        while digits < Self.digitsMax, value >= bound {
            digits += 1
            // Overflows with the last digit only, when it isn't looked at any more.
            bound = bound &* 10
        }
        var rest = value
        for index in stride(from: count + digits - 1, through: count, by: -1) {
            let digit = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
            // In bounds: `digitsMax` bytes are reserved from `count` on.
            memory.storeBytes(of: digit, toByteOffset: index, as: UInt8.self)
            rest /= 10
        }
        count += digits
        needsComma = true
    }

    private mutating func literal(_ text: StaticString) {
        reserve(text.utf8CodeUnitCount)
        copy(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func separate() {
        reserve(2)
        if needsComma { put(UInt8(ascii: ",")) }
    }

    // MARK: Memory

    /// Makes room for so many more bytes.
    @inline(__always)
    private mutating func reserve(_ bytes: Int) {
        if capacity - count < bytes { grow(bytes) }
    }

    @inline(never)
    private mutating func grow(_ bytes: Int) {
        let larger = max(2 * capacity, count + bytes)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 8)
        // `count` bytes are written, and fit: `larger` is above `count`.
        moved.copyMemory(from: memory, byteCount: count)
        memory.deallocate()
        (memory, capacity) = (moved, larger)
    }

    /// Room for it is reserved.
    @inline(__always)
    private mutating func put(_ byte: UInt8) {
        assert(count < capacity)
        memory.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    /// Room for them is reserved. They are another's bytes, never this writer's own.
    @inline(__always)
    private mutating func copy(_ bytes: UnsafeRawBufferPointer) {
        assert(bytes.count <= capacity - count)
        guard let start = bytes.baseAddress else { return }
        memcpy(memory + count, start, bytes.count)
        count &+= bytes.count
    }
}
