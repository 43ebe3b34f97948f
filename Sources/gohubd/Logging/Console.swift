internal import Glibc
internal import GoHubSystem

/// The process's two outputs; writes are complete.
enum Console {
    static func print(_ text: String) {
        write(text, to: STDOUT_FILENO)
    }

    static func printError(_ text: String) {
        write(text, to: STDERR_FILENO)
    }

    /// Prints the reason and ends the process.
    static func fail(_ reason: String, code: Int32) -> Never {
        LoggingSetup.flush()
        printError(reason.split(separator: "\n").map { "gohubd: \($0)\n" }.joined())
        exit(code)
    }

    private static func write(_ text: String, to descriptor: Int32) {
        writeEverything(Array(text.utf8), to: descriptor)
    }
}
