/// Writes the fields of one JSON object directly into bytes.
///
/// Keys are literals of this module and never need escaping; values are escaped by RFC 8259, section 7. `<` and
/// U+2028/2029 are not escaped: an event is data for a JSON parser and never part of a page.
///
/// The writer keeps its memory when it is emptied, so that a loop that reuses one writer allocates nothing per event.
/// `reserve` precedes every write with at least the written size; all memory access is in `put`, `copy` and
/// `withBytes`.
struct JSONWriter: ~Copyable {
    private var memory: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0
    private var needsComma = false

    /// Memory above this size isn't kept for the next event.
    private static let keptBytesMax = 64 * 1024

    init(capacity: Int = 256) {
        self.capacity = max(capacity, 32)
        memory = .allocate(byteCount: self.capacity, alignment: 8)
    }

    deinit {
        memory.deallocate()
    }

    /// The written bytes. The pointer is valid during the call.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        body(UnsafeRawBufferPointer(start: memory, count: count))
    }

    var bytes: [UInt8] { withBytes { Array($0) } }

    /// Discards the written bytes.
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

    mutating func key(_ key: StaticString) {
        reserve(key.utf8CodeUnitCount + 4)
        putKey(key)
    }

    mutating func field(_ key: StaticString, _ value: String) {
        reserve(key.utf8CodeUnitCount + 4)
        putKey(key)
        quote(value)
    }

    mutating func field(_ key: StaticString, _ value: String?) {
        if let value { field(key, value) }
    }

    @inline(__always)
    mutating func field(_ key: StaticString, _ value: some FixedWidthInteger) {
        field(key, magnitude: UInt64(clamping: value.magnitude), isNegative: value < 0)
    }

    mutating func field(_ key: StaticString, _ value: Bool) {
        self.key(key)
        literal(value ? "true" : "false")
        needsComma = true
    }

    private mutating func field(_ key: StaticString, magnitude: UInt64, isNegative: Bool) {
        reserve(key.utf8CodeUnitCount + 4 + 2 * Self.digitsMax + 1)
        putKey(key)
        if isNegative { put(UInt8(ascii: "-")) }
        putDigits(magnitude)
        needsComma = true
    }

    /// The caller has reserved the space.
    @inline(__always)
    private mutating func putKey(_ key: StaticString) {
        assert(key.utf8CodeUnitCount + 4 <= capacity - count)
        // One moving pointer, because `count` would be written back for each byte.
        var place = memory + count
        if needsComma {
            place.storeBytes(of: UInt8(ascii: ","), as: UInt8.self)
            place += 1
        }
        place.storeBytes(of: UInt8(ascii: "\""), as: UInt8.self)
        place += 1
        place.copyMemory(from: key.utf8Start, byteCount: key.utf8CodeUnitCount)
        place += key.utf8CodeUnitCount
        // `":`
        place.storeBytes(of: UInt16(littleEndian: 0x3A22), as: UInt16.self)
        count = place + 2 - memory
        needsComma = false
    }

    // MARK: Text as it is

    /// Writes a literal piece of JSON, used for frequent events. Only `text` may follow, up to the end.
    ///
    /// Inlined, because copying a literal takes a few instructions where its length is known.
    @inline(__always)
    mutating func text(_ literal: StaticString) {
        reserve(literal.utf8CodeUnitCount)
        copy(UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// Writes a literal and a string.
    @inline(__always)
    mutating func text(_ literal: StaticString, _ value: String) {
        text(literal)
        quote(value)
    }

    /// Writes a literal and a number.
    @inline(__always)
    mutating func text(_ literal: StaticString, _ value: some FixedWidthInteger) {
        text(literal)
        number(UInt64(clamping: value.magnitude), isNegative: value < 0)
    }

    private mutating func number(_ magnitude: UInt64, isNegative: Bool) {
        reserve(2 * Self.digitsMax + 1)
        if isNegative { put(UInt8(ascii: "-")) }
        putDigits(magnitude)
    }

    // MARK: Values

    mutating func string(_ value: String) {
        separate()
        quote(value)
    }

    @inline(__always)
    private mutating func quote(_ value: String) {
        value.withBytesOfSpan { quote($0) }
    }

    private mutating func quote(_ utf8: UnsafeRawBufferPointer) {
        // The two quotes, and the bytes stored behind the text before its end is known.
        reserve(utf8.count + 2 + 8)
        let target = memory + count
        target.storeBytes(of: UInt8(ascii: "\""), as: UInt8.self)
        needsComma = true
        let clean = utf8.baseAddress.map { Self.copyClean(from: $0, utf8.count, to: target + 1) } ?? 0
        guard clean == utf8.count else {
            count &+= 1 &+ clean
            if let start = utf8.baseAddress { escape(start, from: clean, utf8.count) }
            reserve(1)
            return put(UInt8(ascii: "\""))
        }
        target.storeBytes(of: UInt8(ascii: "\""), toByteOffset: 1 &+ clean, as: UInt8.self)
        count &+= 2 &+ clean
    }

    /// Copies up to the first byte that must be escaped, eight bytes at a time.
    ///
    /// - Parameter target: has space for seven bytes more than the source.
    /// - Returns: the number of bytes copied.
    @inline(__always)
    private static func copyClean(
        from start: UnsafeRawPointer, _ length: Int, to target: UnsafeMutableRawPointer
    ) -> Int {
        var index = 0
        while index < length {
            // Inside the text, as `word` says; the target has space for eight bytes from each index in it.
            let word = JSONScan.word(start, at: index, of: length)
            target.storeBytes(of: word.littleEndian, toByteOffset: index, as: UInt64.self)
            let special = JSONScan.firstSpecial(in: word)
            guard special == 8 else { return index &+ special }
            index &+= 8
            // A longer text continues in steps of sixteen bytes.
            while index &+ 16 <= length {
                let words = start.loadUnaligned(fromByteOffset: index, as: SIMD2<UInt64>.self)
                guard JSONScan.isClean(words) else { break }
                target.storeBytes(of: words, toByteOffset: index, as: SIMD2<UInt64>.self)
                index &+= 16
            }
        }
        return length
    }

    private mutating func escape(_ start: UnsafeRawPointer, from index: Int, _ count: Int) {
        var clean = index
        while true {
            let special = JSONScan.indexOfSpecial(start, from: clean, to: count)
            // An escape takes at most six bytes.
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

    /// The maximum number of digits of a `UInt64`.
    private static let digitsMax = 20
    /// 00 to 99.
    private static let digitPairs: StaticString = """
        0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
        5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899
        """

    /// Writes from the last digit to the first, which then gives the number's position. Twice `digitsMax` is reserved.
    private mutating func putDigits(_ value: UInt64) {
        assert(2 * Self.digitsMax <= capacity - count)
        let end = memory + count + 2 * Self.digitsMax
        var start = end
        var rest = value
        while rest >= 10 {
            start -= 2
            // Inside the table's 200 bytes: a pair of 0 to 99.
            let pair = UnsafeRawPointer(Self.digitPairs.utf8Start) + 2 * Int(truncatingIfNeeded: rest % 100)
            start.storeBytes(of: pair.loadUnaligned(as: UInt16.self), as: UInt16.self)
            rest /= 100
        }
        // One digit is left of an odd number of digits, none of an even number.
        if rest > 0 || value == 0 {
            start -= 1
            start.storeBytes(of: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest), as: UInt8.self)
        }
        let digits = end - start
        // At most `digitsMax` digits, so the two ranges don't overlap.
        (memory + count).copyMemory(from: start, byteCount: digits)
        count &+= digits
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

    /// Makes space for this many more bytes.
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

    /// The caller has reserved the space.
    @inline(__always)
    private mutating func put(_ byte: UInt8) {
        assert(count < capacity)
        memory.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    /// The caller has reserved the space. The bytes never belong to this writer.
    @inline(__always)
    private mutating func copy(_ bytes: UnsafeRawBufferPointer) {
        assert(bytes.count <= capacity - count)
        guard let start = bytes.baseAddress else { return }
        (memory + count).copyMemory(from: start, byteCount: bytes.count)
        count &+= bytes.count
    }
}
