internal import GoHubCore
internal import GoHubPreviewExchange
internal import GoHubStore
internal import GoHubWire
internal import Logging

/// Every setting of the daemon. The limits and rates, which mirror Core's, are in `ConfigurationKeys+Limits.swift`,
/// those of files in `ConfigurationKeys+Files.swift`, those of a cluster in `ConfigurationKeys+Cluster.swift`.
extension ConfigurationKey {
    package static let all: [ConfigurationKey] =
        [
            listen, loops, node,
        ] + cluster + [
            store, storeFile, storeMigrate, historyDaysMax,
            historyMessagesPerRoomMax, historyIdempotencyHours,
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

    /// The key with the dotted path; `nil` if there is none.
    package static func named(_ name: String) -> ConfigurationKey? {
        all.first { $0.name == name }
    }

    // MARK: The server

    package static let listen = text(
        "listen", default: "127.0.0.1:8080", allowed: "HOST:PORT with an IP address or localhost, such as 0.0.0.0:8443",
        "The address that clients connect to. Port 0 lets the system choose."
    ) { ListenAddress($0) != nil }
    package static let loops = integer(
        "loops", default: 0, 0...256, "The number of event loops, each with a thread; 0 is one per core.")
    package static let node = text(
        "node", default: "node-1", allowed: "1 to 64 letters, digits, dots, hyphens or underscores",
        "The node's name in `welcome`, the logs and `/v1/info`."
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
        "deflate", default: false,
        "Whether clients may use compression (permessage-deflate). It costs memory and CPU time.")
    package static let origins = list(
        "origins",
        allowed: "a list of origins, such as https://chat.example.com, https://*.example.com, http://localhost:*, "
            + "same-origin, null or *",
        "The origins of web pages that may open a WebSocket and use the server API (CORS). Default: the hub's own "
            + "host; a list needs `same-origin` to include it."
    ) { (try? OriginPolicy(patterns: [$0])) != nil }
    package static let trustedProxies = list(
        "trustedProxies", allowed: "a list of addresses and ranges, such as 10.0.0.0/8 or ::1",
        "The proxies whose forwarding headers are trusted for the client's address."
    ) { AddressRange($0) != nil }

    // MARK: The store

    package static let store = text(
        "store", default: "sqlite:gohub.sqlite", allowed: "memory, sqlite:PATH or postgres:URL",
        redaction: { (try? StoreLocation($0))?.description ?? "<redacted>" },
        isForOthersToRead: { (try? StoreLocation($0))?.holdsPassword != true },
        "The message store: the process's memory, a file on this machine, or PostgreSQL."
    ) { (try? StoreLocation($0)) != nil }
    package static let storeFile = path(
        "storeFile", "A file with the value of `store`, for a URL with a password; trailing newlines are stripped.")
    package static let storeMigrate = choice(
        "store.migrate", default: StoreConfiguration.Migration.auto.rawValue,
        StoreConfiguration.Migration.allCases.map(\.rawValue),
        "Whether the start migrates a store with an older schema, or refuses it until `gohubd migrate` has run.")
    package static let historyDaysMax = integer(
        "history.daysMax", default: 0, 0...36_500,
        "Days that SQLite and PostgreSQL keep a message; 0 is forever.")
    package static let historyMessagesPerRoomMax = integer(
        "history.messagesPerRoomMax", default: 0, 0...1_000_000_000,
        "Messages of a room that SQLite and PostgreSQL keep; 0 is all.")
    package static let historyIdempotencyHours = integer(
        "history.idempotencyHours", default: 24, 1...8_760,
        "Hours for which SQLite and PostgreSQL recognise a message that is sent again.")
    package static let sqliteBytesMax = integer(
        "sqlite.bytesMax", default: 0, 0...1_000_000_000_000_000,
        "The size limit of the SQLite file, at which sending fails until messages expire; 0 is no limit.")
    package static let postgresDeadlineMs = integer(
        "postgres.deadlineMs", default: 10_000, 100...600_000,
        "The time limit for an answer from PostgreSQL, after which a request fails as `unavailable`.")
    package static let memoryRoomsMax = integer(
        "memory.roomsMax", default: InMemoryMessageStore.Capacity().roomsMax, 1...10_000_000,
        "Rooms in the memory store; the least recently used room is evicted.")
    package static let memoryMessagesPerRoomMax = integer(
        "memory.messagesPerRoomMax", default: InMemoryMessageStore.Capacity().messagesPerRoomMax, 1...10_000_000,
        "Messages of a room in the memory store.")
    package static let memoryBytesPerRoomMax = integer(
        "memory.bytesPerRoomMax", default: InMemoryMessageStore.Capacity().bytesPerRoomMax, 1...1_000_000_000,
        "Bytes of text of a room in the memory store.")
    package static let memoryBytesMax = integer(
        "memory.bytesMax", default: InMemoryMessageStore.Capacity().bytesMax, 1...1_000_000_000_000,
        "Bytes of all messages in the memory store; the least recently used rooms are evicted.")

    // MARK: Connections

    package static let connectionsMax = integer(
        "connections.max", default: 100_000, 1...10_000_000, "Connections in total.")
    package static let connectionsPerAddressMax = integer(
        "connections.perAddressMax", default: 2_000, 1...10_000_000,
        "Connections from one address (IPv6: from one /64 network). A new one replaces an idle plain HTTP connection."
    )
    package static let connectionsHTTPPerAddressMax = integer(
        "connections.httpPerAddressMax", default: 64, 1...10_000_000,
        "Concurrent HTTP requests of one address, without WebSockets; others wait up to `connections.headTimeoutMs`."
    )
    package static let connectionsHeadTimeoutMs = integer(
        "connections.headTimeoutMs", default: 10_000, 100...600_000,
        "The time limit for a client's TLS handshake and request head.")
    package static let connectionsQueuedBytesMax = integer(
        "connections.queuedBytesMax", default: 1 << 30, 1...1_000_000_000_000,
        "Bytes queued for all clients. Near the limit, clients with the longest queues are closed as slow consumers.")

    // MARK: TLS

    package static let tlsCertificate = path(
        "tls.certificate", "PEM: the server's certificate, then the intermediates. Without it there is no TLS.")
    package static let tlsKey = path("tls.key", "PEM: the certificate's private key, without a passphrase.")
    package static let tlsClientCA = path("tls.clientCA", "PEM: the authorities that sign client certificates.")
    package static let tlsClientCertificates = choice(
        "tls.clientCertificates", default: TLSConfiguration.ClientCertificates.none.rawValue,
        TLSConfiguration.ClientCertificates.allCases.map(\.rawValue),
        "Whether clients must present a certificate (mutual TLS)."
    )
    package static let tlsMinimumVersion = choice(
        "tls.minimumVersion", default: TLSVersion.tls12.rawValue, TLSVersion.allCases.map(\.rawValue),
        "The lowest TLS version that a client may use.")

    // MARK: Tokens

    package static let authSecret = secret(
        "auth.secret", bytesMin: 32, "A secret shared with the issuer of the tokens. Prefer `auth.secretFile`.")
    package static let authSecretFile = path(
        "auth.secretFile", "A file with that secret; trailing newlines are stripped.")
    package static let authAlgorithm = choice(
        "auth.algorithm", default: JWTVerifier.Algorithm.hs256.rawValue,
        JWTVerifier.Algorithm.allCases.filter(\.isSymmetric).map(\.rawValue), "The algorithm of the secret.")
    package static let authPublicKeys = list(
        "auth.publicKeys", allowed: "a list of paths", "PEM files with the issuer's public keys (RSA, EC or Ed25519).")
    package static let authRSAAlgorithm = choice(
        "auth.rsaAlgorithm", default: JWTVerifier.Algorithm.RSAScheme.rs256.rawValue,
        JWTVerifier.Algorithm.RSAScheme.allCases.map(\.rawValue),
        "The algorithm of RSA keys that do not name one: keys in PEM, and keys of a key set without `alg`.")
    package static let authJWKSFile = path("auth.jwksFile", "A file with the issuer's key set (JWKS, RFC 7517).")
    package static let authJWKSURL = text(
        "auth.jwksURL", allowed: "an https URL without user and password; http only to this machine",
        "The URL of the issuer's key set. The hub keeps it in memory and refreshes it in the background."
    ) { JWKSLocation($0) != nil }
    package static let authJWKSRefreshMs = integer(
        "auth.jwksRefreshMs", default: 300_000, 10_000...86_400_000,
        "The interval between fetches of the key set; also how long a withdrawn key is still accepted.")
    package static let authIssuer = text("auth.issuer", allowed: "a text", "The required `iss` of tokens.")
    package static let authAudience = text(
        "auth.audience", allowed: "a text",
        "The required value in `aud`. Set it when the issuer also signs tokens for other services.")
    package static let authLeewaySeconds = integer(
        "auth.leewaySeconds", default: 30, 0...JWTVerifier.Configuration.leewaySecondsMax,
        "The tolerated difference between the clocks of the issuer and the hub.")
    package static let authRequireExpiry = flag(
        "auth.requireExpiry", default: true, "Whether tokens must have `exp`.")
    package static let authTokenBytesMax = integer(
        "auth.tokenBytesMax", default: 8192, JWTVerifier.Configuration.tokenBytesRange, "The longest accepted token.")
    package static let authDefaultGrants = choice(
        "auth.defaultGrants", default: "participant", ["participant", "none"],
        "The grants of tokens without `rooms`: reading and writing in every plain room, or nothing.")
    package static let authTokenInQuery = flag(
        "auth.tokenInQuery", default: false,
        "Whether `?access_token=` is accepted. Proxies on the way may log URLs.")

    // MARK: The server API and HTTP

    /// The same minimum as `APIKey`'s.
    private static let apiKeyBytesMin = 16
    package static let apiKey = secret(
        "api.key", bytesMin: apiKeyBytesMin,
        "The key of the server API, which is off without one. Prefer `api.keyFile`.")
    package static let apiKeyFile = path("api.keyFile", "A file with that key; trailing newlines are stripped.")
    package static let httpIdleTimeoutMs = integer(
        "http.idleTimeoutMs", default: 30_000, 1_000...3_600_000,
        "The idle time after which an HTTP connection is closed.")
    package static let httpConnectionsMax = integer(
        "http.connectionsMax", default: 1_000, 1...100_000,
        "Concurrent HTTP requests in total, without WebSockets. An address can use no more slots than are free.")

    // MARK: Previews of images

    package static let previewsEnabled = flag(
        "previews.enabled", default: true, "Whether image previews are made, each by a helper process.")
    package static let previewsHelper = path(
        "previews.helper", "The path of the helper program. Default: `gohub-preview` beside gohubd.")
    package static let previewsPixelsMax = integer(
        "previews.pixelsMax", default: PreviewDefaults.pixelsMax, 1...1_000_000_000,
        "Pixels of an image; larger images have no preview.")
    package static let previewsDeadlineMs = integer(
        "previews.deadlineMs", default: PreviewDefaults.deadlineMilliseconds, 100...600_000,
        "The time that an image can wait for a helper, and the time limit after which the helper is killed.")
    package static let previewsMemoryBytesMax = integer(
        "previews.memoryBytesMax", default: PreviewDefaults.memoryBytesMax, 1...1_000_000_000_000,
        "Bytes of memory for each helper: at least 8 per pixel of `previews.pixelsMax`, and 96 MiB."
    )
    package static let previewsProcessesMax = integer(
        "previews.processesMax", default: PreviewDefaults.processesMax, 1...64,
        "Concurrent helpers; each can use a core and that memory.")
    package static let previewsWaitingMax = integer(
        "previews.waitingMax", default: PreviewDefaults.waitingMax, 0...10_000,
        "Images that wait for a helper; each needs an open file. When full, the next image gets no preview, or an "
            + "image of the user with the most is dropped.")
    package static let previewsUserWaitingMax = integer(
        "previews.userWaitingMax", default: PreviewDefaults.userWaitingMax, 0...10_000,
        "Waiting images of one user.")

    // MARK: Stopping

    package static let drainCloseOverMs = integer(
        "drain.closeOverMs", default: 5_000, 0...3_600_000,
        "The time over which connections are closed when the hub stops.")
    package static let drainReconnectOverMs = integer(
        "drain.reconnectOverMs", default: 10_000, 0...3_600_000,
        "The time over which clients are asked to spread their reconnects.")
    package static let drainDeadlineMs = integer(
        "drain.deadlineMs", default: 20_000, 0...3_600_000,
        "The time after which the process stops even if connections are left. More than `drain.closeOverMs`.")

    // MARK: Logs

    package static let logLevel = choice(
        "log.level", default: Logger.Level.info.rawValue, Logger.Level.allCases.map(\.rawValue),
        "The lowest level that is logged, to standard error.")
    package static let logFormat = choice(
        "log.format", default: "text", ["text", "json"], "The form of a log line: text or JSON.")
}
