internal import ArgumentParser
internal import GoHubConfiguration

/// The daemon's program: parses the command line, runs the command, and turns a failure into one sentence and an exit
/// code.
///
/// Exit codes: 0 success; 1 it couldn't start, lost its node name, or a second signal interrupted the stop; 2 invalid
/// configuration; 3 and 4 findings of `migrate --check`; 64 invalid command line.
@main
struct Gohubd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gohubd",
        abstract: "GoHub: a real-time messaging hub over WebSockets.",
        subcommands: [
            ServeCommand.self, CheckConfigCommand.self, MigrateCommand.self, TokenCommand.self, VersionCommand.self,
        ])

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

/// `gohubd serve`: runs the hub until a signal.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the hub until SIGTERM or SIGINT.",
        discussion: """
            On a signal the hub stops accepting connections, tells its clients when to reconnect, and closes them over \
            a while. A second signal stops it at once. SIGHUP reloads the TLS certificate and the key files.
            """)

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        let configuration = try DaemonConfiguration(options.values())
        LoggingSetup.bootstrap(configuration.log)
        try await Daemon(configuration).run()
    }
}

/// `gohubd check-config`: prints the effective configuration, or its errors.
struct CheckConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Check the configuration and the files it refers to, and print it without secrets.")

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

/// `gohubd version`: prints the versions of the daemon and its libraries.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the versions of gohubd and its libraries.")

    func run() {
        Console.print(GoHubVersion.report + "\n")
    }
}
