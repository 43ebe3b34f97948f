internal import DequeModule
internal import Synchronization

/// The slots of the HTTP server behind the hub: limits concurrent requests in total and per address, and queues the
/// rest.
///
/// A connection holds a slot from its request to the end of the response. Then its link to the server (its tunnel)
/// becomes idle: it is kept for the next request, and closed as soon as another connection needs the slot. The client's
/// own connection stays open and gets another tunnel with its next request. So idle connections exclude nobody.
///
/// An address may have as many concurrent requests as there are free slots, and at most `perAddressMax`: like the ports
/// of a switch with shared memory, no address can take all slots, and an address without any gets one. Further requests
/// wait, first come, first served within an address, and in turn among addresses.
///
/// The server answers in the order of requests. So that nobody waits behind a thousand requests of others, only a few
/// requests are *fresh* at a time: until the response begins, or until the request has taken so long that it must be
/// waiting for something other than a processor (`settle`).
///
/// Shared by all loops; called two or three times for each plain HTTP request.
final class HTTPSlots: Sendable {
    /// A connection.
    struct Holder: Hashable, Sendable {
        let loop: Int
        let serial: UInt64
    }

    enum Answer: Hashable {
        /// - Parameter keepsTunnel: whether the idle tunnel still belongs to the connection.
        case granted(keepsTunnel: Bool)
        /// A notice follows later.
        case waiting
        /// Too many requests are waiting.
        case refused
    }

    /// A notice to another connection, delivered on its own loop.
    struct Notice: Hashable, Sendable {
        enum Kind: Hashable, Sendable {
            /// The connection has got the slot that it waited for.
            case granted
            /// Its tunnel must be closed if it is still idle since that turn.
            case tunnelLost(turn: UInt64)
            /// It must be closed if it is still idle since that turn.
            case closed(turn: UInt64)
        }

        let holder: Holder
        let kind: Kind
    }

    private enum Standing {
        case busy(isFresh: Bool)
        case waiting
        /// Between two requests.
        case resting(turn: UInt64, hasTunnel: Bool)
    }

    private struct Entry {
        let address: String
        var standing: Standing
    }

    private struct Share {
        var busy = 0
        /// The number of fresh requests among them.
        var fresh = 0
        var waiting = HolderQueue()
        /// Connections between two requests, with and without a tunnel.
        var resting = HolderQueue()
        var bare = HolderQueue()
        /// Whether it is in `waitingAddresses`.
        var isListed = false

        var isEmpty: Bool { busy == 0 && waiting.isEmpty && resting.isEmpty && bare.isEmpty && !isListed }
    }

    private struct State {
        var entries: [Holder: Entry] = [:]
        var shares: [String: Share] = [:]
        var resting = HolderQueue()
        var busy = 0
        var fresh = 0
        var waiting = 0
        /// The addresses in the order of their turns.
        var waitingAddresses: Deque<String> = []
        var lastTurn: UInt64 = 0
    }

    private let state = Mutex(State())
    private let max: Int
    private let perAddressMax: Int
    private let freshMax: Int
    private let waitingMax: Int

    /// - Parameters:
    ///   - max: the maximum of concurrent requests and idle tunnels together.
    ///   - freshMax: the maximum of requests that the server may still have to look at.
    ///   - waitingMax: the maximum of requests that wait for a slot.
    init(max: Int, perAddressMax: Int, freshMax: Int, waitingMax: Int) {
        self.max = max
        self.freshMax = freshMax
        self.perAddressMax = perAddressMax
        self.waitingMax = waitingMax
    }

    /// The number of active and of waiting requests.
    var counts: (busy: Int, waiting: Int) { state.withLock { ($0.busy, $0.waiting) } }

    // MARK: A connection's requests

    /// Requests a slot for a connection.
    func take(_ holder: Holder, of address: String) -> (Answer, [Notice]) {
        state.withLock { state in
            var keepsTunnel = false
            if case .resting(_, let hasTunnel) = state.entries[holder]?.standing {
                keepsTunnel = hasTunnel
                remove(holder, &state)
            }
            // Earlier requests go first.
            guard state.shares[address]?.waiting.isEmpty ?? true, mayServe(address, state) else {
                return (wait(holder, address, &state), grantWaiting(&state))
            }
            var notices: [Notice] = []
            serve(holder, address, &state, &notices)
            return (.granted(keepsTunnel: keepsTunnel), notices)
        }
    }

    /// Ends a request's fresh phase: its response has begun, or it has taken long.
    func settle(_ holder: Holder) -> [Notice] {
        state.withLock { state in
            guard let entry = state.entries[holder], case .busy(isFresh: true) = entry.standing else { return [] }
            state.entries[holder]?.standing = .busy(isFresh: false)
            state.fresh -= 1
            state.shares[entry.address]?.fresh -= 1
            return grantWaiting(&state)
        }
    }

    /// Ends a connection's exchange: its tunnel becomes idle, and its slot is free.
    ///
    /// - Returns: the turn, which notices name, and notices to other connections and possibly to this one.
    func rest(_ holder: Holder) -> (turn: UInt64, [Notice]) {
        state.withLock { state in
            guard let entry = state.entries[holder], case .busy = entry.standing else { return (0, []) }
            remove(holder, &state)
            let turn = nextTurn(&state)
            state.entries[holder] = Entry(address: entry.address, standing: .resting(turn: turn, hasTunnel: true))
            state.shares[entry.address, default: Share()].resting.append(holder, turn: turn)
            state.resting.append(holder, turn: turn)
            return (turn, grantWaiting(&state))
        }
    }

