import Crypto
import CryptoExtras
import Synchronization
import Testing

@testable import GoHubCore

/// Stands in for the URL: serves the set key sets, counts fetches, and can hold a fetch until the test releases it.
private final class KeyServer: Sendable {
    struct Outage: Error {}

    private struct State {
        var set: String?
        var fetches = 0
        var running = 0
        var runningMax = 0
        var isHolding = false
        var held: [CheckedContinuation<Void, Never>] = []
        var arrivals: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var fetches: Int { state.withLock { $0.fetches } }
    var runningMax: Int { state.withLock { $0.runningMax } }

    /// `nil` for an outage.
    func serve(_ set: String?) {
        state.withLock { $0.set = set }
    }

    func serve(_ keys: [String: Curve25519.Signing.PrivateKey]) {
        serve(#"{"keys":[\#(keys.map { $0.value.publicJWK(id: $0.key) }.joined(separator: ","))]}"#)
    }

    func hold() {
        state.withLock { $0.isHolding = true }
    }

    func letGo() {
        let held = state.withLock { state in
            state.isHolding = false
            defer { state.held = [] }
            return state.held
        }
        held.forEach { $0.resume() }
    }

    /// Returns when a fetch is held.
    func untilHeld() async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                guard state.held.isEmpty else { return true }
                state.arrivals.append(continuation)
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    func fetch() async throws -> [UInt8] {
        state.withLock { state in
            state.fetches += 1
            state.running += 1
            state.runningMax = max(state.runningMax, state.running)
        }
        defer { state.withLock { $0.running -= 1 } }
        await withCheckedContinuation { continuation in
            let arrivals = state.withLock { state -> [CheckedContinuation<Void, Never>]? in
                guard state.isHolding else { return nil }
                state.held.append(continuation)
                defer { state.arrivals = [] }
                return state.arrivals
            }
            guard let arrivals else { return continuation.resume() }
            arrivals.forEach { $0.resume() }
        }
        guard let set = state.withLock({ $0.set }) else { throw Outage() }
        return [UInt8](set.utf8)
    }
}

struct JWKSCacheTests {
    private let server = KeyServer()
    private let clock = JWKSTestClock()
    private let first: Curve25519.Signing.PrivateKey
    private let second: Curve25519.Signing.PrivateKey

    init() throws {
        first = Curve25519.Signing.PrivateKey()
        second = Curve25519.Signing.PrivateKey()
    }

    private static let settings = JWKSCache.Settings(
        refreshInterval: .seconds(300), fetchIntervalMin: .seconds(10), fetchTimeout: .seconds(5))

    private func makeCache(
        issuer: String? = nil, observe: @escaping @Sendable (JWKSCache.Event) -> Void = { _ in }
    ) -> JWKSCache {
        let settings = JWKSCache.Settings(
            issuer: issuer, refreshInterval: .seconds(300), fetchIntervalMin: .seconds(10), fetchTimeout: .seconds(5))
        return JWKSCache(settings: settings, clock: clock, observe: observe) { [server] in try await server.fetch() }
    }

    private func makeVerifier(_ cache: JWKSCache, keys: VerificationKeys = .none) throws -> JWTVerifier {
        try JWTVerifier(keys: keys, cache: cache, configuration: JWTVerifier.Configuration(), wallClock: { testNow })
    }

    private func token(_ key: Curve25519.Signing.PrivateKey, _ id: String?, claims: String = plainClaims) async throws
        -> String
    {
        try TestSigner(key).token(claims, keyID: id)
    }

    @Test func theFirstTokenFetchesAndTheNextDoesNot() async throws {
        server.serve(["1": first])
        let verifier = try makeVerifier(makeCache())
        let token = try await token(first, "1")
        for _ in 0..<3 {
            #expect(await verifier.refusal(of: token) == nil)
        }
        #expect(server.fetches == 1)
    }

    @Test func rotation() async throws {
        server.serve(["1": first])
        let verifier = try makeVerifier(makeCache())
        let old = try await token(first, "1")
        let new = try await token(second, "2")
        #expect(await verifier.refusal(of: old) == nil)

        server.serve(["1": first, "2": second])
        clock.advance(by: .seconds(10))
        #expect(await verifier.refusal(of: new) == nil)
        #expect(await verifier.refusal(of: old) == nil)

        // The old key is gone: after the next fetch it verifies nothing.
        server.serve(["2": second])
        clock.advance(by: .seconds(10))
        #expect(await verifier.refusal(of: try token(second, "3")) == .unknownKey)
        #expect(await verifier.refusal(of: old) == .unknownKey)
        #expect(await verifier.refusal(of: new) == nil)
    }

