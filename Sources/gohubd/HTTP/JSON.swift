internal import GoHubCore
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

extension Response {
    /// A body of JSON, with its keys in order so that equal answers are equal bytes.
    static func json(_ body: some Encodable, status: HTTPResponse.Status = .ok) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Texts and numbers that are finite: there is nothing in an answer of ours that can't be encoded.
        let json = (try? encoder.encode(body)) ?? Data("{}".utf8)
        return Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: json)))
    }
}

extension Request {
    /// Reads a body of JSON. Fields that the type doesn't have are ignored.
    ///
    /// - Throws: `APIError` for one that is too large, isn't JSON, or lacks a field.
    func json<Body: Decodable>(_ type: Body.Type, bytesMax: Int) async throws -> Body {
        let bytes = try await body.collect(upTo: bytesMax)
        do {
            return try JSONDecoder().decode(type, from: Data(bytes.readableBytesView))
        } catch DecodingError.keyNotFound(let key, _) {
            throw APIError(.badRequest, "Field \"\(key.stringValue)\" is missing.")
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context) {
            let field = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw APIError(
                .badRequest, field.isEmpty ? "The body isn't a JSON object." : "Field \"\(field)\" has the wrong form.")
        } catch {
            throw APIError(.badRequest, "The body isn't valid JSON.")
        }
    }
}

/// Percent-encoding (RFC 3986, section 2.1), undone.
enum PercentEncoding {
    /// - Returns: `nil` for a `%` without two digits, and for what isn't UTF-8 afterwards.
    static func decode(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
