import Dispatch
import GoHubSystem
import Synchronization
import Testing

@testable import GoHubRedis

@Suite(.timeLimit(.minutes(1)))
struct HostLookupTests {
    private let wakeup: WakeupDescriptor

    init() throws { wakeup = try WakeupDescriptor() }

    /// Waits until there are answers.
    private func answers(_ lookup: HostLookup, _ count: Int) async throws -> [HostLookup.Answer] {
        var answers: [HostLookup.Answer] = []
        while answers.count < count {
            answers += lookup.takeAnswers()
            // Ends with the test's time limit.
            try await Task.sleep(for: .milliseconds(1))
        }
        return answers
    }

    @Test func addressesNeedNoLookup() {
        for host in ["127.0.0.1", "::1", "10.1.2.3"] { #expect(HostLookup.numeric(.of(host))?.count == 1) }
        for host in ["localhost", "a.b"] { #expect(HostLookup.numeric(.of(host)) == nil) }
    }

    @Test func thoseWhoAskForOneHostShareALookup() async throws {
        let (gate, calls) = (DispatchSemaphore(value: 0), Calls())
        let lookup = HostLookup(lookupsMax: 1, wakeup: wakeup) { _ in
            calls.add()
            gate.wait()
            return .success(HostLookup.numeric(.of("127.0.0.1")) ?? [])
        }
        let numbers = (0..<3).map { _ in lookup.begin(.of("redis")) }
        gate.signal()
        let answers = try await answers(lookup, 3)
        #expect(Set(answers.map(\.number)) == Set(numbers))
        #expect(answers.allSatisfy { (try? $0.addresses.get().count) == 1 })
        #expect(calls.count == 1)
    }

    @Test func moreLookupsThanMayBeAreRefused() async throws {
        let gate = DispatchSemaphore(value: 0)
        let lookup = HostLookup(lookupsMax: 1, wakeup: wakeup) { _ in
            gate.wait()
            return .success([])
        }
        let first = lookup.begin(.of("one"))
        let second = lookup.begin(.of("two"))
        let refused = try await answers(lookup, 1)
        #expect(refused.map(\.number) == [second])
        #expect(throws: RedisError.self) { try refused[0].addresses.get() }
        gate.signal()
        #expect(try await answers(lookup, 1).map(\.number) == [first])
    }

    private final class Calls: Sendable {
        private let number = Mutex(0)

        var count: Int { number.withLock { $0 } }

        func add() { number.withLock { $0 += 1 } }
    }
}