    @Test func stormOfUnknownKeys() async throws {
        server.serve(["1": first])
        let verifier = try makeVerifier(makeCache())
        let good = try await token(first, "1")
        #expect(await verifier.refusal(of: good) == nil)
        clock.advance(by: .seconds(10))
        for index in 0..<200 {
            #expect(await verifier.refusal(of: try token(second, "unknown-\(index)")) == .unknownKey)
        }
        #expect(server.fetches == 2)
        #expect(await verifier.refusal(of: good) == nil)
        clock.advance(by: .milliseconds(9999))
        #expect(await verifier.refusal(of: try token(second, "x")) == .unknownKey)
        #expect(server.fetches == 2)
        clock.advance(by: .milliseconds(1))
        #expect(await verifier.refusal(of: try token(second, "x")) == .unknownKey)
        #expect(server.fetches == 3)
    }

    /// A wrong signature under a known key, or an algorithm that no published key can have, causes no fetch.
    @Test func forgeriesUnderKnownKeysDoNotFetch() async throws {
        server.serve(["1": first])
        let verifier = try makeVerifier(makeCache())
        #expect(await verifier.refusal(of: try token(first, "1")) == nil)
        clock.advance(by: .seconds(10))
        #expect(await verifier.refusal(of: try token(second, "1")) == .badSignature)
        let hmac = try TestSigner.hmac(TestKeys.secret).token(keyID: "2")
        #expect(await verifier.refusal(of: hmac) == .unknownKey)
        #expect(server.fetches == 1)
    }

    @Test func manyUnknownTokensCauseOneFetch() async throws {
        server.serve(["1": first])
        server.hold()
        let verifier = try makeVerifier(makeCache())
        let token = try await token(first, "1")
        let accepted = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<50 {
                group.addTask { await verifier.refusal(of: token) == nil }
            }
            await server.untilHeld()
            server.letGo()
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(accepted == 50)
        #expect(server.fetches == 1)
        #expect(server.runningMax == 1)
    }

    /// Tokens with known keys don't wait for a fetch that other tokens need.
    @Test func knownKeysDoNotWait() async throws {
        server.serve(["1": first])
        let verifier = try makeVerifier(makeCache())
        let good = try await token(first, "1")
        #expect(await verifier.refusal(of: good) == nil)
        clock.advance(by: .seconds(10))
        server.hold()
        async let waiting = verifier.refusal(of: try token(second, "2"))
        await server.untilHeld()
        #expect(await verifier.refusal(of: good) == nil)
        server.letGo()
        #expect(try await waiting == .unknownKey)
    }

    @Test func outage() async throws {
        server.serve(["1": first])
        let verifier = try makeVerifier(makeCache())
        let good = try await token(first, "1")
        #expect(await verifier.refusal(of: good) == nil)
        for set in [nil, "<html>", #"{"keys":[]}"#, #"{"keys":[{"kty":"oct"}]}"#] {
            server.serve(set)
            clock.advance(by: .seconds(10))
            let fetches = server.fetches
            #expect(await verifier.refusal(of: try token(second, "2")) == .unknownKey)
            #expect(server.fetches == fetches + 1)
            #expect(await verifier.refusal(of: good) == nil)
        }
        server.serve(["2": second])
        clock.advance(by: .seconds(10))
        #expect(await verifier.refusal(of: try token(second, "2")) == nil)
    }

    @Test func outageFromTheStart() async throws {
        let verifier = try makeVerifier(makeCache())
        let token = try await token(first, "1")
        #expect(await verifier.refusal(of: token) == .keysUnavailable)
        #expect(await verifier.refusal(of: token) == .keysUnavailable)
        #expect(server.fetches == 1)
        server.serve(["1": first])
        clock.advance(by: .seconds(10))
        #expect(await verifier.refusal(of: token) == nil)
    }

