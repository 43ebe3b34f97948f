internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// A plain HTTP connection: reads its requests one after the other, forwards each to the HTTP server behind the hub,
/// and forwards the response, byte for byte.
///
/// One request is in progress at a time. The next head is read when the client has taken the previous response, by the
/// same parser as the first head of a connection. So the server sees at most one request of a connection, and no byte
/// outside a request. This also bounds the memory of a plain HTTP connection: one head of its next requests
/// (`HeldBytes`), one read of the request that the server hasn't taken, and one read of the response that the client
/// hasn't taken. `HTTPSlots` limits the number of concurrent requests.
final class HTTPRelay {
    /// Exits: `resting` (no request, or the beginning of a head) → `waiting` for a slot, or for space in the server's
    /// backlog → `relaying` → `resting`, or `over`: the connection lingers, or is closed. `draining`, when the server
    /// has closed and the client has not yet taken the response → `over`.
    private enum State {
        case resting
        case waiting(PendingRequest)
        case relaying
        case draining
        case over
    }

    /// A request that hasn't been forwarded yet. Its bytes are the first held ones.
    private struct PendingRequest {
        let head: RequestHead
        /// Bytes of the head and of the received part of the body.
        let bytes: Int
        let body: MessageBody
        var hasSlot = false
    }

    /// The delay before the next connection attempt when the server's backlog was full.
    private static let retryAfter: Milliseconds = 50

    /// The client owns this relay in its phase.
    private unowned let client: Connection
    private let path: String
    private let proxyHeader: [UInt8]
    private let held: HeldBytes
    private var state = State.resting
    private var parser: RequestHeadParser
    private var tunnel: Tunnel?
    /// The turn of the last idle phase, which a notice must match.
    private var restTurn: UInt64 = 0
    // The current request
    private var method = ""
    private var body = MessageBody.none
    private var response = ResponseReader(to: "")
    private var hasResponseBegun = false
    private var isLastRequest = false
    /// Whether the server reads no further request from this tunnel: NIO's decoder stops after a request with Upgrade
    /// in case the protocol changes, which never happens there.
    private var isTunnelSpent = false
    private var clientHasFinished = false
    // Time
    /// The time when bytes last arrived from either side, or the state changed.
    private var movedAt: MonotonicTime
    /// The time when the current head began, or the request began to wait.
    private var beganAt: MonotonicTime?
    private var retryAt: MonotonicTime?
    /// Until then the request counts as one that the server has still to look at.
    private var freshUntil: MonotonicTime?

    /// - Parameters:
    ///   - held: the connection's bytes so far, which begin with a head.
    ///   - peer: the client's address, for the server.
    init(for client: Connection, path: String, held: HeldBytes, peer: ClientAddress) {
        self.client = client
        self.path = path
        self.held = held
        let configuration = client.settings.configuration
        proxyHeader = ProxyHeader.encode(
            client: peer.address, server: configuration.listen.address,
            isTLS: configuration.tls != nil || peer.isTLSAtProxy)
        parser = RequestHeadParser(limits: client.settings.head)
        movedAt = client.loop.now
        SocketOptions.limitUnsent(of: client.descriptor)
    }

    /// The maximum number of bytes to read from the client at once.
    var readBytesMax: Int {
        if case .relaying = state, !body.isComplete { return EventLoop.readBytesMax }
        return max(1, client.settings.head.headBytesMax - held.count)
    }

    // MARK: From the client

    func received(_ bytes: UnsafeRawBufferPointer) {
        movedAt = client.loop.now
        switch state {
        case .relaying where !body.isComplete: forward(bytes)
        case .resting:
            guard hold(bytes) else { return }
            if beganAt == nil { beganAt = movedAt }
            readHead()
        case .waiting, .relaying: guard hold(bytes) else { return }
        // Bytes that the closed server hasn't read are dropped.
        case .draining, .over: return
        }
        updateReading()
    }

    private func hold(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if held.append(bytes) { return true }
        refuse(.busy)
        return false
    }

    private func readHead() {
        switch held.withBytes({ parser.parse($0) }) {
        case .needMore: client.arm()
        case .failed(let rejection): refuse(rejection)
        case .complete(let head, let length): begin(head, length: length)
        }
    }

    /// Begins a request whose head is complete: the first `length` held bytes.
    func begin(_ head: RequestHead, length: Int) {
        method = head.method
        var body = MessageBody(of: head)
        do throws(UpgradeRejection) {
            // The received part of the body is validated before anybody acts on the head.
            let bodyBytes = try held.withBytes { (bytes) throws(UpgradeRejection) -> Int in
                try body.take(UnsafeRawBufferPointer(rebasing: bytes[length...]))
            }
            beganAt = client.loop.now
            wait(PendingRequest(head: head, bytes: length + bodyBytes, body: body))
        } catch {
            refuse(error)
        }
    }

