@testable import GoHubCore
@testable import GoHubWire
@testable import GoHubConfiguration

extension FuzzTarget {
    /// Settings: a file, the environment and the command line, separated by zero bytes. The last two hold `KEY=VALUE`
    /// lines. A secret is always set, and must never appear in any output.
    static let configuration = FuzzTarget("configuration", bytesMax: 8192) { bytes in
        let sections = bytes.sections(separator: 0, max: 3)
        var environment: [String: String] = ["GOHUB_API_KEY": secret]
        for (name, value) in pairs(sections.dropFirst().first) where name != "GOHUB_API_KEY" {
            environment[name] = value
        }
        let commandLine = pairs(sections.dropFirst(2).first).map { ConfigurationSource.Setting(key: $0, value: $1) }
        var listing: String?
        try ScratchFile.with(sections[0]) { path in
            let file = sections[0].isEmpty ? nil : path
            let configuration: DaemonConfiguration
            do throws(ConfigurationError) {
                let values = try ConfigurationValues(file: file, environment: environment, commandLine: commandLine)
                listing = values.listing()
                configuration = try DaemonConfiguration(values)
            } catch {
                return try check(error)
            }
            try check(configuration)
        }
        if let listing { try checkListing(listing) }
    }

    private static let secret = "5ecret-which-nobody-may-see"

    private static func pairs(_ section: [UInt8]?) -> [(String, String)] {
        // Each unknown name is compared with all known ones, so a few are enough.
        (section ?? []).split(separator: 0x0A).prefix(6).map { line in
            let parts = Array(line).sections(separator: UInt8(ascii: "="), max: 2).map(\.text)
            return (parts[0], parts.count == 2 ? parts[1] : "")
        }
    }

    private static func check(_ error: ConfigurationError) throws {
        try require(!error.problems.isEmpty, "an error has a problem")
        for problem in error.problems {
            try require(
                problem.count > 10 && (problem.hasSuffix(".") || problem.hasSuffix("?")),
                "a problem is a sentence: \(problem)")
            try require(!problem.contains(secret), "an error holds no secret")
        }
    }

    private static func checkListing(_ listing: String) throws {
        try require(!listing.contains(secret), "a listing holds no secret")
        for key in ConfigurationKey.all {
            try require(listing.contains("\(key.name) = "), "a listing has every key")
        }
    }

    private static func check(_ configuration: DaemonConfiguration) throws {
        try require(configuration.limits.contradictions().isEmpty, "limits don't contradict each other")
        try require(configuration.apiKey != nil, "a secret that is set is known")
        try require(!String(reflecting: configuration).contains(secret), "a configuration doesn't print its secret")
        if configuration.isDevelopment {
            try require(
                configuration.listen.isLoopback && configuration.trustedProxies.isEmpty,
                "without keys only this machine is served")
        }
        try require(configuration.drain.deadline > configuration.drain.plan.closeOver, "a drain ends")
        try require((configuration.loops ?? 1) >= 1, "there is a loop")
    }
}
