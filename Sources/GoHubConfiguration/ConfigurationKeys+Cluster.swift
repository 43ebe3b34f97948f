internal import GoHubCore
internal import GoHubRedis

/// The settings of a cluster of hubs.
extension ConfigurationKey {
    package static let cluster: [ConfigurationKey] = [
        clusterEnabled, clusterRedis, clusterRedisFile, clusterPrefix, clusterKey, clusterKeyFile,
    ]

    package static let clusterEnabled = flag(
        "cluster.enabled", default: false,
        "Whether this hub is one of several on one PostgreSQL database. Each has another `node`.")
    // What is wrong with a URL is told by `BusConfiguration`: a password with one unencoded character has many parts
    // that could be wrong.
    package static let clusterRedis = text(
        "cluster.redis",
        allowed: "redis://HOST:PORT or redis+sentinel://HOST:PORT,HOST:PORT/NAME, with TLS rediss:// or "
            + "rediss+sentinel://",
        redaction: { (try? RedisLocation($0))?.description ?? "<redacted>" },
        isForOthersToRead: { (try? RedisLocation($0))?.holdsPassword != true },
        "The Redis server that carries messages between the nodes, or the Sentinels that know it. Prefer "
            + "`cluster.redisFile` for a URL with a password.")
    package static let clusterRedisFile = path(
        "cluster.redisFile",
        "A file with the value of `cluster.redis`, for a URL with a password; trailing newlines are stripped.")
    package static let clusterPrefix = text(
        "cluster.prefix", default: ClusterPrefix.standard.value, allowed: ClusterPrefix.allowed,
        "The first part of the names of the cluster's channels in Redis. Clusters that share a Redis need different ones."
    ) { ClusterPrefix($0) != nil }
    package static let clusterKey = secret(
        "cluster.key", bytesMin: FrameKey.bytesMin,
        "A secret of the nodes, the same on all. With it, a node accepts only what other nodes have signed. Prefer "
            + "`cluster.keyFile`.")
    package static let clusterKeyFile = path(
        "cluster.keyFile",
        "A file with that secret. Further lines have secrets that are accepted, but not used to sign.")
}
