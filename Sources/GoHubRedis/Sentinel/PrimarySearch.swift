package import GoHubCore

/// Decides which server to connect to next, and when.
///
/// With Sentinels, three rules, each of which other clients learned from a bus that was silent for good:
///
/// 1. They are asked before each connection. Most of them must agree, as far as they answer: a Sentinel that is cut off
///    names the old primary.
/// 2. A server counts as the primary if it says so itself (`ROLE`), at the beginning and again and again. A Sentinel
///    may name one that isn't yet, or isn't any more.
/// 3. Their news of another primary is a shortcut only: it isn't repeated.
///
/// One server, or one name, is connected to as it is; the name is resolved anew each time.
package struct PrimarySearch: Sendable {
    /// What to do next. Each is answered by one of the inputs. Inputs without a step leave under way what is.
    package enum Step: Hashable, Sendable {
        /// Connect to the Sentinel and ask: `answered` or `unanswered`.
        case ask(RedisAddress)
        /// Connect both connections, and look at the server's role: `connected` or `lost`.
        case connect(RedisAddress)
        /// Wait: `timerFired`.
        case wait(until: MonotonicTime)
        /// The connections are right, as far as anybody knows; go on with them.
        case stay
        /// Close the connections, and then `lost`.
        case leave
    }

    private struct Connected: Sendable {
        let address: RedisAddress
        let since: MonotonicTime
    }

    private enum State: Sendable {
        /// A round of questions, for new connections or to check those that there are. To `connecting`, `connected` or
        /// `waiting`.
        case asking(RedisAddress, checking: Connected?)
        /// To `connected`, or with `lost` to any other.
        case connecting(RedisAddress)
        /// To `asking` or `waiting`.
        case connected(Connected)
        /// To `asking` or `connecting`.
        case waiting(until: MonotonicTime)
    }

    private let place: RedisLocation.Place
    private let limits: RedisLimits
    private var state: State
    /// Sentinels in the order in which they are asked: those that answered come first.
    private var sentinels: [RedisAddress]
    /// Sentinels of this round that weren't asked.
    private var unasked: ArraySlice<RedisAddress> = []
    /// Answers of this round, in their order.
    private var votes: [(address: RedisAddress, count: Int)] = []
    /// Servers of this round that were of no use.
    private var tried: Set<RedisAddress> = []
    /// Rounds without success.
    private var attempt = 0
    /// The last reaction to nodes on another server.
    private var rivalsAt: MonotonicTime?

    /// Begins with `timerFired`.
    package init(_ place: RedisLocation.Place, limits: RedisLimits, now: MonotonicTime) {
        self.place = place
        self.limits = limits
        sentinels = if case .sentinels(let sentinels, _) = place { sentinels } else { [] }
        state = .waiting(until: now)
    }

    /// The server of the connections; `nil` while there are none, or their roles aren't known.
    package var primary: RedisAddress? {
        switch state {
        case .connected(let connected): connected.address
        case .asking(_, let checked): checked?.address
        case .connecting, .waiting: nil
        }
    }

    // MARK: Inputs

    /// - Returns: `nil` before its time, and while something else is under way.
    package mutating func timerFired(now: MonotonicTime, random: UInt64) -> Step? {
        guard case .waiting(let until) = state, until <= now else { return nil }
        return beginRound(now, random)
    }

    /// Handles a Sentinel's answer.
    ///
    /// - Parameter primary: `nil` if it doesn't know the primary.
    package mutating func answered(_ primary: RedisAddress?, now: MonotonicTime, random: UInt64) -> Step? {
        guard case .asking(let sentinel, let checked) = state else { return nil }
        guard let primary else { return ask(checking: checked, now, random) }
        prefer(sentinel)
        if let index = votes.firstIndex(where: { $0.address == primary }) {
            votes[index].count += 1
        } else {
            votes.append((primary, 1))
        }
        return ask(checking: checked, now, random)
    }

    /// Handles a Sentinel that can't be reached, refuses the question, or doesn't answer.
    package mutating func unanswered(now: MonotonicTime, random: UInt64) -> Step? {
        guard case .asking(_, let checked) = state else { return nil }
        return ask(checking: checked, now, random)
    }

    /// Both connections are there, and the server is the primary.
    package mutating func connected(now: MonotonicTime) {
        guard case .connecting(let address) = state else { return }
        state = .connected(Connected(address: address, since: now))
    }

    /// The connections are lost, or can't be made, or the server isn't the primary.
    package mutating func lost(now: MonotonicTime, random: UInt64) -> Step? {
        switch state {
        case .connecting(let address):
            tried.insert(address)
            // Another Sentinel may know better.
            return isSentinel ? ask(checking: nil, now, random) : rest(now, random)
        case .connected(let connected):
            // A connection that held for a while was a success. One that breaks at once isn't, however it began:
            // otherwise a node without the right to publish would connect without pause.
            if connected.since + limits.stableAfter <= now { attempt = 0 }
            return rest(now, random)
        case .asking(let sentinel, .some):
            // They broke while they were checked: the round goes on, for new ones.
            state = .asking(sentinel, checking: nil)
            return nil
        case .asking, .waiting: return nil
        }
    }

    /// A Sentinel tells of another primary.
    ///
    /// - Returns: `nil` if it is no news.
    package mutating func switched(to primary: RedisAddress, now: MonotonicTime, random: UInt64) -> Step? {
        switch state {
        case .connected(let connected): return connected.address == primary ? nil : .leave
        case .waiting: return beginRound(now, random)
        // The round under way asks anyway, and the server's role is looked at.
        case .asking, .connecting: return nil
        }
    }

    /// Other nodes are on a server with another run id, by their rows: some of them hear nothing of the others.
    ///
    /// Sentinels are asked, and decide. Without them the smaller part connects anew, to where the name leads now; both
    /// if they are of one size.
    ///
    /// - Parameters:
    ///   - own: the run id of this node's server.
    ///   - others: those of the other nodes; repeated for each node.
    /// - Returns: `nil` if there is nothing to do now.
    package mutating func compared(
        own: String, others: [String], now: MonotonicTime, random: UInt64
    ) -> Step? {
        guard case .connected = state, others.contains(where: { $0 != own }) else { return nil }
        guard rivalsAt.map({ $0 + limits.rivalsEvery <= now }) ?? true else { return nil }
        rivalsAt = now
        if isSentinel { return check(now: now, random: random) }
        let same = 1 + others.count { $0 == own }
        return 2 * same > 1 + others.count ? nil : .leave
    }

    /// Asks whether the server is still the primary, without a reason to doubt it.
    ///
    /// - Returns: `nil` without Sentinels, and while there are no connections.
    package mutating func check(now: MonotonicTime, random: UInt64) -> Step? {
        guard isSentinel, case .connected(let connected) = state else { return nil }
        resetRound()
        return ask(checking: connected, now, random)
    }

    // MARK: Rounds

    private var isSentinel: Bool { !sentinels.isEmpty }

    private mutating func resetRound() {
        unasked = sentinels[...]
        votes = []
        tried = []
    }

    private mutating func beginRound(_ now: MonotonicTime, _ random: UInt64) -> Step {
        resetRound()
        if case .server(let address) = place { return connect(address) }
        return ask(checking: nil, now, random)
    }

    /// Proceeds with a round: with the server that enough Sentinels name, the next Sentinel, or what was named at all.
    private mutating func ask(checking checked: Connected?, _ now: MonotonicTime, _ random: UInt64) -> Step {
        let majority = sentinels.count / 2 + 1
        let named = votes.filter { !tried.contains($0.address) }
        if let address = named.first(where: { $0.count >= majority })?.address {
            return choose(address, checking: checked)
        }
        if let sentinel = unasked.popFirst() {
            state = .asking(sentinel, checking: checked)
            return .ask(sentinel)
        }
        // The most frequent one; of several, the one with connections, or else the first.
        if let best = named.max(by: { $0.count < $1.count })?.count {
            let candidates = named.filter { $0.count == best }.map(\.address)
            if let checked, candidates.contains(checked.address) { return stay(checked) }
            if let address = candidates.first { return choose(address, checking: checked) }
        }
        // Nobody knows: connections that work are better than none.
        if let checked { return stay(checked) }
        return rest(now, random)
    }

    private mutating func choose(_ address: RedisAddress, checking checked: Connected?) -> Step {
        guard let checked else { return connect(address) }
        if address == checked.address { return stay(checked) }
        state = .connected(checked)
        return .leave
    }

    private mutating func connect(_ address: RedisAddress) -> Step {
        state = .connecting(address)
        return .connect(address)
    }

    private mutating func stay(_ connected: Connected) -> Step {
        state = .connected(connected)
        return .stay
    }

    /// Asks those first that answer.
    private mutating func prefer(_ sentinel: RedisAddress) {
        guard let index = sentinels.firstIndex(of: sentinel), index > 0 else { return }
        // Behind others that have answered in this round.
        let place = min(index, votes.reduce(0) { $0 + $1.count })
        sentinels.remove(at: index)
        sentinels.insert(sentinel, at: place)
    }

    private mutating func rest(_ now: MonotonicTime, _ random: UInt64) -> Step {
        let backoff = isSentinel ? limits.sentinelBackoff : limits.backoff
        let until = now + backoff.delay(attempt: attempt, random: random)
        attempt = min(attempt + 1, 64)
        state = .waiting(until: until)
        return .wait(until: until)
    }
}
