import Glibc
import GoHubTestSupport
import Testing

@testable import GoHubTLS

@Suite struct TLSReloaderTests {
    let fixture: TLSFixture
    let reloader: TLSReloader

    init() throws {
        fixture = try TLSFixture()
        reloader = try TLSReloader(fixture.configuration())
    }

    private func servedSerial() throws -> Int64 {
        try #require(TLSPair.connected(reloader.current, fixture.options()).client.serverCertificateSerial)
    }

    /// Replaces the server's certificate files, as renewal tools do.
    private func renew(chain: Bool = true, key: Bool = true, notAfterSeconds: Int = 86_400) throws {
        let fresh = try fixture.certificates.issue(named: "fresh", for: .server, notAfterSeconds: notAfterSeconds)
        if chain { try #require(rename(fresh.chainPath, fixture.certificates.server.chainPath) == 0) }
        if key { try #require(rename(fresh.keyPath, fixture.certificates.server.keyPath) == 0) }
    }

    @Test func newCertificateIsServedAfterAReload() throws {
        let before = try servedSerial()
        try renew()
        #expect(try servedSerial() == before)
        try reloader.reload()
        #expect(try servedSerial() != before)
    }

    @Test func liveConnectionsContinueAfterReload() throws {
        let pair = try TLSPair.connected(reloader.current, fixture.options())
        let inHandshake = try TLSPair(reloader.current, fixture.options())
        try renew()
        try reloader.reload()
        try pair.exchange()
        #expect(inHandshake.handshake().server == .done)
        try inHandshake.exchange()
    }

    @Test func brokenCertificateKeepsTheOldOne() throws {
        let before = try servedSerial()
        try #require(truncate(fixture.certificates.server.chainPath, 100) == 0)
        #expect(try #require(throws: TLSError.self) { try reloader.reload() }.code == .notPEM)
        #expect(try servedSerial() == before)
    }

    @Test func expiredCertificateKeepsTheOldOne() throws {
        let before = try servedSerial()
        try renew(notAfterSeconds: -60)
        #expect(try #require(throws: TLSError.self) { try reloader.reload() }.code == .certificateExpired)
        #expect(try servedSerial() == before)
    }

    @Test func partialRenewalKeepsOldCertificate() throws {
        let before = try servedSerial()
        let fresh = try fixture.certificates.issue(named: "fresh", for: .server)
        try #require(rename(fresh.chainPath, fixture.certificates.server.chainPath) == 0)
        for _ in 0..<2 {
            let error = try #require(throws: TLSError.self) { try reloader.reloadIfChanged() }
            #expect(error.code == .keyMismatch)
        }
        #expect(try servedSerial() == before)
        try #require(rename(fresh.keyPath, fixture.certificates.server.keyPath) == 0)
        #expect(try reloader.reloadIfChanged())
        #expect(try servedSerial() != before)
    }

    @Test func unchangedFilesAreLeftAlone() throws {
        let context = reloader.current
        #expect(try !reloader.reloadIfChanged())
        #expect(reloader.current === context)
        try renew()
        #expect(try reloader.reloadIfChanged())
        #expect(reloader.current !== context)
        #expect(try !reloader.reloadIfChanged())
    }

    @Test func swappedLinkIsAChange() throws {
        let link = "\(fixture.certificates.folder)/current.pem"
        try #require(symlink(fixture.certificates.server.chainPath, link) == 0)
        var configuration = fixture.configuration()
        configuration.certificateChainPath = link
        let reloader = try TLSReloader(configuration)
        #expect(try !reloader.reloadIfChanged())
        try #require(rename(fixture.certificates.server.chainPath, "\(fixture.certificates.folder)/moved.pem") == 0)
        #expect(try #require(throws: TLSError.self) { try reloader.reloadIfChanged() }.code == .fileNotFound)
    }

    @Test func firstLoadFailsOnABadFile() throws {
        try #require(unlink(fixture.certificates.server.keyPath) == 0)
        let configuration = fixture.configuration()
        #expect(try #require(throws: TLSError.self) { _ = try TLSReloader(configuration) }.code == .fileNotFound)
    }

    @Test func reloadsAndHandshakesOnManyThreads() async throws {
        let (fixture, reloader) = (fixture, reloader)
        try await withThrowingTaskGroup { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<10 { try TLSPair.connected(reloader.current, fixture.options()).exchange() }
                }
                group.addTask {
                    for _ in 0..<10 { try reloader.reload() }
                }
            }
            try await group.waitForAll()
        }
    }
}
