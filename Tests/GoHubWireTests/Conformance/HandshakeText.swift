import GoHubTestSupport

@testable import GoHubWire

/// The text of a valid handshake, except for a test's changes.
struct HandshakeText: Sendable {
    var method = "GET"
    var target = "/v1/ws"
    var version = "HTTP/1.1"
    private(set) var fields = [
        "Host: localhost", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]

    init(method: String = "GET", target: String = "/v1/ws", version: String = "HTTP/1.1") {
        (self.method, self.target, self.version) = (method, target, version)
    }

    /// Removes the fields with this name, and adds these in their place, if any.
    func with(_ name: String, _ values: String...) -> HandshakeText {
        var changed = self
        changed.fields.removeAll { $0.hasPrefix(name + ":") }
        changed.fields += values.map { "\(name): \($0)" }
        return changed
    }

    func without(_ name: String) -> HandshakeText {
        var changed = self
        changed.fields.removeAll { $0.hasPrefix(name + ":") }
        return changed
    }

    var text: String {
        "\(method) \(target) \(version)\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
    }

    private struct NotAHead: Error {
        let text: String
    }

    /// The parser's result.
    func head() throws -> RequestHead {
        guard case .complete(let head, _) = RequestHeadTests.parse([Array(text.utf8)]) else {
            throw NotAHead(text: text)
        }
        return head
    }

    /// The response, made without a connection. `nil` if the request isn't for a WebSocket.
    func answer() -> String? {
        switch RequestHeadTests.parse([Array(text.utf8)]) {
        case .needMore: return nil
        case .failed(let rejection):
            return String(decoding: UpgradeResponse.reject(rejection, at: .ms(0)), as: UTF8.self)
        case .complete(let head, _):
            guard UpgradeRequest.isUpgrade(head) else { return nil }
            do throws(UpgradeRejection) {
                let request = try UpgradeRequest(head)
                let deflate = DeflateParameters.negotiate(offers: request.extensions, configuration: .init())
                return String(decoding: UpgradeResponse.accept(request, deflate: deflate), as: UTF8.self)
            } catch {
                return String(decoding: UpgradeResponse.reject(error, at: .ms(0)), as: UTF8.self)
            }
        }
    }
}