    /// Removes a connection that is closed or about to be, or no longer plain HTTP.
    func leave(_ holder: Holder) -> [Notice] {
        state.withLock { state in
            guard state.entries[holder] != nil else { return [] }
            remove(holder, &state)
            return grantWaiting(&state)
        }
    }

    /// Removes the connection of an address that has been idle for longest.
    ///
    /// - Returns: the notice that closes it; `nil` if there is none.
    func closeLongestResting(of address: String) -> Notice? {
        state.withLock { state in
            // A connection whose tunnel was taken has been idle for longer than one that kept it.
            guard
                let holder = state.shares[address]?.bare.popFirst() ?? state.shares[address]?.resting.popFirst(),
                case .resting(let turn, _) = state.entries[holder]?.standing
            else { return nil }
            remove(holder, &state)
            return Notice(holder: holder, kind: .closed(turn: turn))
        }
    }

    // MARK: Rules

    private func mayServe(_ address: String, _ state: State) -> Bool {
        let share = state.shares[address]
        return (share?.busy ?? 0) < min(perAddressMax, max - state.busy)
            && (share?.fresh ?? 0) < freshMax - state.fresh
    }

    private func serve(_ holder: Holder, _ address: String, _ state: inout State, _ notices: inout [Notice]) {
        makeRoom(for: address, &state, &notices)
        state.busy += 1
        state.fresh += 1
        state.shares[address, default: Share()].busy += 1
        state.shares[address]?.fresh += 1
        state.entries[holder] = Entry(address: address, standing: .busy(isFresh: true))
    }

    /// Closes the tunnel that has been idle for longest: one of the address if it holds all of its slots, else one of
    /// any.
    private func makeRoom(for address: String, _ state: inout State, _ notices: inout [Notice]) {
        let ofAddress = state.shares[address].map { $0.busy + $0.resting.count } ?? 0
        let victim: Holder?
        if ofAddress >= perAddressMax {
            victim = state.shares[address]?.resting.popFirst()
        } else if state.busy + state.resting.count >= max {
            victim = state.resting.popFirst()
        } else {
            victim = nil
        }
        guard let victim, var entry = state.entries[victim], case .resting(let turn, true) = entry.standing else {
            return
        }
        entry.standing = .resting(turn: turn, hasTunnel: false)
        state.entries[victim] = entry
        state.resting.remove(victim)
        state.shares[entry.address]?.resting.remove(victim)
        state.shares[entry.address]?.bare.append(victim, turn: turn)
        notices.append(Notice(holder: victim, kind: .tunnelLost(turn: turn)))
    }

    private func wait(_ holder: Holder, _ address: String, _ state: inout State) -> Answer {
        guard state.waiting < waitingMax else { return .refused }
        state.waiting += 1
        state.entries[holder] = Entry(address: address, standing: .waiting)
        let turn = nextTurn(&state)
        state.shares[address, default: Share()].waiting.append(holder, turn: turn)
        if state.shares[address]?.isListed == false {
            state.shares[address]?.isListed = true
            state.waitingAddresses.append(address)
        }
        return .waiting
    }

    /// Grants slots to waiting requests that may be served, one per address in turn.
    private func grantWaiting(_ state: inout State) -> [Notice] {
        var notices: [Notice] = []
        var passedOver = 0
        while passedOver < state.waitingAddresses.count, let address = state.waitingAddresses.popFirst() {
            if mayServe(address, state), let holder = state.shares[address]?.waiting.popFirst() {
                state.waiting -= 1
                serve(holder, address, &state, &notices)
                notices.append(Notice(holder: holder, kind: .granted))
                passedOver = 0
            } else {
                passedOver += 1
            }
            if state.shares[address]?.waiting.isEmpty ?? true {
                state.shares[address]?.isListed = false
                forgetIfEmpty(address, &state)
            } else {
                state.waitingAddresses.append(address)
            }
        }
        return notices
    }

    private func remove(_ holder: Holder, _ state: inout State) {
        guard let entry = state.entries.removeValue(forKey: holder) else { return }
        switch entry.standing {
        case .busy(let isFresh):
            state.busy -= 1
            state.shares[entry.address]?.busy -= 1
            guard isFresh else { break }
            state.fresh -= 1
            state.shares[entry.address]?.fresh -= 1
        case .waiting:
            state.waiting -= 1
            state.shares[entry.address]?.waiting.remove(holder)
        case .resting:
            state.resting.remove(holder)
            state.shares[entry.address]?.resting.remove(holder)
            state.shares[entry.address]?.bare.remove(holder)
        }
        forgetIfEmpty(entry.address, &state)
    }

    private func forgetIfEmpty(_ address: String, _ state: inout State) {
        if state.shares[address]?.isEmpty ?? false { state.shares[address] = nil }
    }

    private func nextTurn(_ state: inout State) -> UInt64 {
        state.lastTurn += 1
        return state.lastTurn
    }
}
