package import GoHubCore
package import GoHubRedis
internal import GoHubSystem
internal import GoHubTLS

/// The bus between the nodes of a cluster.
package struct BusConfiguration: Sendable {
    /// The place itself, or a file that names it: a URL with a password must not appear on command lines and in
    /// listings.
    package enum Source: Sendable {
        case location(RedisLocation)
        /// The path of a file that contains the location.
        case file(String)
    }

    /// Secrets in one file: the current one, and earlier ones while they are replaced on one node after the other.
    private static let keysMax = 4

    package var source: Source
    package var prefix: ClusterPrefix
    /// The nodes' secrets; `nil` accepts everything that is published.
    package var keys: SecretSource?

    /// - Returns: `nil` without a bus.
    /// - Throws: `ConfigurationError` when a setting is given twice, is no location, or has no use. Reads no file.
    package init?(_ values: ConfigurationValues) throws(ConfigurationError) {
        guard let source = try Self.source(values) else {
            for key in [ConfigurationKey.clusterPrefix, .clusterKey, .clusterKeyFile]
            where values.origin(of: key) != nil {
                throw ConfigurationError(
                    "\(key.name) is set, but there is no bus that it is for. Set cluster.redis or cluster.redisFile, or "
                        + "remove \(key.name).")
            }
            return nil
        }
        guard values.flag(.clusterEnabled) else {
            let key: ConfigurationKey = if case .file = source { .clusterRedisFile } else { .clusterRedis }
            throw ConfigurationError(
                "\(key.name) is set, but cluster.enabled is not, so this hub has no other nodes. Set cluster.enabled, or "
                    + "remove \(key.name).")
        }
        guard let prefix = values.text(.clusterPrefix).flatMap(ClusterPrefix.init) else {
            throw ConfigurationError("cluster.prefix must be \(ConfigurationKey.clusterPrefix.allowed).")
        }
        self.source = source
        self.prefix = prefix
        keys = try SecretSource(values, secret: .clusterKey, file: .clusterKeyFile)
    }

    private static func source(_ values: ConfigurationValues) throws(ConfigurationError) -> Source? {
        switch (values.text(.clusterRedis), values.text(.clusterRedisFile)) {
        case (nil, nil): return nil
        case (let text?, nil):
            do throws(RedisLocationError) {
                return .location(try RedisLocation(text))
            } catch {
                throw ConfigurationError("cluster.redis: \(error).", underlying: error)
            }
        case (nil, let path?): return .file(path)
        case (_?, _?):
            throw ConfigurationError("cluster.redis and cluster.redisFile are both set. Remove one.")
        }
    }

    /// The place, read from its file if it has one.
    ///
    /// - Throws: `ConfigurationError`, without a part of the URL, when the file can't be read or isn't a location.
    package func location() throws(ConfigurationError) -> RedisLocation {
        switch source {
        case .location(let location): return location
        case .file(let path):
            let bytes: [UInt8]
            do throws(BoundedFile.Failure) {
                bytes = try BoundedFile.readSecret(path, bytesMin: 0)
            } catch {
                throw ConfigurationError("cluster.redisFile: \(error).", underlying: error)
            }
            do throws(RedisLocationError) {
                return try RedisLocation(String(decoding: bytes, as: UTF8.self))
            } catch {
                throw ConfigurationError(
                    "cluster.redisFile: the contents of \(path) are invalid: \(error).", underlying: error)
            }
        }
    }

    /// The nodes' secrets, of which the first one signs; empty without one.
    ///
    /// - Throws: `ConfigurationError`, without a secret, when the file can't be read or has other than secrets.
    package func frameKeys() throws(ConfigurationError) -> [FrameKey] {
        guard let keys else { return [] }
        let bytes = try keys.read(bytesMin: FrameKey.bytesMin)
        guard case .file(let path, let name) = keys else {
            return FrameKey(bytes).map { [$0] } ?? []
        }
        let lines = bytes.split(separator: UInt8(ascii: "\n")).map {
            $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0
        }
        guard lines.count <= Self.keysMax else {
            throw ConfigurationError(
                "\(name.name): \(path) has more than \(Self.keysMax) lines, each of which is a secret. Remove those that no "
                    + "node uses.")
        }
        return try lines.enumerated().map { (index, line) throws(ConfigurationError) in
            guard let key = FrameKey(line) else {
                throw ConfigurationError(
                    "\(name.name): line \(index + 1) of \(path) has \(line.count) bytes, but a secret needs at least "
                        + "\(FrameKey.bytesMin). Make one with `openssl rand -base64 \(FrameKey.bytesMin)`.")
            }
            return key
        }
    }

    /// Reads every file that the settings refer to.
    ///
    /// - Throws: `ConfigurationError` that names the setting and the file.
    package func checkFiles() throws(ConfigurationError) {
        _ = try frameKeys()
        guard let tls = try location().tls else { return }
        do throws(TLSError) {
            _ = try TLSClientContext(tls.client)
        } catch {
            let key: ConfigurationKey = if case .file = source { .clusterRedisFile } else { .clusterRedis }
            throw ConfigurationError("\(key.name): \(error.message)", underlying: error)
        }
    }
}
