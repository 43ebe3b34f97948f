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
    /// A JSON body with sorted keys, so that equal responses have equal bytes.
    static func json(_ body: some Encodable, status: HTTPResponse.Status = .ok) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Texts and finite numbers: our responses contain nothing that can't be encoded.
        let json = (try? encoder.encode(body)) ?? Data("{}".utf8)
        return Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: json)))
    }
}

extension Request {
    /// Decodes a JSON body. Unknown fields are ignored.
    ///
    /// - Throws: `APIError` for a body that is too large, isn't JSON, or lacks a field.
    func json<Body: Decodable>(_ type: Body.Type, bytesMax: Int) async throws -> Body {
        let bytes = try await body.collect(upTo: bytesMax)
        do {
            return try JSONDecoder().decode(type, from: Data(bytes.readableBytesView))
        } catch DecodingError.keyNotFound(let key, _) {
            throw APIError(.badRequest, "Field \"\(key.stringValue)\" is missing.")
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context) {
            let field = context.codingPath.map(\.stringValue).joined(separator: ".")
            throw APIError(
                .badRequest,
                field.isEmpty ? "The body is not a JSON object." : "Field \"\(field)\" has the wrong type or format.")
        } catch {
            throw APIError(.badRequest, "The body is not valid JSON.")
        }
    }
}
