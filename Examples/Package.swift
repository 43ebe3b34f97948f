// swift-tools-version: 6.2
import PackageDescription

/// The same settings as for the hub itself.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOWebSocket", package: "swift-nio"),
]

let package = Package(
    name: "gohub-examples",
    platforms: [.macOS(.v15)],
    dependencies: [
        // By name, so that the folder of the clone may have any name.
        // Without the packages that only token verification, the store and the daemon need.
        .package(name: "gohub", path: "..", traits: []),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    ],
    targets: [
        .executableTarget(
            name: "NIOChat", dependencies: nio + [.product(name: "GoHubCore", package: "gohub")],
            swiftSettings: settings),
        .testTarget(
            name: "NIOChatTests",
            dependencies: nio + ["NIOChat", .product(name: "GoHubCore", package: "gohub")],
            swiftSettings: settings),
    ]
)
