internal import GoHubTestSupport

@testable import GoHubCore
@testable import GoHubRedis

extension FuzzTarget {
    /// Channels, prefixes and locations. A newline separates the prefix of the channel's names from the text.
    static let redisNames = FuzzTarget("redisNames", bytesMax: 4096) { bytes in
        let sections = bytes.sections(separator: 0x0A, max: 2)
        let prefix = ClusterPrefix(sections[0].text)
        if let prefix { try require(prefix.value == sections[0].text, "a prefix is taken as it stands") }
        let names = ChannelNames(prefix: prefix ?? .standard)
        let text = sections.last ?? []
        if let topic = names.topic(of: text) {
            try requireEqual(names.channel(of: topic), text, "a channel has one spelling")
            try require(text.count <= ChannelNames.bytesMax, "a channel is within its bound")
        }
        if let user = UserID(text.text) {
            for topic in [
                ClusterTopic.user(UserKey(tenant: .standard, user: user)),
                .room(RoomID(tenant: .standard, name: .direct(user, .alice))),
            ] {
                let channel = names.channel(of: topic)
                try require(names.topic(of: channel) == topic, "a topic's channel leads back to it")
                try require(channel.allSatisfy { (0x21...0x7E).contains($0) }, "a channel is printable ASCII")
            }
        }
        try checkLocation(text.text)
    }

    private static func checkLocation(_ text: String) throws {
        guard let location = try? RedisLocation(text) else { return }
        try requireEqual(
            try RedisLocation(location.description).place, location.place, "a location that is shown leads to the place"
        )
        try require(location.tls == nil || text.hasPrefix("rediss"), "TLS is in the scheme")
        if location.credentials != nil { try require(text.contains("@"), "a user stands before an @") }
        try require(
            location.holdsPassword == (location.credentials != nil || location.sentinelCredentials != nil),
            "a password is known as one")
    }
}
