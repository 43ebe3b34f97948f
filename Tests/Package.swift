// swift-tools-version: 6.2
import PackageDescription

// The tests of Core, Wire, Store and Redis, and the fuzzer, as a separate package, so that the sanitizers need not
// build the daemon and its HTTP server. `swift test` in the folder above runs the same tests with all others.

/// The name of the package above, which SwiftPM takes from its folder. With it these targets can use `package`
/// declarations of that package.
let name = (Context.packageDirectory.split(separator: "/").dropLast().last ?? "").lowercased()
    .map { $0.isLetter || $0.isNumber ? String($0) : "_" }.joined()

let settings: [SwiftSetting] = [
    .unsafeFlags(["-package-name", name]),
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let core = Target.Dependency.product(name: "GoHubCore", package: "gohub")
let wire = Target.Dependency.product(name: "GoHubWire", package: "gohub")
let store = Target.Dependency.product(name: "GoHubStore", package: "gohub")
let redis = Target.Dependency.product(name: "_GoHubRedis", package: "gohub")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "gohub-tests",
    platforms: [.macOS(.v15)],
    dependencies: [
        // By name, so that the folder of the clone may have any name.
        .package(name: "gohub", path: ".."),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    ],
    targets: [
        .target(
            name: "GoHubTestSupport", dependencies: [core, wire, logging], path: "Support", packageAccess: false,
            swiftSettings: settings),
        .testTarget(
            name: "GoHubCoreTests", dependencies: [core, crypto, "GoHubTestSupport"], path: "GoHubCoreTests",
            packageAccess: false, swiftSettings: settings),
        .testTarget(
            name: "GoHubTLSTests", dependencies: [wire, "GoHubTestSupport"], path: "GoHubTLSTests",
            packageAccess: false, swiftSettings: settings),
        .testTarget(
            name: "GoHubWireTests", dependencies: [core, wire, logging, "GoHubTestSupport"], path: "GoHubWireTests",
            packageAccess: false, swiftSettings: settings),
        .testTarget(
            name: "GoHubStoreTests", dependencies: [core, store, crypto, "GoHubTestSupport"], path: "GoHubStoreTests",
            packageAccess: false, swiftSettings: settings),
        .testTarget(
            name: "GoHubRedisTests", dependencies: [core, redis, "GoHubTestSupport"], path: "GoHubRedisTests",
            packageAccess: false, swiftSettings: settings),
        // Links only with `-sanitize=fuzzer`, and in a release build only with `-enable-testing`: `make fuzz`.
        .executableTarget(
            name: "gohub-fuzz",
            dependencies: [
                core, wire, store, redis, crypto, "GoHubTestSupport",
                .product(name: "_GoHubInternals", package: "gohub"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            path: "Fuzz", exclude: ["Corpus", "Dictionaries", "Regression", "seeds.py"],
            packageAccess: false, swiftSettings: settings),
    ]
)
