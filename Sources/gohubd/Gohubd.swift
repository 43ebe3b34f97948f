internal import ArgumentParser
internal import GoHubConfiguration

/// The daemon's program: parse the command line, run the command, turn a failure into one sentence and an exit code.
///
/// Exit codes: 0 done; 1 it couldn't start, or a second signal cut the stopping short; 2 the configuration is wrong;
/// 64 the command line is.
@main
struct Gohubd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gohubd",
        abstract: "GoHub: a real-time messaging hub over WebSockets.",
        subcommands: [ServeCommand.self, CheckConfigCommand.self, TokenCommand.self, VersionCommand.self])

    static func main() async {
        do {
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let error as ConfigurationError {
            Console.fail("\(error)", code: 2)
        } catch let error as StartError {
            Console.fail("\(error)", code: 1)
        } catch {
            LoggingSetup.flush()
            exit(withError: error)
        }
        LoggingSetup.flush()
    }
}

/// `gohubd serve`: run the hub until a signal says to stop.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the hub until SIGTERM or SIGINT.",
        discussion: """
            At a signal the hub stops accepting, tells its clients when to come back, and closes them over a while; a \
            second signal ends it at once. SIGHUP reads the TLS certificate and the key files again.
            """)

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        let configuration = try DaemonConfiguration(options.values())
        LoggingSetup.bootstrap(configuration.log)
        try await Daemon(configuration).run()
    }
}

/// `gohubd check-config`: say what is in effect, or what is wrong with it.
struct CheckConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Check the configuration and the files that it names, and print it without its secrets.")

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Print a table of all keys instead.")
    var listKeys = false

    func run() async throws {
        if listKeys {
            Console.print(ConfigurationTable.markdown())
            return
        }
        let values = try options.values()
        let configuration = try DaemonConfiguration(values)
        try await Assembly.check(configuration)
        for warning in configuration.warnings { Console.printError("gohubd: warning: \(warning)\n") }
        Console.print(values.listing() + "\n")
    }
}

/// `gohubd version`: what this is, and what it runs with.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the versions of gohubd and of what it runs with.")

    func run() {
        Console.print(GoHubVersion.report + "\n")
    }
}
