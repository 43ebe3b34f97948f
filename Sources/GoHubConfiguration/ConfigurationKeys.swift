internal import GoHubCore
internal import GoHubPreviewExchange
internal import GoHubStore
internal import GoHubWire
internal import Logging

/// Every setting of the daemon. The limits and rates, which mirror Core's, stand in `ConfigurationKeys+Limits.swift`, those of
/// files in `ConfigurationKeys+Files.swift`.
extension ConfigurationKey {
    package static let all: [ConfigurationKey] =
        [
            listen, loops, node, store, storeFile, historyDaysMax, historyMessagesPerRoomMax, historyIdempotencyHours,
            sqliteBytesMax,
            postgresDeadlineMs,
            memoryRoomsMax, memoryMessagesPerRoomMax, memoryBytesPerRoomMax,
            memoryBytesMax,
            origins, trustedProxies, deflate,
            connectionsMax, connectionsPerAddressMax, connectionsHTTPPerAddressMax, connectionsHeadTimeoutMs,
            connectionsQueuedBytesMax,
            tlsCertificate, tlsKey, tlsClientCA, tlsClientCertificates, tlsMinimumVersion,
            authSecret, authSecretFile, authAlgorithm, authPublicKeys, authRSAAlgorithm, authJWKSFile, authJWKSURL,
            authJWKSRefreshMs,
            authIssuer, authAudience, authLeewaySeconds, authRequireExpiry, authTokenBytesMax, authDefaultGrants,
            authTokenInQuery,
            apiKey, apiKeyFile,
            httpIdleTimeoutMs, httpConnectionsMax,
            previewsEnabled, previewsHelper, previewsPixelsMax, previewsDeadlineMs, previewsMemoryBytesMax,
            previewsProcessesMax, previewsWaitingMax, previewsUserWaitingMax,
            drainCloseOverMs, drainReconnectOverMs, drainDeadlineMs,
            logLevel, logFormat,
        ] + files + LimitKey.all.map(\.key) + RateKey.all.flatMap { [$0.perSecond, $0.burst] }

    package static func named(_ name: String) -> ConfigurationKey? {
        all.first { $0.name == name }
    }

    // MARK: The server

