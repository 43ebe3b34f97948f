import CGoHubOpenSSL
import Dispatch
import Glibc
import GoHubCore
import GoHubTestSupport
import Synchronization
import Testing

@testable import GoHubWire

/// System faults without an attacker: signals, and failed allocations.
@Suite struct FaultTests {
    // MARK: Interrupted system calls

    /// A signal whose handler doesn't restart system calls, sent repeatedly to the loops' threads.
    @Test func signalsOnLoopThreadsAreHarmless() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                // Accessed here, so that the handler needn't initialise it.
                signalCount.store(0, ordering: .relaxed)
                var action = sigaction()
                action.__sigaction_handler.sa_handler = { _ in signalCount.add(1, ordering: .relaxed) }
                sigaction(SIGUSR1, &action, nil)
                for isTLS in [false, true] {
                    try await ServerFixture.run(isTLS: isTLS) { fixture in
                        let healthy = try await HealthyGroup(fixture)
                        var threads: [pthread_t] = []
                        for index in 0..<fixture.loops {
                            let thread = await fixture.server.ask(index, orElse: 0) { _ -> pthread_t in
                                // Its thread comes from a pool that blocks all signals.
                                var signals = sigset_t()
                                sigemptyset(&signals)
                                sigaddset(&signals, SIGUSR1)
                                pthread_sigmask(SIG_UNBLOCK, &signals, nil)
                                return pthread_self()
                            }
                            threads.append(thread)
                        }
                        let isStorming = Flag()
                        let enough = signalCount.load(ordering: .relaxed) + 5_000
                        async let storm: Void = Siege.offThePool { [threads] in
                            defer { isStorming.lower() }
                            for _ in 0..<10_000_000 where signalCount.load(ordering: .relaxed) < enough {
                                for thread in threads { pthread_kill(thread, SIGUSR1) }
                                sched_yield()
                            }
                        }
                        #expect(try await healthy.talk(while: isStorming) > 0)
                        try await storm
                        #expect(signalCount.load(ordering: .relaxed) >= enough)
                    }
                }
            }
        }
    }

    // MARK: OpenSSL without memory

    /// Lets each allocation of OpenSSL on the loop's thread fail in turn, alone or with all that follow, from accepting
    /// a connection to the end of its handshake.
    @Test func handshakeOutOfMemoryEndsOnlyItsConnection() async {
        await #expect(processExitsWith: .success) {
            await recordingErrors {
                // Possible only before OpenSSL has allocated anything.
                try #require(OpenSSLMemory.install())
                // The healthy clients are sent nothing while allocations fail.
                var limits = Limits.patient
                limits.heartbeat = 600_000
                limits.presenceDelay = 600_000
                try await ServerFixture.run(isTLS: true, limits: limits, configure: { $0.loops = 1 }) { fixture in
                    let healthy = try await HealthyGroup(fixture)
                    let thread = await fixture.server.ask(0, orElse: 0) { _ in pthread_self() }
                    let target = Attack.Target(port: fixture.port, tls: fixture.tlsOptions)
                    var number = 0
                    var failedCount = 0
                    var isReached = true
                    // Until a connection needs fewer allocations than that.
                    while isReached {
                        try #require(number < 20_000)
                        for failsAllAfter in [false, true] {
                            OpenSSLMemory.arm(thread, number, failsAllAfter: failsAllAfter)
                            let hasFailed = try await Siege.offThePool {
                                do {
                                    let peer = try target.peer()
                                    try peer.upgrade()
                                    return false
                                } catch {
                                    return true
                                }
                            }
                            isReached = OpenSSLMemory.disarm()
                            if hasFailed { failedCount += 1 }
                            try await fixture.until("the connection is gone") {
                                await fixture.server.statistics().connections == healthy.count
                            }
                        }
                        try await healthy.talk(rounds: 1)
                        // Densely at first, where connections are set up.
                        number += number < 40 ? 1 : 5
                    }
                    #expect(failedCount > 20)
                }
            }
        }
    }
}

/// Global, because a signal handler can capture nothing.
private let signalCount = Atomic(0)

/// Sits between OpenSSL and malloc, and makes chosen allocations fail on one thread.
private enum OpenSSLMemory {
    private static let thread = Atomic<pthread_t>(0)
    /// Allocations before the one that fails.
    private static let left = Atomic(0)
    private static let failsAllAfter = Atomic(false)

    static func install() -> Bool {
        CRYPTO_set_mem_functions(
            { size, _, _ in OpenSSLMemory.fails() ? nil : malloc(size) },
            { memory, size, _, _ in OpenSSLMemory.fails() ? nil : realloc(memory, size) },
            { memory, _, _ in free(memory) }) == 1
    }

    static func arm(_ thread: pthread_t, _ number: Int, failsAllAfter: Bool) {
        left.store(number, ordering: .relaxed)
        self.failsAllAfter.store(failsAllAfter, ordering: .relaxed)
        self.thread.store(thread, ordering: .releasing)
    }

    /// - Returns: whether an allocation failed.
    static func disarm() -> Bool {
        thread.store(0, ordering: .releasing)
        return left.load(ordering: .acquiring) < 0
    }

    private static func fails() -> Bool {
        guard thread.load(ordering: .acquiring) == pthread_self() else { return false }
        let before = left.subtract(1, ordering: .relaxed).oldValue
        return before == 0 || (before < 0 && failsAllAfter.load(ordering: .relaxed))
    }
}
