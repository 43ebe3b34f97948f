// swift-tools-version: 6.2
import PackageDescription

/// One set of language rules for every target: Swift 6 mode, the upcoming features that make
/// dependencies and isolation visible in the source, and no warning left standing.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let exampleDependencies: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOWebSocket", package: "swift-nio"),
]

let package = Package(
    name: "gohub",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "GoHubCore", targets: ["GoHubCore"]),
        .library(name: "GoHubWire", targets: ["GoHubWire"]),
        .library(name: "GoHubStore", targets: ["GoHubStore"]),
        .library(name: "GoHubHTTP", targets: ["GoHubHTTP"]),
        .library(name: "GoHubPreviews", targets: ["GoHubPreviews"]),
        .library(name: "GoHubWeb", targets: ["GoHubWeb"]),
        // For Tests/Package.swift alone: nothing in them is public.
        .library(name: "_GoHubInternals", targets: ["GoHubConfiguration", "GoHubHTTPSyntax"]),
        .library(name: "_GoHubRedis", targets: ["GoHubRedis"]),
        .executable(name: "gohubd", targets: ["gohubd"]),
        .executable(name: "gohub-preview", targets: ["gohub-preview"]),
    ],
    traits: [
        .default(enabledTraits: ["Tokens", "Store", "Daemon"]),
        .trait(name: "Tokens", description: "GoHubCore verifies and signs tokens, and signs links to files."),
        .trait(name: "Store", description: "GoHubStore can be built: it hashes files."),
        .trait(
            name: "Daemon", description: "Everything else can be built: gohubd, the tests, the examples.",
            enabledTraits: ["Tokens", "Store"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Linux system calls that the Glibc module does not import.
        .systemLibrary(name: "CGoHubLinux"),
        .systemLibrary(name: "CGoHubOpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CGoHubZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CGoHubPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CGoHubSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        // The package libgd-dev. Its pkg-config file has a flag that SwiftPM rejects, with a warning in each build.
        .systemLibrary(name: "CGoHubGD"),

        // The operating system calls that other targets share. It depends on no other package.
        .target(name: "GoHubSystem", dependencies: ["CGoHubLinux"], swiftSettings: settings),
        .target(
            name: "GoHubCore",
            dependencies: [
                .product(name: "HeapModule", package: "swift-collections"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Crypto", package: "swift-crypto", condition: .when(traits: ["Tokens"])),
                .product(name: "CryptoExtras", package: "swift-crypto", condition: .when(traits: ["Tokens"])),
            ],
            swiftSettings: settings
        ),
        // TLS on sockets.
        .target(
            name: "GoHubTLS", dependencies: ["GoHubCore", "GoHubSystem", "CGoHubOpenSSL"], swiftSettings: settings),
        .target(
            name: "GoHubWire",
            dependencies: [
                "GoHubCore", "GoHubSystem", "GoHubTLS", "CGoHubLinux", "CGoHubOpenSSL", "CGoHubZlib",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "GoHubStore",
            dependencies: [
                "GoHubCore", "GoHubSystem", "CGoHubLinux", "CGoHubPQ", "CGoHubSQLite",
                .product(name: "Crypto", package: "swift-crypto", condition: .when(traits: ["Store"])),
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: settings
        ),
        // The bus between nodes over Redis.
        .target(
            name: "GoHubRedis",
            dependencies: [
                "GoHubCore", "GoHubSystem", "GoHubTLS",
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: settings
        ),
        // The web client and the JavaScript SDK. Both folders are embedded whole; WebFiles.swift names the files.
        .target(
            name: "GoHubWeb",
            // Tells Node that the scripts are modules, for the SDK's tests.
            exclude: ["package.json"],
            resources: [.embedInCode("Client"), .embedInCode("SDK")],
            swiftSettings: settings
        ),
        // The server API and the file API for a Hummingbird application.
        .target(
            name: "GoHubHTTP",
            dependencies: [
                "GoHubCore", "GoHubWire", "GoHubSystem", "GoHubHTTPSyntax", "CGoHubZlib",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
            ],
            swiftSettings: settings
        ),
        // The parsers of GoHubHTTP and gohubd for client bytes, without a server, so that the fuzzer can link them.
        .target(
            name: "GoHubHTTPSyntax",
            dependencies: ["GoHubCore", "GoHubSystem", .product(name: "NIOCore", package: "swift-nio")],
            swiftSettings: settings
        ),
        // Makes image previews with helper processes.
        .target(
            name: "GoHubPreviews",
            dependencies: [
                "GoHubCore", "GoHubStore", "GoHubSystem", "GoHubPreviewExchange", "CGoHubLinux",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        // The format between GoHubPreviews and its helper for images.
        .target(name: "GoHubPreviewExchange", swiftSettings: settings),
        // Decodes one image in a process without privileges and with bounded memory and time. It depends on no other
        // package except the decoding library.
        .executableTarget(
            name: "gohub-preview",
            dependencies: ["GoHubPreviewExchange", "GoHubSystem", "CGoHubGD", "CGoHubLinux"],
            swiftSettings: settings
        ),
        // Reads the daemon's settings and checks them.
        .target(
            name: "GoHubConfiguration",
            dependencies: [
                "GoHubCore", "GoHubTLS", "GoHubWire", "GoHubStore", "GoHubRedis", "GoHubSystem", "GoHubPreviewExchange",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "gohubd",
            dependencies: [
                "GoHubCore", "GoHubWire", "GoHubStore", "GoHubSystem", "GoHubConfiguration", "GoHubHTTP",
                "GoHubHTTPSyntax", "GoHubPreviews", "GoHubRedis", "GoHubWeb",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),

        // Echoes every message, for conformance suites.
        .executableTarget(
            name: "autobahn-echo",
            dependencies: ["GoHubCore", "GoHubTLS", "GoHubWire", "GoHubTestSupport"],
            path: "Tests/AutobahnEcho",
            swiftSettings: settings
        ),
        // Runs one operation of the hub repeatedly, for counting instructions: Benchmarks/README.md.
        .executableTarget(
            name: "gohub-instructions",
            dependencies: ["GoHubCore", "GoHubWire", .product(name: "Logging", package: "swift-log")],
            path: "Benchmarks/Instructions",
            swiftSettings: settings
        ),
        // The example for embedders. It sees only the hub's public API. With Examples/Package.swift it is a separate
        // package.
        .executableTarget(
            name: "NIOChat", dependencies: ["GoHubCore"] + exampleDependencies, path: "Examples/Sources/NIOChat",
            packageAccess: false, swiftSettings: settings),
        .testTarget(
            name: "NIOChatTests", dependencies: ["NIOChat", "GoHubCore"] + exampleDependencies,
            path: "Examples/Tests/NIOChatTests", packageAccess: false, swiftSettings: settings),
        .target(
            name: "GoHubTestSupport",
            dependencies: [
                "GoHubCore", "GoHubWire", "CGoHubOpenSSL", .product(name: "Logging", package: "swift-log"),
            ],
            path: "Tests/Support",
            swiftSettings: settings
        ),
        .testTarget(name: "GoHubSystemTests", dependencies: ["GoHubSystem"], swiftSettings: settings),
        .testTarget(
            name: "GoHubCoreTests",
            dependencies: [
                "GoHubCore", "GoHubTestSupport",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "GoHubTLSTests",
            dependencies: ["GoHubTLS", "GoHubTestSupport", "CGoHubLinux", "CGoHubOpenSSL"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "GoHubWireTests",
            dependencies: [
                "GoHubCore", "GoHubWire", "GoHubSystem", "GoHubTestSupport", "CGoHubLinux", "CGoHubOpenSSL",
                "CGoHubZlib",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "GoHubStoreTests",
            dependencies: [
                "GoHubCore", "GoHubStore", "GoHubTestSupport", "CGoHubLinux", "CGoHubPQ", "CGoHubSQLite",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "GoHubRedisTests",
            dependencies: ["GoHubCore", "GoHubRedis", "GoHubSystem", "GoHubTestSupport", "CGoHubLinux"],
            swiftSettings: settings),
        .testTarget(
            name: "GoHubHTTPTests",
            dependencies: [
                "GoHubCore", "GoHubWire", "GoHubStore", "GoHubSystem", "GoHubHTTP", "GoHubHTTPSyntax", "GoHubWeb",
                "GoHubTestSupport",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        // Tests both sides of the process boundary. The helper is built beside the tests, which run it.
        .testTarget(
            name: "GoHubPreviewTests",
            dependencies: [
                "gohub-preview", "GoHubCore", "GoHubStore", "GoHubPreviews", "GoHubPreviewExchange", "GoHubTestSupport",
                "CGoHubGD", "CGoHubLinux",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "gohubdTests",
            dependencies: [
                "gohubd", "GoHubCore", "GoHubWire", "GoHubStore", "GoHubRedis", "GoHubSystem", "GoHubConfiguration",
                "GoHubHTTP",
                "GoHubHTTPSyntax", "GoHubPreviews", "GoHubPreviewExchange", "GoHubTestSupport", "CGoHubLinux",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        // The parsers of untrusted bytes, run on the inputs of the corpus. `make fuzz` runs the same code on generated
        // inputs: Tests/Package.swift.
        .testTarget(
            name: "GoHubFuzzTests",
            dependencies: [
                "GoHubCore", "GoHubTLS", "GoHubWire", "GoHubStore", "GoHubRedis", "GoHubSystem", "GoHubConfiguration",
                "GoHubHTTPSyntax", "GoHubTestSupport", "CGoHubOpenSSL",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            path: "Tests/Fuzz",
            exclude: ["Corpus", "Dictionaries", "Driver", "seeds.py"],
            swiftSettings: settings
        ),
    ]
)

// MARK: - Traits

/// A package that uses only the libraries fetches only their dependencies: all other targets name theirs under the
/// trait `Daemon`. SwiftPM leaves out a package only if every target names it under a disabled trait.
for target in package.targets where !["GoHubCore", "GoHubWire", "GoHubStore"].contains(target.name) {
    target.dependencies = target.dependencies.map { dependency in
        guard case .productItem(let name, let package?, let aliases, nil) = dependency else { return dependency }
        return .product(name: name, package: package, moduleAliases: aliases, condition: .when(traits: ["Daemon"]))
    }
}
