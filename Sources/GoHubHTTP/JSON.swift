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
