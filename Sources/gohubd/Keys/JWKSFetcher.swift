internal import AsyncHTTPClient
internal import GoHubConfiguration
internal import NIOCore
internal import NIOHTTP1

/// Gets a key set from its URL.
///
/// A redirect isn't followed: it could lead to a place that nobody chose to trust.
struct JWKSFetcher: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private static let bytesMax = 256 * 1024
    /// How long an answer may take.
    static let timeout = TimeAmount.seconds(5)

    let location: JWKSLocation
    let client: HTTPClient
    var timeout = Self.timeout

    /// A client for nothing else. To be shut down by whoever made it.
    static func makeClient(timeout: TimeAmount = Self.timeout) -> HTTPClient {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow, timeout: .init(connect: timeout, read: timeout), decompression: .disabled)
        configuration.httpVersion = .http1Only
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    func fetch() async throws -> [UInt8] {
        var request = HTTPClientRequest(url: location.url)
        request.headers.add(name: "accept", value: "application/jwk-set+json, application/json")
        request.headers.add(name: "user-agent", value: "gohubd/\(GoHubVersion.current)")
        let response = try await client.execute(request, timeout: timeout)
        guard response.status == .ok else {
            throw Failure(description: "\(location.url) answered with status \(response.status.code), not 200")
        }
        let body: ByteBuffer
        do {
            body = try await response.body.collect(upTo: Self.bytesMax)
        } catch is NIOTooManyBytesError {
            throw Failure(description: "\(location.url) sent more than the \(Self.bytesMax) bytes that are read")
        }
        return Array(body.readableBytesView)
    }
}