    private func wait(_ request: PendingRequest) {
        state = .waiting(request)
        updateReading()
        switch client.services.takeSlot(client) {
        case .granted(let keepsTunnel):
            if !keepsTunnel { closeTunnel() }
            start(request)
        case .waiting:
            closeTunnel()
            client.arm()
        case .refused: refuse(.busy)
        }
    }

    /// The request has got the slot that it waited for.
    func slotGranted() {
        guard case .waiting(let request) = state, !request.hasSlot else { return }
        start(request)
    }

    private func start(_ request: PendingRequest) {
        retryAt = nil
        var isFresh = false
        if tunnel == nil {
            do throws(SystemError) {
                tunnel = try Tunnel(to: path, on: client.loop, for: self)
                isFresh = true
            } catch {
                return cannotConnect(request, error)
            }
        }
        state = .relaying
        movedAt = client.loop.now
        beganAt = nil
        freshUntil = movedAt + client.settings.configuration.httpFreshTime
        body = request.body
        response = ResponseReader(to: request.head.method)
        hasResponseBegun = false
        isLastRequest = Self.isLast(request.head)
        isTunnelSpent = request.head.count(of: "upgrade") > 0
        let prefix = isFresh ? proxyHeader : []
        let bytes = held.withBytes { prefix + $0[..<request.bytes] }
        held.removeFirst(request.bytes)
        bytes.withUnsafeBytes { tunnel?.send($0) }
        guard !clientHasFinished || body.isComplete else { return client.abort("the request was cut off") }
        finishSendingIfDone()
        updateReading()
        client.arm()
    }

    /// A full backlog empties as the server accepts; other failures don't pass so soon.
    private func cannotConnect(_ request: PendingRequest, _ error: SystemError) {
        guard error.code == EAGAIN else {
            client.services.note(client, "tunnel: \(error)")
            return refuse(error.code == EMFILE || error.code == ENFILE ? .busy : .httpNotRunning)
        }
        var request = request
        request.hasSlot = true
        state = .waiting(request)
        retryAt = client.loop.now + Self.retryAfter
        client.arm()
    }

    /// Whether the client wants the connection to end with the response (RFC 9112, section 9.3).
    private static func isLast(_ head: RequestHead) -> Bool {
        head.contains("close", in: "connection")
            || head.version == .http10 && !head.contains("keep-alive", in: "connection")
    }