    package static let listen = text(
        "listen", default: "127.0.0.1:8080", allowed: "HOST:PORT with an IP address or localhost, such as 0.0.0.0:8443",
        "Where clients connect. Port 0 lets the system choose."
    ) { ListenAddress($0) != nil }
    package static let loops = integer(
        "loops", default: 0, 0...256, "Event loops, each a thread; 0 is one for each core.")
    package static let node = text(
        "node", default: "node-1", allowed: "1 to 64 letters, digits, dots, hyphens or underscores",
        "The node's name, as `welcome`, the logs and `/v1/info` tell it."
    ) { name in
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
    package static let deflate = flag(
        "deflate", default: false, "Whether clients may compress (permessage-deflate); costs memory and time.")
    package static let origins = list(
        "origins",
        allowed: "a list of origins, such as https://chat.example.com, https://*.example.com, http://localhost:*, "
            + "same-origin, null or *",
        "The web pages that may open a WebSocket and use the server API (CORS). None: those of the hub's own host, which "
            + "a list needs `same-origin` for."
    ) { (try? OriginPolicy(patterns: [$0])) != nil }
    package static let trustedProxies = list(
        "trustedProxies", allowed: "a list of addresses and ranges, such as 10.0.0.0/8 or ::1",
        "The proxies whose forwarding headers tell the client's address."
    ) { AddressRange($0) != nil }

    // MARK: The store

    package static let store = text(
        "store", default: "sqlite:gohub.sqlite", allowed: "memory, sqlite:PATH or postgres:URL",
        redaction: { (try? StoreLocation($0))?.description ?? "<redacted>" },
        isForOthersToRead: { (try? StoreLocation($0))?.holdsPassword != true },
        "Where messages are kept: in the process' memory, in a file of this machine, or in PostgreSQL."
    ) { (try? StoreLocation($0)) != nil }
    package static let storeFile = path(
        "storeFile", "A file with what `store` would be, for a URL with a password; line ends after it are left out.")
    package static let historyDaysMax = integer(
        "history.daysMax", default: 0, 0...36_500,
        "Days that SQLite and PostgreSQL keep a message; 0 is for ever.")
    package static let historyMessagesPerRoomMax = integer(
        "history.messagesPerRoomMax", default: 0, 0...1_000_000_000,
        "Messages of a room that SQLite and PostgreSQL keep; 0 is all.")
    package static let historyIdempotencyHours = integer(
        "history.idempotencyHours", default: 24, 1...8_760,
        "Hours in which SQLite and PostgreSQL know that a message was sent before.")
    package static let sqliteBytesMax = integer(
        "sqlite.bytesMax", default: 0, 0...1_000_000_000_000_000,
        "The bound of the SQLite file, at which sending fails until messages have expired; 0 is the disk's.")
    package static let postgresDeadlineMs = integer(
        "postgres.deadlineMs", default: 10_000, 100...600_000,
        "How long PostgreSQL may take for an answer, after which it is `unavailable`.")
    package static let memoryRoomsMax = integer(
        "memory.roomsMax", default: InMemoryMessageStore.Capacity().roomsMax, 1...10_000_000,
        "Rooms whose messages the memory store keeps; the one unused for longest makes way.")
    package static let memoryMessagesPerRoomMax = integer(
        "memory.messagesPerRoomMax", default: InMemoryMessageStore.Capacity().messagesPerRoomMax, 1...10_000_000,
        "Messages of a room that the memory store keeps.")
    package static let memoryBytesPerRoomMax = integer(
        "memory.bytesPerRoomMax", default: InMemoryMessageStore.Capacity().bytesPerRoomMax, 1...1_000_000_000,
        "Bytes of text of a room that the memory store keeps.")
    package static let memoryBytesMax = integer(
        "memory.bytesMax", default: InMemoryMessageStore.Capacity().bytesMax, 1...1_000_000_000_000,
        "Bytes of all messages that the memory store keeps; the rooms unused for longest make way.")

    // MARK: Connections

    package static let connectionsMax = integer(
        "connections.max", default: 100_000, 1...10_000_000, "Connections in total.")
    package static let connectionsPerAddressMax = integer(
        "connections.perAddressMax", default: 2_000, 1...10_000_000,
        "Connections from one address (IPv6: from one /64 network). One of plain HTTP that rests makes way for a new one."
    )
    package static let connectionsHTTPPerAddressMax = integer(
        "connections.httpPerAddressMax", default: 64, 1...10_000_000,
        "Requests of one address, other than WebSockets, served at a time; further ones wait up to `connections.headTimeoutMs`."
    )
    package static let connectionsHeadTimeoutMs = integer(
        "connections.headTimeoutMs", default: 10_000, 100...600_000,
        "How long a client may take for its TLS handshake and its request's head.")
    package static let connectionsQueuedBytesMax = integer(
        "connections.queuedBytesMax", default: 1 << 30, 1...1_000_000_000_000,
        "Bytes that wait for all clients together; as it fills, those who hold the most are dropped as too slow.")

    // MARK: TLS

    package static let tlsCertificate = path(
        "tls.certificate", "PEM: the server's certificate, then the intermediates. Without it there is no TLS.")
    package static let tlsKey = path("tls.key", "PEM: the certificate's private key, without a passphrase.")
    package static let tlsClientCA = path("tls.clientCA", "PEM: the authorities that sign client certificates.")
    package static let tlsClientCertificates = choice(
        "tls.clientCertificates", default: TLSConfiguration.ClientCertificates.none.rawValue,
        TLSConfiguration.ClientCertificates.allCases.map(\.rawValue), "Whether clients show a certificate (mutual TLS)."
    )
    package static let tlsMinimumVersion = choice(
        "tls.minimumVersion", default: TLSVersion.tls12.rawValue, TLSVersion.allCases.map(\.rawValue),
        "The oldest version of TLS that a client may speak.")

    // MARK: Tokens

    package static let authSecret = secret(
        "auth.secret", bytesMin: 32, "A secret shared with the issuer of the tokens. Prefer `auth.secretFile`.")
    package static let authSecretFile = path(
        "auth.secretFile", "A file with that secret; line ends after it are left out.")
    package static let authAlgorithm = choice(
        "auth.algorithm", default: TokenAlgorithm.hs256.rawValue,
        TokenAlgorithm.allCases.filter(\.isSymmetric).map(\.rawValue), "The algorithm that the secret is used with.")
    package static let authPublicKeys = list(
        "auth.publicKeys", allowed: "a list of paths", "PEM files with the issuer's public keys (RSA, EC or Ed25519).")
    package static let authRSAAlgorithm = choice(
        "auth.rsaAlgorithm", default: RSAScheme.rs256.rawValue, RSAScheme.allCases.map(\.rawValue),
        "The one algorithm of RSA keys that name none: those in PEM, and those of a key set without `alg`.")
    package static let authJWKSFile = path("auth.jwksFile", "A file with the issuer's key set (JWKS, RFC 7517).")
    package static let authJWKSURL = text(
        "auth.jwksURL", allowed: "an https URL without user and password; http only to this machine",
        "Where the issuer publishes its key set. Kept in memory, and refreshed in the background."
    ) { JWKSLocation($0) != nil }
    package static let authJWKSRefreshMs = integer(
        "auth.jwksRefreshMs", default: 300_000, 10_000...86_400_000,
        "How often the key set is fetched; also how long a withdrawn key is still accepted.")
    package static let authIssuer = text("auth.issuer", allowed: "a text", "The `iss` that tokens must have.")
    package static let authAudience = text(
        "auth.audience", allowed: "a text",
        "What `aud` must be or contain. To be set when the issuer also signs tokens for other services.")
    package static let authLeewaySeconds = integer(
        "auth.leewaySeconds", default: 30, 0...JWTConfiguration.leewaySecondsMax,
        "How far the clocks of issuer and hub may be apart.")
    package static let authRequireExpiry = flag(
        "auth.requireExpiry", default: true, "Whether tokens without `exp` are refused.")
    package static let authTokenBytesMax = integer(
        "auth.tokenBytesMax", default: 8192, JWTConfiguration.tokenBytesRange, "The longest token.")
    package static let authDefaultGrants = choice(
        "auth.defaultGrants", default: "participant", ["participant", "none"],
        "What tokens without `rooms` allow: to read and write in every plain room, or nothing.")
    package static let authTokenInQuery = flag(
        "auth.tokenInQuery", default: false,
        "Whether `?access_token=` is accepted. URLs end in the logs of every proxy on the way.")

    // MARK: The server API and HTTP

    /// As `APIKey` wants it.
    private static let apiKeyBytesMin = 16
    package static let apiKey = secret(
        "api.key", bytesMin: apiKeyBytesMin, "The key of the server API; off without one. Prefer `api.keyFile`.")
    package static let apiKeyFile = path("api.keyFile", "A file with that key; line ends after it are left out.")
    package static let httpIdleTimeoutMs = integer(
        "http.idleTimeoutMs", default: 30_000, 1_000...3_600_000,
        "Silence after which a connection that isn't a WebSocket is closed.")
    package static let httpConnectionsMax = integer(
        "http.connectionsMax", default: 1_000, 1...100_000,
        "Requests of all addresses, other than WebSockets, served at a time. An address gets no more than are free.")

    // MARK: Previews of images

    package static let previewsEnabled = flag(
        "previews.enabled", default: true, "Whether previews of images are made, each by a helper process.")
    package static let previewsHelper = path(
        "previews.helper", "The helper's program. Without it the `gohub-preview` beside gohubd is taken.")
    package static let previewsPixelsMax = integer(
        "previews.pixelsMax", default: PreviewDefaults.pixelsMax, 1...1_000_000_000,
        "Pixels of an image; one with more has no preview.")
    package static let previewsDeadlineMs = integer(
        "previews.deadlineMs", default: PreviewDefaults.deadlineMilliseconds, 100...600_000,
        "How long an image waits for a helper, and how long that may take for it, after which it is killed.")
    package static let previewsMemoryBytesMax = integer(
        "previews.memoryBytesMax", default: PreviewDefaults.memoryBytesMax, 1...1_000_000_000_000,
        "Bytes of memory that a helper may take for its image: at least 8 for each of `previews.pixelsMax`, and 96 MiB."
    )
    package static let previewsProcessesMax = integer(
        "previews.processesMax", default: PreviewDefaults.processesMax, 1...64,
        "Helpers at a time; each can take a core and that memory.")
    package static let previewsWaitingMax = integer(
        "previews.waitingMax", default: PreviewDefaults.waitingMax, 0...10_000,
        "Images that wait for a helper, each with an open file; the next one has no preview, or one of the user who has "
            + "the most.")
    package static let previewsUserWaitingMax = integer(
        "previews.userWaitingMax", default: PreviewDefaults.userWaitingMax, 0...10_000,
        "Of those, images of one user.")

    // MARK: Stopping

    package static let drainCloseOverMs = integer(
        "drain.closeOverMs", default: 5_000, 0...3_600_000,
        "At a stop, the time over which the closing of the connections is spread.")
    package static let drainReconnectOverMs = integer(
        "drain.reconnectOverMs", default: 10_000, 0...3_600_000,
        "The time over which clients are told to spread their coming back.")
    package static let drainDeadlineMs = integer(
        "drain.deadlineMs", default: 20_000, 0...3_600_000,
        "When the process stops even if connections are left; more than `drain.closeOverMs`.")

    // MARK: Logs

    package static let logLevel = choice(
        "log.level", default: Logger.Level.info.rawValue, Logger.Level.allCases.map(\.rawValue),
        "The least severe messages that are logged, to standard error.")
    package static let logFormat = choice(
        "log.format", default: "text", ["text", "json"], "One line of text, or of JSON.")
}
