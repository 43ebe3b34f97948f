internal import GoHubCore
public import HTTPTypes
public import Hummingbird
public import Logging

/// The paths of plain HTTP requests, with their handlers.
///
/// An embedder creates one, adds `StatusRoutes`, `ServerAPI`, `FileAPI` and its own paths, and passes `router` to its
/// Hummingbird application.
public final class Routes {
    /// Answers one request, or throws an `APIError`, which becomes the response.
    public typealias Handler = @Sendable (Request, APIContext) async throws -> Response

    /// The methods that are refused at a path without a handler for them; other methods are unknown, like paths.
    private static let methods: [HTTPRequest.Method] = [.get, .head, .post, .put, .patch, .delete, .options]

    /// The router for Hummingbird's `Application`.
    public let router = Router(context: APIContext.self, options: .autoGenerateHeadEndpoints)

    /// - Parameters:
    ///   - cors: the pages that may use the paths.
    ///   - logger: receives a line for each response, at level debug.
    public init(cors: CORS, logger: Logger) {
        router.add(middleware: cors)
        router.add(middleware: ResponseRules(logger: logger))
        router.add(middleware: ExactPaths())
    }

    /// Adds the handlers of a path; other methods get 405 with `Allow` (RFC 9110, section 15.5.6), and `HEAD` comes
    /// with `GET`.
    public func add(_ path: String, _ handlers: [HTTPRequest.Method: Handler]) {
        var allowed = Self.methods.filter { handlers[$0] != nil }
        if let get = allowed.firstIndex(of: .get) { allowed.insert(.head, at: get + 1) }
        for method in Self.methods where method != .head || handlers[.get] == nil {
            let handler = handlers[method] ?? { [allowed] _, _ in throw APIError.methodNotAllowed(allowed) }
            router.on(RouterPath(path), method: method, use: handler)
        }
    }
}