    /// Forwards more of a body.
    private func forward(_ bytes: UnsafeRawBufferPointer) {
        do throws(UpgradeRejection) {
            let count = try body.take(bytes)
            tunnel?.send(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            guard body.isComplete else { return }
            guard count == bytes.count || hold(UnsafeRawBufferPointer(rebasing: bytes[count...])) else { return }
            finishSendingIfDone()
            if response.isComplete, !client.hasOutput { finishExchange() }
        } catch {
            refuse(error)
        }
    }

    /// The client has finished sending.
    func clientFinished() {
        clientHasFinished = true
        switch state {
        case .resting: endClient()
        case .relaying where !body.isComplete: client.abort("the request was cut off")
        case .relaying: finishSendingIfDone()
        case .waiting, .draining, .over: break
        }
    }

    private func finishSendingIfDone() {
        if clientHasFinished, body.isComplete, held.isEmpty { tunnel?.finish() }
    }

    /// The server has taken everything sent to it.
    func serverTookAll() {
        movedAt = client.loop.now
        updateReading()
    }

    private func updateReading() {
        guard !clientHasFinished else { return }
        let mayRead: Bool
        switch state {
        case .resting, .draining: mayRead = true
        case .waiting: mayRead = false
        // Bytes behind a request show that the client pipelines: they aren't read any further until their turn.
        case .relaying: mayRead = body.isComplete ? held.isEmpty : tunnel?.hasUnsent != true
        case .over: return
        }
        if mayRead { client.resumeReading() } else { client.pauseReading() }
    }

    // MARK: From the server

    /// The next part of a response is read when the client has taken the last one.
    var takesResponse: Bool { !client.hasOutput }

    func fromServer(_ bytes: UnsafeRawBufferPointer) {
        movedAt = client.loop.now
        guard case .relaying = state, !response.isComplete else {
            // Nobody requested these bytes.
            isLastRequest = true
            if case .resting = state { endClient() }
            return
        }
        let count = response.take(bytes)
        hasResponseBegun = true
        client.write(Array(bytes[..<count]))
        if count < bytes.count { isLastRequest = true }
        // An idle connection isn't fresh either, and mostly becomes idle in this very turn.
        if !response.isComplete { settle() }
    }

    private func settle() {
        guard freshUntil != nil else { return }
        freshUntil = nil
        client.services.settleSlot(client)
    }

    /// The client has taken what the server sent.
    func clientTookAll() {
        movedAt = client.loop.now
        switch state {
        case .draining: endClient()
        case .relaying:
            // A client that is still sending may continue, unless the connection ends.
            if response.isComplete, body.isComplete || response.isLast { return finishExchange() }
            tunnel?.updateInterest()
        case .resting, .waiting, .over: break
        }
    }

    /// The server has closed its side after its data.
    func serverFinished() {
        tunnel = nil
        guard client.hasOutput else { return endClient() }
        state = .draining
        // A client that is still sending must be able to finish before it reads the response; the data is dropped.
        updateReading()
    }

    /// Handles a complete request and response that the client has taken.
    private func finishExchange() {
        guard case .relaying = state else { return }
        guard !isLastRequest, !response.isLast, !(clientHasFinished && held.isEmpty) else { return endClient() }
        state = .resting
        freshUntil = nil
        method = ""
        parser = RequestHeadParser(limits: client.settings.head)
        restTurn = client.services.restSlot(client)
        if isTunnelSpent { closeTunnel() }
        beganAt = held.isEmpty ? nil : client.loop.now
        readHead()
        if clientHasFinished, case .resting = state { return endClient() }
        updateReading()
    }

    // MARK: Making way

    /// Handles the loss of the slot to another connection: the next request needs another tunnel.
    func tunnelLost(turn: UInt64) {
        guard case .resting = state, restTurn == turn else { return }
        closeTunnel()
    }

    /// Closes this connection in favour of another connection of the same address.
    func makeWay(turn: UInt64) {
        guard case .resting = state, restTurn == turn else { return }
        client.abort("closed in favour of a newer connection from the same address")
    }

    // MARK: Time

    var deadline: MonotonicTime? {
        let configuration = client.settings.configuration
        switch state {
        case .resting: return beganAt.map { $0 + configuration.headTimeout } ?? movedAt + configuration.httpIdleTimeout
        case .waiting:
            let end = (beganAt ?? movedAt) + configuration.headTimeout
            return retryAt.map { min($0, end) } ?? end
        case .relaying: return freshUntil.map { min($0, stalledAt) } ?? stalledAt
        case .draining: return stalledAt
        case .over: return nil
        }
    }

    /// The time at which the exchange counts as stalled.
    private var stalledAt: MonotonicTime {
        let configuration = client.settings.configuration
        let isClientsTurn = !body.isComplete && tunnel?.hasUnsent != true
        return movedAt + (isClientsTurn ? configuration.httpIdleTimeout : configuration.tunnelIdleTimeout)
    }

    func timerFired() {
        guard let deadline, deadline <= client.loop.now else { return }
        switch state {
        case .resting where beganAt != nil: refuse(.requestTimeout)
        case .resting: client.abort(nil)
        case .waiting(let request):
            let end = (beganAt ?? movedAt) + client.settings.configuration.headTimeout
            if end <= client.loop.now { refuse(.busy) } else { start(request) }
        case .relaying, .draining:
            if stalledAt <= client.loop.now {
                client.abort("no data passed through the tunnel in time")
            } else {
                settle()
            }
        case .over: break
        }
    }

    // MARK: The end

    /// Responds in place of the server if its response hasn't begun, and ends the connection.
    private func refuse(_ rejection: UpgradeRejection) {
        if case .relaying = state, hasResponseBegun {
            client.services.note(client, "cut off: \(rejection.reason)")
            return endClient()
        }
        close()
        client.reject(rejection, answering: method)
    }

    private func endClient() {
        close()
        client.linger()
    }

    private func closeTunnel() {
        tunnel?.close()
        tunnel = nil
    }

    /// Releases the server. The connection is in another phase from now on, or closed.
    func close() {
        state = .over
        closeTunnel()
        client.services.releaseSlot(client)
    }
}

extension UpgradeRejection {
    /// All slots for plain HTTP are taken, for longer than a request may wait.
    static let busy = UpgradeRejection.unavailable(
        "The hub is busy with other requests. Try again in a few seconds.", retryAfterSeconds: 5)

    static let httpNotRunning = UpgradeRejection.unavailable(
        "The HTTP service is not running. Try again in a few seconds.", retryAfterSeconds: 5)
}
