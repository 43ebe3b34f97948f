import Testing

@testable import GoHubCore

struct BytesTests {
    /// All lengths around the load sizes, and a difference at each position.
    @Test func bytesAreTheSameUntilOneDiffers() {
        for count in 0...40 {
            let bytes = (0..<count).map { UInt8($0) }
            #expect(areSame(bytes, bytes))
            for place in 0..<count {
                var other = bytes
                other[place] ^= 0x80
                #expect(!areSame(bytes, other), "\(count), \(place)")
            }
        }
    }

    @Test func aZeroByteIsFoundWhereverItIs() {
        for count in 0...40 {
            for filler in [0x01, 0x20, 0x7F, 0x80, 0xFF] as [UInt8] {
                let bytes = [UInt8](repeating: filler, count: count)
                #expect(!bytes.withUnsafeBytes { Bytes.holdNull($0) })
                for place in 0..<count {
                    var other = bytes
                    other[place] = 0
                    #expect(other.withUnsafeBytes { Bytes.holdNull($0) }, "\(count), \(place)")
                }
            }
        }
    }

    private func areSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.withUnsafeBytes { left in
            right.withUnsafeBytes { right in
                guard let one = left.baseAddress, let other = right.baseAddress else { return true }
                return Bytes.areSame(one, other, count: left.count)
            }
        }
    }
}
