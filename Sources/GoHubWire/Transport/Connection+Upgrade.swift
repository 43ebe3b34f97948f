internal import GoHubCore

extension Connection {
    /// Collects the request head, and decides the connection's protocol.
    func readHead(_ bytes: UnsafeRawBufferPointer) {
        guard case .readingHead(var head) = phase else { return }
        guard head.bytes.append(bytes) else { return reject(.busy) }
        switch head.bytes.withBytes({ head.parser.parse($0) }) {
        case .needMore: phase = .readingHead(head)
        case .failed(let rejection): reject(rejection)
        case .complete(let request, let length): route(request, bytes: head.bytes, length: length)
        }
    }

    private func route(_ head: RequestHead, bytes: HeldBytes, length: Int) {
        let client = ClientAddress(peer: peer, head: head, trusted: settings.configuration.trustedProxies)
        guard services.admit(self, address: client.limitKey) else {
            return reject(.tooManyRequests(retryAfterSeconds: 10), answering: head.method)
        }
        let isHubPath = settings.configuration.webSocketPaths.contains(head.path)
        guard isHubPath, UpgradeRequest.isUpgrade(head) else {
            return relay(head, bytes, length: length, client: client)
        }
        guard bytes.count == length else {
            return reject(.badRequest("The client sent data before the handshake's response."))
        }
        do throws(UpgradeRejection) {
            let isTLS = settings.configuration.tls != nil || client.isTLSAtProxy
            try upgrade(try UpgradeRequest(head), isTLS: isTLS)
        } catch {
            reject(error, answering: head.method)
        }
    }

    private func relay(_ head: RequestHead, _ bytes: HeldBytes, length: Int, client: ClientAddress) {
        guard let path = settings.configuration.httpSocketPath else {
            return reject(.notFound, answering: head.method)
        }
        let relay = HTTPRelay(for: self, path: path, held: bytes, peer: client)
        phase = .http(relay)
        relay.begin(head, length: length)
    }

    private func upgrade(_ request: UpgradeRequest, isTLS: Bool) throws(UpgradeRejection) {
        let configuration = settings.configuration
        guard configuration.origins.allows(origin: request.origin, host: request.host, isTLS: isTLS) else {
            throw .forbidden("This origin is not allowed to connect.")
        }
        // Without tokens, a page under any name that resolves to this machine (DNS rebinding) would be accepted with
        // any identity. Its own name is in Host.
        guard
            settings.requiresToken || !configuration.listen.isLoopback
                || LoopbackHost.isMeant(byAuthority: request.host)
        else {
            throw .forbidden("In development mode the hub accepts only requests to localhost.")
        }
        let token = request.bearerToken ?? (configuration.allowsTokenInQuery ? request.queryToken : nil)
        guard let token, settings.requiresToken else { return accept(request, credentials: nil) }
        phase = .authorizing(request)
        pauseReading()
        services.verify(token, for: self)
    }

    /// The result of `ConnectionServices.verify`.
    func authorized(_ result: Result<Credentials, TokenError>) {
        guard case .authorizing(let request) = phase else { return }
        resumeReading()
        switch result {
        case .success(let credentials): accept(request, credentials: credentials)
        case .failure(let error) where error.code == .keysUnavailable:
            reject(.unavailable("The token cannot be verified now. Try again later.", retryAfterSeconds: 5))
        case .failure(let error): reject(.unauthorized(error.message, tokenWasGiven: true))
        }
    }

    private func accept(_ request: UpgradeRequest, credentials: Credentials?) {
        var deflate: DeflateParameters?
        if resources.deflater != nil, let inflater = resources.inflater {
            deflate = DeflateParameters.negotiate(offers: request.extensions, configuration: settings.deflate)
            if deflate != nil {
                usesDeflate = true
                reader = WebSocketReader(limits: settings.reader, inflater: inflater)
            }
        }
        phase = .open(owner.opened(self, credentials: credentials))
        write(UpgradeResponse.accept(request, deflate: deflate))
        arm()
    }

    /// Responds with an error and closes.
    ///
    /// - Parameter method: the method of the request, if known.
    func reject(_ rejection: UpgradeRejection, answering method: String = "") {
        services.note(self, "rejected: \(rejection.status.rawValue) \(rejection.reason)")
        write(UpgradeResponse.reject(rejection.answering(method), at: loop.wallTime))
        linger()
    }
}

extension UpgradeRequest {
    /// The query's `access_token` (RFC 6750, section 2.3). A JWT needs no percent-encoding.
    fileprivate var queryToken: String? {
        query?.split(separator: "&").first { $0.hasPrefix("access_token=") }
            .map { String($0.dropFirst("access_token=".count)) }
    }
}
