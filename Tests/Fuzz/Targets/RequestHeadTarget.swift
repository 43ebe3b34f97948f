import GoHubCore

@testable import GoHubWire

extension FuzzTarget {
    /// A connection's first bytes, up to the answer to a handshake. The first byte chooses how the rest is split.
    static let requestHead = FuzzTarget("requestHead", bytesMax: 20 * 1024) { bytes in
        var input = FuzzInput(bytes)
        let cut = input.byte()
        let request = Array(input.rest)
        let progress = parse([request])
        try requireEqual(progress, parse(request.parts(cut: cut)), "a head is read alike however it is cut")
        switch progress {
        case .needMore: break
        case .failed(let rejection): try checkResponse(UpgradeResponse.reject(rejection, at: WallTime(milliseconds: 0)))
        case .complete(let head, let length): try checkHead(head, length: length, request)
        }
    }

    private static func parse(
        _ parts: [[UInt8]], limits: RequestHeadParser.Limits = .init()
    ) -> RequestHeadParser.Progress {
        var parser = RequestHeadParser(limits: limits)
        var bytes: [UInt8] = []
        for part in parts {
            bytes += part
            let progress = bytes.withUnsafeBytes { parser.parse($0) }
            guard progress == .needMore else { return progress }
        }
        return .needMore
    }

    private static func checkHead(_ head: RequestHead, length: Int, _ request: [UInt8]) throws {
        try require(length <= RequestHeadParser.Limits().headBytesMax, "a head is at most as long as its bound")
        try require(request[..<length].suffix(4).elementsEqual("\r\n\r\n".utf8), "a head ends with an empty line")
        try requireEqual(
            parse([Array(request[..<length])]), .complete(head, headLength: length), "what follows a head is not read")

        // Writing the parsed head and parsing it again gives the same head. There is no size limit here, since U+FFFD
        // takes three bytes.
        var text = "\(head.method) \(head.target) HTTP/1.\(head.version == .http11 ? 1 : 0)\r\n"
        for field in head.fields { text += "\(field.name): \(field.value)\r\n" }
        let again = Array((text + "\r\n").utf8)
        let limits = RequestHeadParser.Limits(headBytesMax: .max, requestLineBytesMax: .max, fieldsMax: .max)
        try requireEqual(
            parse([again], limits: limits), .complete(head, headLength: again.count), "a head that is written is read")

        checkClient(head)
        guard UpgradeRequest.isUpgrade(head) else { return }
        let request: UpgradeRequest
        do throws(UpgradeRejection) {
            request = try UpgradeRequest(head)
        } catch {
            return try checkResponse(UpgradeResponse.reject(error, at: WallTime(milliseconds: 0)))
        }
        try checkHandshake(request)
    }

    /// Must return for any header fields.
    private static func checkClient(_ head: RequestHead) {
        for peer in [[127, 0, 0, 1], [UInt8](repeating: 7, count: 16)] {
            let trusted = ["0.0.0.0/0", "::/0"].compactMap(AddressRange.init)
            _ = ClientAddress(peer: SocketAddress(ip: peer, port: 1), head: head, trusted: trusted).limitKey
        }
    }

    private static func checkHandshake(_ request: UpgradeRequest) throws {
        try checkResponse(UpgradeResponse.accept(request))
        for windowBits in [9, 15] {
            let configuration = DeflateConfiguration(windowBits: windowBits)
            guard let agreed = DeflateParameters.negotiate(offers: request.extensions, configuration: configuration)
            else { continue }
            try checkResponse(UpgradeResponse.accept(request, deflate: agreed))
            let offers = ExtensionOffer.list(agreed.fieldValue) ?? []
            try requireEqual(
                DeflateParameters.negotiate(offers: offers, configuration: configuration), agreed,
                "what was agreed on could be offered")
        }
        try checkOrigin(request)
    }

    private static func checkOrigin(_ request: UpgradeRequest) throws {
        for isTLS in [false, true] {
            func isAllowed(_ policy: OriginPolicy) -> Bool {
                policy.allows(origin: request.origin, host: request.host, isTLS: isTLS)
            }
            try require(isAllowed(try OriginPolicy(patterns: ["*"])), "'*' allows every origin")
            guard let origin = request.origin else {
                try require(isAllowed(.sameOrigin), "a client that isn't a page is allowed")
                continue
            }
            let foreign = try OriginPolicy(patterns: ["https://chat.example.com", "https://*.example.com"])
            if isAllowed(foreign) {
                let lower = origin.lowercased()
                try require(
                    lower.hasPrefix("https://") && lower.contains("example.com"), "a list allows what it lists only")
            }
            guard isAllowed(.sameOrigin) else { continue }
            try require(
                origin.lowercased().hasPrefix(isTLS ? "https://" : "http://"), "the scheme is part of the origin")
            try require(isAllowed(try OriginPolicy(patterns: [origin])), "the host's own origin can be listed")
        }
    }

    /// Exactly one head with CRLF lines, without control characters.
    private static func checkResponse(_ response: [UInt8]) throws {
        let text = response.text
        try require(text.utf8.elementsEqual(response), "a response is UTF-8")
        guard let end = response.firstRange(of: Array("\r\n\r\n".utf8)) else {
            throw BrokenPromise(description: "broken: a response has a head")
        }
        let lines = response[..<end.lowerBound].split(separator: 0x0A, omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let isLast = index == lines.count - 1
            try require(
                line.dropLast(isLast ? 0 : 1).allSatisfy { $0 >= 0x20 && $0 != 0x7F } && (isLast || line.last == 0x0D),
                "a response's lines end in CRLF and hold no control character")
        }
    }
}
