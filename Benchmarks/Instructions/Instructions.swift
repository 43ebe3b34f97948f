import Dispatch
import Glibc

/// Runs one operation of the hub's own code a number of times, for callgrind to count the instructions:
///
///     gohub-instructions CASE TIMES
///     gohub-instructions --list
///
/// The cost of an operation is the difference between the counts of two runs, divided by the difference of their TIMES.
/// So the start of the program cancels out. `instructions.py` measures every case in this way.
@main
struct Instructions {
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if arguments == ["--list"] {
            for name in Case.allCases { print(name.rawValue) }
            return
        }
        guard arguments.count == 2, let chosen = Case(rawValue: arguments[0]), let times = Int(arguments[1]),
            (0...Case.timesMax).contains(times)
        else {
            print("usage: gohub-instructions CASE TIMES, or --list; at most \(Case.timesMax) times")
            exit(2)
        }
        // Not an `async` main: its thread ends in a system call in which valgrind 3.19 crashes. All work is on one
        // thread of the executor: a hop from the main thread and back would be counted with each operation.
        let done = DispatchSemaphore(value: 0)
        Task.detached {
            do {
                try await chosen.run(times)
            } catch {
                print("gohub-instructions: \(chosen.rawValue): \(error)")
                exit(1)
            }
            done.signal()
        }
        done.wait()
    }
}

/// The reason why a case has no figure.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// One kind of operation.
enum Case: String, CaseIterable, Sendable {
    /// A `send` command with 128 bytes of text, from JSON.
    case decode
    /// The same with 32 characters that JSON escapes, and 32 that have three bytes in UTF-8.
    case decodeEscaped = "decode-escaped"
    /// A message through limits, session, hub, store, encoder and write pumps, acknowledgement included.
    case message1 = "message-1"
    case message1000 = "message-1000"
    /// A join of a room with 10 members and 50 messages, then a leave.
    case joinLeave = "join-leave"
    /// The verification of an HS256 token.
    case token
    /// A message over a socket of a whole server, frames included.
    case wire1 = "wire-1"
    case wire100 = "wire-100"
    /// A message of 8,000 bytes.
    case wireLarge = "wire-large"
    /// A connection, its upgrade and its close.
    case handshake

    /// The state that is prepared before the first operation, so that the preparation isn't counted.
    static let timesMax = 2_000

    func run(_ times: Int) async throws {
        switch self {
        case .decode: try decodes(times, text: String(repeating: "x", count: 128))
        case .decodeEscaped: try decodes(times, text: String(repeating: "x\\n€", count: 32))
        case .message1: try await messages(times, members: 1)
        case .message1000: try await messages(times, members: 1_000)
        case .joinLeave: try await joinsAndLeaves(times)
        case .token: try await verifiesToken(times)
        case .wire1: try await wireMessages(times, members: 1, textBytes: 128)
        case .wire100: try await wireMessages(times, members: 100, textBytes: 128)
        case .wireLarge: try await wireMessages(times, members: 1, textBytes: 8_000)
        case .handshake: try await handshakes(times)
        }
    }
}
