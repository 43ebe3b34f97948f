internal import Glibc
internal import GoHubSystem
internal import Synchronization

/// Looks up the addresses of hosts without blocking the caller.
///
/// `getaddrinfo` blocks for as long as the name server and the system's settings make it, and can't be interrupted. So
/// each look-up has a thread of its own, and those who ask for one host share a look-up. Whoever has stopped waiting
/// ignores the answer.
final class HostLookup: Sendable {
    typealias Addresses = Result<[ServerAddress], RedisError>

    struct Answer: Sendable {
        /// What `begin` has returned.
        let number: UInt64
        let addresses: Addresses
    }

    private struct State {
        /// The numbers of those who wait for each look-up under way.
        var waiting: [RedisAddress: [UInt64]] = [:]
        var answers: [Answer] = []
        var last: UInt64 = 0
    }

    private let state = Mutex(State())
    private let lookupsMax: Int
    private let wakeup: WakeupDescriptor
    private let resolve: @Sendable (RedisAddress) -> Addresses

    /// - Parameters:
    ///   - lookupsMax: the number of threads.
    ///   - wakeup: signalled at each answer.
    ///   - resolve: may block.
    init(
        lookupsMax: Int, wakeup: WakeupDescriptor, resolve: @escaping @Sendable (RedisAddress) -> Addresses
    ) {
        self.lookupsMax = lookupsMax
        self.wakeup = wakeup
        self.resolve = resolve
    }

    /// Begins a look-up, or joins the one under way for the same host.
    ///
    /// - Returns: a number for the answer.
    func begin(_ address: RedisAddress) -> UInt64 {
        enum Step {
            case join, start, refuse
        }
        let (number, step) = state.withLock { state -> (UInt64, Step) in
            state.last += 1
            let isUnderWay = state.waiting[address] != nil
            guard isUnderWay || state.waiting.count < lookupsMax else { return (state.last, .refuse) }
            state.waiting[address, default: []].append(state.last)
            return (state.last, isUnderWay ? .join : .start)
        }
        switch step {
        case .join: break
        case .start: start(address)
        case .refuse:
            let error = RedisError(
                .unreachable,
                "Redis: \(address.host) is not looked up, because the name server has not answered for other names. Check "
                    + "it, or set IP addresses in cluster.redis.")
            state.withLock { $0.answers.append(Answer(number: number, addresses: .failure(error))) }
            wakeup.signal()
        }
        return number
    }

    func takeAnswers() -> [Answer] {
        state.withLock { state in
            defer { state.answers = [] }
            return state.answers
        }
    }

    private func start(_ address: RedisAddress) {
        do throws(SystemError) {
            try SystemThread(name: "redis-lookup") { [self] in end(address, resolve(address)) }.detach()
        } catch {
            end(
                address,
                .failure(
                    RedisError(
                        .unreachable, "Redis: no thread could be started to look up \(address.host) (\(error)).",
                        underlying: error)))
        }
    }

    private func end(_ address: RedisAddress, _ addresses: Addresses) {
        state.withLock { state in
            for number in state.waiting.removeValue(forKey: address) ?? [] {
                state.answers.append(Answer(number: number, addresses: addresses))
            }
        }
        wakeup.signal()
    }

    // MARK: The system's look-up

    /// The address of a host that is written as an IP address; `nil` for a name.
    static func numeric(_ address: RedisAddress) -> [ServerAddress]? {
        guard case .success(let addresses) = system(address, flags: AI_NUMERICHOST, addressesMax: 1) else { return nil }
        return addresses
    }

    /// Asks the system, and blocks until it has answered.
    static func system(_ address: RedisAddress, addressesMax: Int) -> Addresses {
        system(address, flags: 0, addressesMax: addressesMax)
    }

    private static func system(_ address: RedisAddress, flags: Int32, addressesMax: Int) -> Addresses {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = flags | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(address.host, String(address.port), &hints, &list)
        guard code == 0 else {
            let reason = code == EAI_SYSTEM ? systemErrorText(errno) : String(cString: gai_strerror(code))
            return .failure(unknown(address, reason))
        }
        defer { freeaddrinfo(list) }
        var addresses: [ServerAddress] = []
        var next = list
        // The list belongs to this function until `freeaddrinfo`, and ends with a null.
        while let info = next?.pointee, addresses.count < addressesMax {
            if let found = ServerAddress(info) { addresses.append(found) }
            next = info.ai_next
        }
        return addresses.isEmpty ? .failure(unknown(address, "it has no IP address")) : .success(addresses)
    }

    private static func unknown(_ address: RedisAddress, _ reason: String) -> RedisError {
        RedisError(
            .unreachable,
            "Redis: \(address.host) can't be looked up: \(reason). Correct the name in cluster.redis, or check the name "
                + "server.")
    }
}
