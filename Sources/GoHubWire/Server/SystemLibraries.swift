internal import CGoHubOpenSSL
internal import CGoHubZlib

/// The C libraries that this process runs with, as opposed to the headers that it was compiled against.
public enum SystemLibraries {
    /// A library and its version.
    public struct Version: Hashable, Sendable {
        /// The library's name, such as `OpenSSL`.
        public let name: String
        /// The version reported by the library, such as `3.0.17`.
        public let version: String
    }

    /// For `gohubd version` and for bug reports.
    public static var versions: [Version] {
        [
            Version(name: "OpenSSL", version: String(cString: OpenSSL_version(OPENSSL_VERSION_STRING))),
            Version(name: "zlib", version: String(cString: zlibVersion())),
        ]
    }
}