    @Test func publishedSecretIsIgnored() async throws {
        let secret = Base64URL.encode(TestKeys.secret)
        server.serve(
            #"{"keys":[{"kty":"oct","alg":"HS256","kid":"s","k":"\#(secret)"},\#(first.publicJWK(id: "1"))]}"#)
        let verifier = try makeVerifier(makeCache())
        #expect(await verifier.refusal(of: try token(first, "1")) == nil)
        let forged = try TestSigner.hmac(TestKeys.secret).token(keyID: "s")
        #expect(await verifier.refusal(of: forged) == .unknownKey)
    }

    @Test func timeout() async throws {
        server.serve(["1": first])
        let events = AsyncStream.makeStream(of: JWKSCache.Event.self)
        let cache = JWKSCache(settings: Self.settings, clock: clock, observe: { events.continuation.yield($0) }) {
            // Never answers, but stops when cancelled.
            try await Task.sleep(for: .seconds(3600))
            return []
        }
        let verifier = try makeVerifier(cache)
        async let refusal = verifier.refusal(of: try token(first, "1"))
        await clock.untilSleeping(for: .seconds(5))
        clock.advance(by: .seconds(5))
        #expect(try await refusal == .keysUnavailable)
        var iterator = events.stream.makeAsyncIterator()
        guard case .failed(_, failuresInARow: 1) = await iterator.next() else {
            Issue.record("The timeout wasn't reported.")
            return
        }
    }

    @Test func backgroundRefreshAndBackoff() async throws {
        server.serve(["1": first])
        let cache = makeCache()
        let verifier = try makeVerifier(cache)
        let old = try await token(first, "1")
        let new = try await token(second, "2")
        let running = Task { await cache.run() }
        await clock.untilSleeping(for: .seconds(300))
        #expect(cache.keys.count == 1)

        server.serve(["2": second])
        #expect(server.fetches == 1)
        clock.advance(by: .seconds(300))
        await clock.untilSleeping(for: .seconds(300))
        #expect(await verifier.refusal(of: new) == nil)
        #expect(cache.keys.count == 1)

        server.serve(nil)
        clock.advance(by: .seconds(300))
        for pause in [10, 20, 40, 80, 160, 300, 300] {
            await clock.untilSleeping(for: .seconds(pause))
            #expect(await verifier.refusal(of: new) == nil)
            clock.advance(by: .seconds(pause))
        }
        server.serve(["1": first])
        await clock.untilSleeping(for: .seconds(300))
        clock.advance(by: .seconds(300))
        await clock.untilSleeping(for: .seconds(300))
        #expect(await verifier.refusal(of: old) == nil)
        #expect(server.runningMax == 1)

        running.cancel()
        await running.value
    }

    @Test func cancellingTheLoopEndsItsFetch() async throws {
        let cache = JWKSCache(settings: Self.settings, clock: clock) {
            try await Task.sleep(for: .seconds(3600))
            return []
        }
        let running = Task { await cache.run() }
        await clock.untilSleeping(for: .seconds(5))
        running.cancel()
        await running.value
        #expect(cache.keys.isEmpty)
    }

    /// A caller that is cancelled doesn't cancel the fetch for the others.
    @Test func cancelledCallersDoNotCancelTheFetch() async throws {
        server.serve(["1": first])
        server.hold()
        let verifier = try makeVerifier(makeCache())
        let token = try await token(first, "1")
        let leaving = Task { await verifier.refusal(of: token) }
        await server.untilHeld()
        leaving.cancel()
        server.letGo()
        #expect(await verifier.refusal(of: token) == nil)
        #expect(server.fetches == 1)
        _ = await leaving.value
    }

    @Test func keysBelongToTheirIssuer() async throws {
        server.serve(["1": first])
        let verifier = try makeVerifier(makeCache(issuer: "https://a.example"))
        let claims = { (issuer: String) in #"{"sub":"ada","exp":1800000600,"iss":"\#(issuer)"}"# }
        #expect(await verifier.refusal(of: try token(first, "1", claims: claims("https://a.example"))) == nil)
        #expect(await verifier.refusal(of: try token(first, "1", claims: claims("https://b.example"))) == .wrongIssuer)
    }

    @Test func besideKeysThatStay() async throws {
        server.serve(["1": first])
        let keys = try VerificationKeys([
            .pem(second.publicKey.pemRepresentation), .secret(TestKeys.secret, id: "s"),
        ])
        let verifier = try makeVerifier(makeCache(), keys: keys)
        #expect(await verifier.refusal(of: try TestSigner.hmac(TestKeys.secret).token(keyID: "s")) == nil)
        #expect(await verifier.refusal(of: try token(second, nil)) == nil)
        #expect(server.fetches == 0)
        // The PEM key has no `kid` and so is tried first. Then the issuer is asked.
        #expect(await verifier.refusal(of: try token(first, "1")) == nil)
        #expect(server.fetches == 1)
    }

    @Test func eventsReportFetchResults() async throws {
        let events = Mutex<[JWKSCache.Event]>([])
        let cache = makeCache { event in events.withLock { $0.append(event) } }
        server.serve(#"{"keys":[{"kty":"x"},\#(first.publicJWK(id: "1"))]}"#)
        await cache.refreshAfterMiss()
        server.serve(nil)
        for _ in 0..<2 {
            clock.advance(by: .seconds(10))
            await cache.refreshAfterMiss()
        }
        let seen = events.withLock { $0 }
        #expect(seen.count == 3)
        guard case .refreshed(keys: 1, let skipped) = seen.first, case .failed(_, failuresInARow: 2) = seen.last else {
            Issue.record("Unexpected events: \(seen)")
            return
        }
        #expect(skipped.count == 1)
    }

    @Test func settingsAreClamped() {
        let settings = JWKSCache.Settings(
            refreshInterval: .zero, fetchIntervalMin: .seconds(-5), fetchTimeout: .seconds(1_000_000))
        #expect(settings.fetchIntervalMin == .seconds(1))
        #expect(settings.refreshInterval == .seconds(1))
        #expect(settings.fetchTimeout == .seconds(60))
    }
}
