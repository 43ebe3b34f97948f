package import GoHubCore
package import GoHubStore
package import GoHubWire
package import Logging

/// The settings in the daemon's types, with all checks that involve several of them.
package struct DaemonConfiguration: Sendable {
    /// The bounds of connections, as in `ServerConfiguration`.
    package struct Connections: Sendable {
        /// Connections in total.
        package var max: Int
        /// Connections of one IPv4 address, or one IPv6 /64.
        package var perAddressMax: Int
        /// Concurrent plain HTTP requests of one address.
        package var httpPerAddressMax: Int
        /// The time limit from accepting a connection to the end of its request head.
        package var headTimeout: Milliseconds
        /// Bytes queued for all clients together; at least twice `Limits.queueBytesMax` for each loop.
        package var queuedBytesMax: Int
    }

    /// The bounds of plain HTTP.
    package struct HTTP: Sendable {
        /// The idle time after which a connection is closed.
        package var idleTimeout: Milliseconds
        /// Concurrent requests, and connections to the HTTP server.
        package var connectionsMax: Int
    }

    /// The schedule for stopping.
    package struct Drain: Sendable {
        package var plan: DrainPlan
        /// The time limit for a drain; longer than `DrainPlan.closeOver`.
        package var deadline: Milliseconds
    }

    /// The form of the log.
    package struct Log: Sendable {
        package enum Format: String {
            case text
            case json
        }

        package var level: Logger.Level
        package var format: Format
    }

    /// Only a loopback address in development mode.
    package var listen: ListenAddress
    /// `nil`: one per core.
    package var loops: Int?
    /// The node's name.
    package var node: String
    /// The hub's name among the hubs of its database; `nil` for a hub that is alone.
    package var clusterName: NodeName?
    /// The bus between the hubs of a cluster; `nil` without one.
    package var bus: BusConfiguration?
    package var store: StoreConfiguration
    package var files: FilesConfiguration
    package var origins: OriginPolicy
    package var trustedProxies: [AddressRange]
    package var deflate: Bool
    package var connections: Connections
    /// `nil` serves plain connections.
    package var tls: TLSConfiguration?
    package var auth: TokenKeysConfiguration
    /// Whether a token may be in the query as `access_token`.
    package var allowsTokenInQuery: Bool
    /// The key of the server API; `nil` turns it off.
    package var apiKey: SecretSource?
    package var http: HTTP
    package var previews: PreviewsConfiguration
    package var drain: Drain
    package var log: Log
    package var limits: Limits
    package var rates: RateLimiter.Rates

    /// Whether this hub is one of several on one database.
    package var isClustered: Bool { clusterName != nil }

    /// Whether no key for verifying tokens is configured, so that anyone can use any identity.
    package var isDevelopment: Bool { !auth.hasKeys }

    /// - Throws: `ConfigurationError` for settings that contradict each other. Reads no file.
    package init(_ values: ConfigurationValues) throws(ConfigurationError) {
        guard let listen = values.text(.listen).flatMap(ListenAddress.init) else {
            throw ConfigurationError("listen must be \(ConfigurationKey.listen.allowed).")
        }
        self.listen = listen
        loops = values.integer(.loops) == 0 ? nil : values.integer(.loops)
        node = values.text(.node) ?? "node-1"
        clusterName = try Self.clusterName(values)
        bus = try BusConfiguration(values)
        store = try StoreConfiguration(values)
        files = try FilesConfiguration(values)
        origins = try Self.origins(values)
        trustedProxies = values.list(.trustedProxies).compactMap(AddressRange.init)
        deflate = values.flag(.deflate)
        connections = Connections(
            max: values.integer(.connectionsMax), perAddressMax: values.integer(.connectionsPerAddressMax),
            httpPerAddressMax: values.integer(.connectionsHTTPPerAddressMax),
            headTimeout: values.milliseconds(.connectionsHeadTimeoutMs),
            queuedBytesMax: values.integer(.connectionsQueuedBytesMax))
        tls = try Self.tls(values)
        auth = try TokenKeysConfiguration(values)
        allowsTokenInQuery = values.flag(.authTokenInQuery)
        apiKey = try SecretSource(values, secret: .apiKey, file: .apiKeyFile)
        http = HTTP(
            idleTimeout: values.milliseconds(.httpIdleTimeoutMs), connectionsMax: values.integer(.httpConnectionsMax))
        previews = try PreviewsConfiguration(values)
        drain = try Self.drain(values)
        log = Log(
            level: values.text(.logLevel).flatMap(Logger.Level.init(rawValue:)) ?? .info,
            format: values.text(.logFormat).flatMap(Log.Format.init(rawValue:)) ?? .text)
        limits = try Self.limits(values)
        rates = Self.rates(values)
        try checkExposure()
        try checkQueues()
    }

    /// Several hubs need one database that all of them reach.
    ///
    /// - Parameter location: the store's, which may be in a file.
    package func checkCluster(_ location: StoreLocation) throws(ConfigurationError) {
        guard isClustered else { return }
        if case .postgres = location { return }
        throw ConfigurationError(
            "cluster.enabled is set, but the store is \(location), which only one hub can use. Set store to "
                + "postgres:URL, the same on all hubs, or remove cluster.enabled.")
    }

    /// A client must be able to fill its queue while all other queues are empty.
    private func checkQueues() throws(ConfigurationError) {
        let loops = loops ?? ServerConfiguration(listen: listen).loops
        let least = 2 * limits.queueBytesMax * loops
        guard connections.queuedBytesMax < least else { return }
        throw ConfigurationError(
            "connections.queuedBytesMax (\(connections.queuedBytesMax)) must be at least 2 × limits.queueBytesMax for "
                + "each of the \(loops) loops, which is \(least).")
    }

    /// A hub that requires no tokens must not be reachable from other machines.
    private func checkExposure() throws(ConfigurationError) {
        guard isDevelopment else { return }
        guard trustedProxies.isEmpty else {
            throw ConfigurationError(
                "trustedProxies is set, so a proxy admits other machines, but no key is configured to verify tokens "
                    + "with. Set auth.secretFile, auth.publicKeys, auth.jwksFile or auth.jwksURL, or remove "
                    + "trustedProxies.")
        }
        guard !listen.isLoopback else { return }
        throw ConfigurationError(
            "listen is \(listen), which other machines can reach, but no key is configured to verify tokens with. Set "
                + "auth.secretFile, auth.publicKeys, auth.jwksFile or auth.jwksURL, or listen on 127.0.0.1 to develop "
                + "without tokens.")
    }

    // MARK: Parts

    private static func clusterName(_ values: ConfigurationValues) throws(ConfigurationError) -> NodeName? {
        guard values.flag(.clusterEnabled) else { return nil }
        guard let name = values.text(.node).flatMap(NodeName.init) else {
            throw ConfigurationError("node must be \(ConfigurationKey.node.allowed).")
        }
        return name
    }

    private static func origins(_ values: ConfigurationValues) throws(ConfigurationError) -> OriginPolicy {
        do throws(OriginPolicy.PatternError) {
            return try OriginPolicy(patterns: values.list(.origins))
        } catch {
            throw ConfigurationError("origins: \(error).", underlying: error)
        }
    }

    private static func tls(_ values: ConfigurationValues) throws(ConfigurationError) -> TLSConfiguration? {
        let certificate = values.text(.tlsCertificate)
        let key = values.text(.tlsKey)
        let clientCA = values.text(.tlsClientCA)
        let clientCertificates =
            values.text(.tlsClientCertificates).flatMap(TLSConfiguration.ClientCertificates.init(rawValue:)) ?? .none
        guard let certificate, let key else {
            if certificate != nil { throw ConfigurationError("tls.certificate is set, but tls.key is not. Set both.") }
            if key != nil { throw ConfigurationError("tls.key is set, but tls.certificate is not. Set both.") }
            guard clientCA == nil, clientCertificates == .none else {
                throw ConfigurationError(
                    "tls.clientCA and tls.clientCertificates need TLS. Set tls.certificate and tls.key.")
            }
            return nil
        }
        guard clientCertificates == .none || clientCA != nil else {
            throw ConfigurationError(
                "tls.clientCertificates is \(clientCertificates.rawValue). Set tls.clientCA to the authorities that "
                    + "sign them.")
        }
        return TLSConfiguration(
            certificateChainPath: certificate, privateKeyPath: key, clientCAPath: clientCA,
            clientCertificates: clientCertificates,
            minimumVersion: values.text(.tlsMinimumVersion).flatMap(TLSVersion.init(rawValue:)) ?? .tls12)
    }

    private static func drain(_ values: ConfigurationValues) throws(ConfigurationError) -> Drain {
        let drain = Drain(
            plan: DrainPlan(
                closeOver: values.milliseconds(.drainCloseOverMs),
                reconnectOver: values.milliseconds(.drainReconnectOverMs)),
            deadline: values.milliseconds(.drainDeadlineMs))
        guard drain.deadline > drain.plan.closeOver else {
            throw ConfigurationError(
                "drain.deadlineMs (\(drain.deadline.value)) must be more than drain.closeOverMs "
                    + "(\(drain.plan.closeOver.value)), the time over which connections are closed.")
        }
        return drain
    }

    private static func limits(_ values: ConfigurationValues) throws(ConfigurationError) -> Limits {
        var limits = Limits()
        for limit in LimitKey.all { limit.apply(values.integer(limit.key), &limits) }
        let contradictions = limits.contradictions()
        guard contradictions.isEmpty else {
            throw ConfigurationError(contradictions.map { "The limits contradict each other: \($0)." })
        }
        return limits
    }

    private static func rates(_ values: ConfigurationValues) -> RateLimiter.Rates {
        var rates = RateLimiter.Rates()
        for rate in RateKey.all {
            // The keys' ranges are those of `Rate`, except for the 0 that stands for no limit.
            let perSecond = UInt64(clamping: values.integer(rate.perSecond))
            let burst = UInt64(clamping: values.integer(rate.burst))
            rate.apply(perSecond == 0 ? nil : RateLimiter.Rate.perSecond(perSecond, burst: burst), &rates)
        }
        return rates
    }
}

extension ConfigurationValues {
    /// A number of milliseconds; negative ones count as 0.
    package func milliseconds(_ key: ConfigurationKey) -> Milliseconds {
        Milliseconds(UInt64(clamping: integer(key)))
    }
}
