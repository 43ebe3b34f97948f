internal import GoHubCore
public import GoHubWire
internal import HTTPTypes
public import Hummingbird

/// Allows the pages that may open a WebSocket to use HTTP, too, and no others (Fetch Standard, "CORS protocol").
///
/// Only a page's origin decides: there are no cookies and therefore no ambient credentials.
public struct CORS: RouterMiddleware {
    let policy: OriginPolicy
    /// Whether all clients reach the hub over TLS, for "the hub's own host"; each connection reports it, too.
    let isTLS: Bool

    /// - Parameters:
    ///   - policy: the origins of the pages that may open a WebSocket.
    ///   - isTLS: whether all clients reach the hub over TLS; each connection reports it, too.
    public init(policy: OriginPolicy, isTLS: Bool) {
        self.policy = policy
        self.isTLS = isTLS
    }

    /// The headers that scripts of other origins may send and read, beyond the standard ones.
    private static let allowedHeaders = [
        "authorization", "content-type", "range", "if-match", "if-none-match", "if-modified-since",
        "if-unmodified-since", "if-range", "upload-complete", "upload-draft-interop-version", "upload-incomplete",
        "upload-length", "upload-offset",
    ].joined(separator: ", ")
    private static let exposedHeaders = [
        "accept-ranges", "content-disposition", "content-range", "etag", "location", "retry-after", "upload-complete",
        "upload-incomplete", "upload-length", "upload-limit", "upload-offset",
    ].joined(separator: ", ")

    /// Answers a preflight, and adds to other responses the headers that let the page read them.
    public func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard let origin = request.headers[.origin] else { return varied(try await next(request, context)) }
        let isAllowed = policy.allows(
            origin: origin, host: request.head.authority ?? "", isTLS: isTLS || context.isTLS)
        let isPreflight = request.method == .options && request.headers[.accessControlRequestMethod] != nil
        guard isPreflight else {
            var response = try await next(request, context)
            if isAllowed {
                response.headers[.accessControlAllowOrigin] = origin
                response.headers[.accessControlExposeHeaders] = Self.exposedHeaders
            }
            return varied(response)
        }
        guard isAllowed else {
            return varied(
                APIError(
                    .forbidden,
                    "Pages of this origin are not allowed to use the hub. The operator can add the origin to `origins`."
                ).response)
        }
        return varied(
            Response(
                status: .noContent,
                headers: [
                    .accessControlAllowOrigin: origin,
                    .accessControlAllowMethods: "GET, HEAD, OPTIONS, POST, PATCH, DELETE",
                    .accessControlAllowHeaders: Self.allowedHeaders, .accessControlMaxAge: "600",
                ]))
    }

    /// Prevents a cache from giving one origin's response to another.
    private func varied(_ response: Response) -> Response {
        var response = response
        response.headers.append(HTTPField(name: .vary, value: "Origin"))
        return response
    }
}
