internal import GoHubTestSupport

@testable import GoHubCore
@testable import GoHubStore
@testable import GoHubWire
@testable import GoHubConfiguration
@testable import GoHubHTTPSyntax

extension FuzzTarget {
    /// The small texts: names, addresses, patterns, base64url, slash commands. A newline separates two of them.
    static let names = FuzzTarget("names", bytesMax: 512) { bytes in
        let texts = bytes.sections(separator: 0x0A, max: 2).map(\.text)
        for text in texts {
            try checkRoom(text)
            try checkAddress(text)
            try checkBase64(Array(text.utf8))
            try checkPercents(text)
            try checkSettings(text)
            try checkSlashCommand(text)
        }
        if let one = UserID(texts[0]), let other = texts.last.flatMap(UserID.init) {
            let room = RoomName.direct(one, other)
            try requireEqual(RoomName(room.value), room, "a direct conversation's name is a room's name")
            try require(room == .direct(other, one), "it is the same whoever starts it")
            guard let (first, second) = room.participants else {
                throw BrokenPromise(description: "broken: a direct conversation has two participants")
            }
            try require(Set([first, second]) == Set([one, other]), "they are who it was made for")
            try require(first == second || first < second, "and stand in order")
        }
    }

    private static func checkRoom(_ text: String) throws {
        if let room = RoomName(text) {
            try require(room.value.hasSameBytes(as: text), "a room's name has one spelling")
            try require(text.utf8.count <= 3 + 6 * UserID.bytesMax + 1, "a room's name is within its bound")
            if let (first, second) = room.participants {
                try requireEqual(RoomName.direct(first, second), room, "its name tells its participants")
            }
            if let pattern = Grants.Pattern(text) {
                try require(pattern.matches(room) && !room.isDirect, "a plain name is a pattern of itself")
            }
        }
        if let pattern = Grants.Pattern(text) {
            try requireEqual(Grants.Pattern(pattern.description), pattern, "a pattern that is written is read")
        }
    }

    private static func checkAddress(_ text: String) throws {
        if let address = GoHubWire.SocketAddress(ip: text) {
            try require(text.utf8.allSatisfy(isAddressByte), "an address is digits and signs")
            try requireEqual(GoHubWire.SocketAddress(ip: address.text), address, "an address that is written is read")
            try require(!address.limitKey.isEmpty, "an address is counted by something")
        }
        if let listen = ListenAddress(text) {
            try requireEqual(ListenAddress(listen.description), listen, "a listen address that is written is read")
            try require(
                text.hasPrefix("localhost:") || text.utf8.allSatisfy(isAddressByte),
                "a listen address is digits and signs")
        }
        if let range = AddressRange(text) {
            try requireEqual(AddressRange(range.description), range, "a range that is written is read")
            try require(text.utf8.allSatisfy(isAddressByte), "a range is digits and signs")
            let base = text.split(separator: "/").first.flatMap { GoHubWire.SocketAddress(ip: $0) }
            try require(base.map(range.contains) == true, "a range holds its own address")
        }
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: ":"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "["),
            UInt8(ascii: "]"), UInt8(ascii: "+"):
            true
        default: false
        }
    }

    private static func checkBase64(_ bytes: [UInt8]) throws {
        let text = Base64URL.encode(bytes)
        try requireEqual(Base64URL.decode(text.utf8), bytes, "base64url that is written is read")
        guard let decoded = Base64URL.decode(bytes) else { return }
        try require(Base64URL.encode(decoded).utf8.elementsEqual(bytes), "base64url has one spelling")
    }

    private static func checkPercents(_ text: String) throws {
        guard let decoded = PercentEncoding.decode(text) else {
            return try require(text.utf8.contains(UInt8(ascii: "%")), "only a percent sign can be wrong")
        }
        try require(decoded.utf8.count <= text.utf8.count, "decoding makes a text no longer")
        let encoded = decoded.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        try require(PercentEncoding.decode(encoded)?.hasSameBytes(as: decoded) == true, "what is encoded comes back")
    }

    private static func checkSettings(_ text: String) throws {
        if let store = try? StoreLocation(text) {
            let isSecret = text.hasPrefix("postgres")
            try require(!isSecret || store.description == "postgres:<redacted>", "a store's URL isn't shown")
        }
        if let location = JWKSLocation(text) {
            try requireEqual(location.url, text, "a URL is taken as it stands")
            let isPlain = text.lowercased().hasPrefix("http://")
            let isNear = ["localhost", "127.", "[::1]"].contains { text.lowercased().contains($0) }
            try require(!isPlain || isNear, "plain HTTP is for this machine")
        }
        let suggestion = Suggestion.sentence(for: text, among: ["listen", "tls.key"])
        try require(suggestion.hasPrefix("; "), "a suggestion ends a sentence")
        if let policy = try? OriginPolicy(patterns: [text]) {
            try require(policy.allows(origin: nil, host: "", isTLS: false), "a client that isn't a page is allowed")
        }
    }

    private static let registry = SlashCommand.Registry()

    private static func checkSlashCommand(_ text: String) throws {
        let sender = Member(user: UserID(text) ?? .alice, name: text)
        for permissions in [Permissions.all, []] {
            let outcome = registry.outcome(
                of: text, from: sender, in: .lobby, permissions: permissions)
            try requireEqual(outcome != nil, text.first == "/", "what starts with a slash is a command")
            if case .sanction = outcome { try require(permissions == .all, "only a moderator moderates") }
        }
    }
}
