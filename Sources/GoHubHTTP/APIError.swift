public import GoHubCore
public import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore

/// A refusal over HTTP: a status, and `{"code", "message"}` with the protocol's error codes.
public struct APIError: Error {
    /// The status of the response.
    public var status: HTTPResponse.Status
    /// The body's error code, for programs.
    public var code: ErrorCode
    /// The body's sentence, for people.
    public var message: String
    /// The headers of the response, in addition to those of its body.
    public var headers: HTTPFields = [:]

    /// A refusal by the hub, with the closest status.
    ///
    /// - Parameters:
    ///   - code: the body's error code, which decides the status: 500 for an unknown one.
    ///   - message: the body's sentence, for people.
    ///   - retryAfter: sent as `Retry-After` (RFC 9110, section 10.2.3), rounded up to a second.
    public init(_ code: ErrorCode, _ message: String, retryAfter: Milliseconds? = nil) {
        self.init(status: Self.status(of: code), code: code, message: message)
        if let retryAfter {
            headers[.retryAfter] = "\(retryAfter.value / 1000 + (retryAfter.value % 1000 == 0 ? 0 : 1))"
        }
    }

    /// A refusal with the given status.
    public init(status: HTTPResponse.Status, code: ErrorCode, message: String, headers: HTTPFields = [:]) {
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
    }

    static let notFound = APIError(.notFound, "There is nothing at this path.")

    static func methodNotAllowed(_ allowed: [HTTPRequest.Method]) -> APIError {
        let methods = allowed.map(\.rawValue).joined(separator: ", ")
        return APIError(
            status: .methodNotAllowed, code: .badRequest, message: "This path accepts \(methods).",
            headers: [.allow: methods])
    }

    private static func status(of code: ErrorCode) -> HTTPResponse.Status {
        switch code {
        case .badRequest: .badRequest
        case .unauthorized: .unauthorized
        case .forbidden: .forbidden
        case .notFound: .notFound
        case .rateLimited: .tooManyRequests
        case .tooLarge: .contentTooLarge
        case .conflict: .conflict
        case .unavailable: .serviceUnavailable
        default: .internalServerError
        }
    }

    var response: Response {
        var response = Response.json(ErrorBody(code: code.rawValue, message: message), status: status)
        response.headers.append(contentsOf: headers)
        return response
    }

    private struct ErrorBody: Encodable {
        let code: String
        let message: String
    }
}

/// Turns a handler's error into a response, and adds the headers that browsers need to every response.
struct ResponseRules: RouterMiddleware {
    let logger: Logger

    func handle(
        _ request: Request, context: APIContext, next: @concurrent (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            response = try await next(request, context)
        } catch let error as APIError {
            response = error.response
        } catch let error as HTTPError {
            // The router's own error: no such path, or no such method for it.
            response = error.status == .notFound ? APIError.notFound.response : Self.response(to: error)
        } catch is NIOTooManyBytesError {
            response = APIError(.tooLarge, "The body is larger than \(ServerAPI.bodyBytesMax) bytes.").response
        } catch let error as any HTTPResponseError {
            response = Self.response(to: error)
        }
        response.headers.setUnlessPresent(.xContentTypeOptions, "nosniff")
        response.headers.setUnlessPresent(.cacheControl, "no-store")
        response.headers.setUnlessPresent(.contentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'")
        response.headers.setUnlessPresent(.referrerPolicy, "no-referrer")
        context.labelling(logger).debug(
            "answered",
            metadata: [
                "method": "\(request.method)", "path": "\(request.uri.path)", "status": "\(response.status.code)",
            ])
        return response
    }

    private static func response(to error: any HTTPResponseError) -> Response {
        let code: ErrorCode = error.status.kind == .clientError ? .badRequest : .internal
        return APIError(status: error.status, code: code, message: "\(error.status.reasonPhrase).").response
    }
}

extension HTTPFields {
    fileprivate mutating func setUnlessPresent(_ name: HTTPField.Name, _ value: String) {
        if self[name] == nil { self[name] = value }
    }
}
