internal import AsyncHTTPClient
internal import GoHubConfiguration
internal import NIOCore
internal import NIOHTTP1

/// Fetches a key set from its URL.
///
/// Redirects aren't followed: they could lead to a place that nobody chose to trust.
struct JWKSFetcher: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private static let bytesMax = 256 * 1024
    /// The time limit for a response.
    static let timeout = TimeAmount.seconds(5)

    let location: JWKSLocation
    let client: HTTPClient
    var timeout = Self.timeout

    /// A client for this purpose only. Its creator must shut it down.
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
            throw Failure(description: "\(location.url) responded with status \(response.status.code) instead of 200")
        }
        let body: ByteBuffer
        do {
            body = try await response.body.collect(upTo: Self.bytesMax)
        } catch is NIOTooManyBytesError {
            throw Failure(description: "\(location.url) sent more than the limit of \(Self.bytesMax) bytes")
        }
        return Array(body.readableBytesView)
    }
}
