internal import GoHubCore
internal import GoHubWire
internal import HTTPTypes
internal import Hummingbird

/// Lets the pages that may open a WebSocket use HTTP too, and no others (Fetch Standard, "CORS protocol").
///
/// A page is let in by its origin alone; there are no cookies here, and so no credentials to speak of.
struct CORS: RouterMiddleware {
    let policy: OriginPolicy
    /// Whether clients reach the hub over TLS, for "the hub's own host".
    let isTLS: Bool

    func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard let origin = request.headers[.origin] else { return varied(try await next(request, context)) }
        let isAllowed = policy.allows(origin: origin, host: request.head.authority ?? "", isTLS: isTLS)
        let isPreflight = request.method == .options && request.headers[.accessControlRequestMethod] != nil
        guard isPreflight else {
            var response = try await next(request, context)
            if isAllowed { response.headers[.accessControlAllowOrigin] = origin }
            return varied(response)
        }
        guard isAllowed else {
            return varied(APIError(.forbidden, "Pages of this origin may not use the hub; see `origins`.").response)
        }
        return varied(
            Response(
                status: .noContent,
                headers: [
                    .accessControlAllowOrigin: origin, .accessControlAllowMethods: "GET, POST, DELETE",
                    .accessControlAllowHeaders: "authorization, content-type", .accessControlMaxAge: "600",
                ]))
    }

    /// A cache must not give one origin's answer to another.
    private func varied(_ response: Response) -> Response {
        var response = response
        response.headers.append(HTTPField(name: .vary, value: "Origin"))
        return response
    }
}
