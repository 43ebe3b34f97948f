@testable import GoHubCore

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// A second opinion on JSON: Foundation's parser, which shares no code with ours.
indirect enum FoundationJSON: Decodable {
    case null
    case bool(Bool)
    /// `nil` for a number that Foundation can't read: it refuses some that RFC 8259, section 6, allows, such as `0e4`.
    case number(Double?)
    case string(String)
    case array([FoundationJSON])
    case object([String: FoundationJSON])

    /// `nil` when Foundation refuses the text.
    init?(parsing bytes: [UInt8]) {
        // Decodes a fragment of any kind. Foundation only requires UTF-8.
        guard let tree = try? JSONDecoder().decode(FoundationJSON.self, from: Data(bytes)) else { return nil }
        self = tree
    }

    init(from decoder: any Decoder) throws {
        if let object = try? decoder.container(keyedBy: AnyKey.self) {
            var members: [String: FoundationJSON] = [:]
            for key in object.allKeys {
                members[key.stringValue] = try object.decode(FoundationJSON.self, forKey: key)
            }
            self = .object(members)
            return
        }
        if var array = try? decoder.unkeyedContainer() {
            var elements: [FoundationJSON] = []
            while !array.isAtEnd { elements.append(try array.decode(FoundationJSON.self)) }
            self = .array(elements)
            return
        }
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else if let string = try? value.decode(String.self) {
            self = .string(string)
        } else {
            self = .number(nil)
        }
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Whether both parsers read the same values, with strings compared byte by byte.
    func agrees(with ours: TokenJSON) -> Bool {
        switch (self, ours) {
        case (.null, .null): true
        case (.bool(let one), .bool(let other)): one == other
        case (.number(let one), .number(let other)): one == nil || one == other
        case (.string(let one), .string(let other)): one.hasSameBytes(as: other)
        case (.array(let one), .array(let other)):
            one.count == other.count && zip(one, other).allSatisfy { $0.agrees(with: $1) }
        case (.object(let one), .object(let other)):
            one.count == other.count
                && one.allSatisfy { name, value in other[name].map { value.agrees(with: $0) } ?? false }
        default: false
        }
    }
}
