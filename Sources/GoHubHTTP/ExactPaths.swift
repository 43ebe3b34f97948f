internal import GoHubHTTPSyntax
internal import HTTPTypes
internal import Hummingbird

/// Accepts only paths that have a single spelling.
///
/// The router ignores empty segments, so `//v1/api/rooms`, `/v1//api/rooms` and `/v1/api/rooms/` would all be
/// `/v1/api/rooms`. A proxy that reserves `/v1/api/` compares the sent path. Such a path is not found here; nor is one
/// with a dot segment, encoded or not, which a proxy may resolve before it compares.
struct ExactPaths: RouterMiddleware {
    func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard let path = Self.path(of: request.head.path ?? ""), Self.isExact(path), path == request.uri.path else {
            throw APIError.notFound
        }
        return try await next(request, context)
    }

    /// The path of a target in origin or absolute form (RFC 9112, section 3.2), still percent-encoded.
    static func path(of target: String) -> Substring? {
        let beforeQuery = target.prefix { $0 != "?" }
        if beforeQuery.hasPrefix("/") { return beforeQuery }
        if beforeQuery == "*" { return "/*" }
        guard let colon = beforeQuery.firstIndex(of: ":"), beforeQuery[colon...].hasPrefix("://") else { return nil }
        let path = beforeQuery[colon...].dropFirst(3).drop { $0 != "/" }
        return path.isEmpty ? "/" : path
    }

    static func isExact(_ path: Substring) -> Bool {
        path == "/"
            || path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).allSatisfy { segment in
                let decoded = PercentEncoding.decode(segment)
                return !segment.isEmpty && decoded != "." && decoded != ".."
            }
    }
}
