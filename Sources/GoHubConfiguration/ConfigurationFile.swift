package import Configuration
internal import GoHubSystem

#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// A configuration file: JSON, with comments and trailing commas allowed (JSON5).
///
/// Sections may be nested (`{"tls": {"key": "…"}}`) or part of the key (`{"tls.key": "…"}`); both mean the same.
package enum ConfigurationFile {
    private static let bytesMax = 1024 * 1024

    /// The file's values by the dotted names of their keys.
    package static func read(_ path: String) throws(ConfigurationError) -> [String: ConfigContent] {
        let bytes: [UInt8]
        do throws(BoundedFile.Failure) {
            bytes = try BoundedFile.read(path, bytesMax: bytesMax)
        } catch {
            throw ConfigurationError("The configuration file \(error).", underlying: error)
        }
        // Foundation's JSON5 reader traps at a key without quotes that isn't UTF-8.
        guard String(validating: bytes, as: UTF8.self) != nil else {
            throw ConfigurationError("\(path): the file is not UTF-8. Save it in that encoding.")
        }
        let decoder = JSONDecoder()
        decoder.allowsJSON5 = true
        let tree: Node
        do {
            tree = try decoder.decode(Node.self, from: Data(bytes))
        } catch {
            throw ConfigurationError("\(path): the file is not valid JSON\(place(of: error)).", underlying: error)
        }
        guard case .section(let members) = tree else {
            throw ConfigurationError(
                "\(path): the file must contain one JSON object, such as {\"listen\": \"0.0.0.0:8443\"}.")
        }
        var values: [String: ConfigContent] = [:]
        try flatten(members, under: "", of: path, into: &values)
        return values
    }

    private static func flatten(
        _ members: [String: Node], under prefix: String, of path: String, into values: inout [String: ConfigContent]
    ) throws(ConfigurationError) {
        for (member, node) in members.sorted(by: { $0.key < $1.key }) {
            let name = prefix + member
            switch node {
            case .section(let members): try flatten(members, under: name + ".", of: path, into: &values)
            case .value(let content):
                guard values.updateValue(content, forKey: name) == nil else {
                    throw ConfigurationError("\(path): the key '\(name)' appears twice. Remove one.")
                }
            case .null:
                throw ConfigurationError("\(path): the key '\(name)' is null. Remove it to use the default.")
            case .mixed:
                throw ConfigurationError("\(path): the key '\(name)' has a list with something other than strings.")
            }
        }
    }

    /// The place where the parser stopped. Nothing of the file is repeated, because it may contain secrets.
    private static func place(of error: any Error) -> String {
        guard case DecodingError.dataCorrupted(let context) = error,
            let cause = context.underlyingError.map({ String(describing: $0) }),
            let line = cause.firstRange(of: "line "), let number = Int(cause[line.upperBound...].prefix { $0.isNumber })
        else { return "" }
        return ": see line \(number)"
    }

    private indirect enum Node: Decodable {
        case section([String: Node])
        case value(ConfigContent)
        case null
        case mixed

        init(from decoder: any Decoder) throws {
            if let object = try? decoder.container(keyedBy: AnyKey.self) {
                var members: [String: Node] = [:]
                for key in object.allKeys { members[key.stringValue] = try object.decode(Node.self, forKey: key) }
                self = .section(members)
                return
            }
            let single = try decoder.singleValueContainer()
            if single.decodeNil() {
                self = .null
            } else if let flag = try? single.decode(Bool.self) {
                self = .value(.bool(flag))
            } else if let number = try? single.decode(Int.self) {
                self = .value(.int(number))
            } else if let number = try? single.decode(Double.self) {
                self = .value(.double(number))
            } else if let text = try? single.decode(String.self) {
                self = .value(.string(text))
            } else if let items = try? single.decode([String].self) {
                self = .value(.stringArray(items))
            } else {
                self = .mixed
            }
        }
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init?(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
