import GoHubCore
import GoHubTestSupport
import Testing

// begin: verifier
/// The application's own sign-ins: random tokens, each with a user and an end.
actor SignIns: TokenVerifier {
    private var known: [String: Credentials] = [:]

    func add(_ token: String, _ credentials: Credentials) {
        known[token] = credentials
    }

    func verify(_ token: String) async throws(TokenError) -> Credentials {
        guard let credentials = known[token] else {
            throw TokenError(.unknownKey, "The token is unknown. Sign in again.")
        }
        if let end = credentials.expiresAt, end <= .now() {
            throw TokenError(.expired, "The token has expired. Sign in again.")
        }
        return credentials
    }
}
// end: verifier

// begin: grants
/// May read and write in all rooms whose names start with `team-`, and only read in `news`.
func makeCredentials(_ user: UserID, until end: WallTime) -> Credentials? {
    guard let team = Grants.Pattern("team-*"), let news = Grants.Pattern("news") else { return nil }
    let grants = Grants([
        Grants.Entry(match: team, can: [.read, .write]), Grants.Entry(match: news, can: .read),
    ])
    return Credentials(user: user, grants: grants, expiresAt: end)
}
// end: grants

// begin: use
func makeHub(for signIns: SignIns) -> Hub {
    Hub(verifier: signIns)
}
// end: use

// begin: jwt
/// Verifies tokens that the application has signed with HS256. The secret has at least 32 bytes.
func makeVerifier(_ secret: [UInt8]) throws(JWTVerifier.ConfigurationError) -> some TokenVerifier {
    try JWTVerifier(
        keys: VerificationKeys([.secret(secret)]), configuration: JWTVerifier.Configuration(audience: "chat"))
}
// end: jwt

struct BringingYourOwnTokensPageTests {
    private let later = WallTime(milliseconds: WallTime.now().milliseconds + 600_000)

    /// The events that a client with this token gets, by their JSON, and the close code that ends them.
    private func greet(_ token: String, _ hub: Hub) async -> (first: String?, close: CloseCode?) {
        let outbox = Outbox()
        let connection = hub.attach(outbox, address: "192.0.2.1")
        await connection.receive(#"{"op":"hello","token":"\#(token)"}"#)
        guard case .event(let event) = await outbox.next() else { return (nil, nil) }
        guard case .error = event.event else { return (event.text, nil) }
        guard case .closed(let code) = await outbox.next() else { return (event.text, nil) }
        return (event.text, code)
    }

    @Test func knownTokenIsWelcome() async throws {
        let signIns = SignIns()
        await signIns.add("t1", try #require(makeCredentials(.alice, until: later)))
        let (event, _) = await greet("t1", makeHub(for: signIns))
        #expect(event?.hasPrefix(#"{"op":"welcome""#) == true)
        #expect(event?.contains(#""user":"alice""#) == true)
    }

    @Test func refusedTokenEndsTheSession() async throws {
        let signIns = SignIns()
        await signIns.add("t1", try #require(makeCredentials(.alice, until: WallTime(milliseconds: 0))))
        let hub = makeHub(for: signIns)
        let (unknown, unknownClose) = await greet("t2", hub)
        #expect(unknown?.contains("The token is unknown. Sign in again.") == true)
        #expect(unknownClose == .invalidToken)
        let (expired, expiredClose) = await greet("t1", hub)
        #expect(expired?.contains("The token has expired. Sign in again.") == true)
        #expect(expiredClose == .tokenExpired)
    }

    @Test func grantsHoldByRoom() throws {
        let grants = try #require(makeCredentials(.alice, until: later)).grants
        #expect(grants.permissions(of: .alice, in: .named("team-red")) == [.read, .write])
        #expect(grants.permissions(of: .alice, in: .named("news")) == .read)
        #expect(grants.permissions(of: .alice, in: .lobby) == [])
    }

    @Test func signedTokenIsVerified() async throws {
        let secret = [UInt8](repeating: 7, count: 32)
        let verifier = try makeVerifier(secret)
        let token = try TokenMinter(secret: secret, audience: "chat").mint(
            user: .alice, expiresAt: later)
        #expect(try await verifier.verify(token).user == .alice)
        #expect(throws: JWTVerifier.ConfigurationError.self) { try makeVerifier([1, 2, 3]) }
    }
}
