internal import CGoHubLinux
internal import Glibc
internal import GoHubCore
internal import GoHubSystem

/// One run of a helper program: it gets one open file, and says something, and is gone when this returns.
///
/// To be called on a thread that may wait, and that outlives the process: the helper asks the system to be killed when
/// the thread that started it ends.
struct HelperProcess {
    enum Outcome: Hashable {
        /// All that it wrote to its standard output.
        case output([UInt8])
        /// It wrote more than anybody asked for, and was killed.
        case tooLong
        /// It had no time left, and was killed.
        case late
        /// The hub stops; it was killed.
        case stopped
        /// The system had no process, or no pipe (errno).
        case notStarted(Int32)
    }

    /// How it ended: the signal that killed it, or else its exit code.
    enum End: Hashable {
        case signal(Int32)
        case exit(Int32)
    }

    let path: String
    let arguments: [String]
    /// The most that it may say.
    let outputBytesMax: Int

    /// - Parameters:
    ///   - input: becomes its standard input; above 2, and stays the caller's.
    ///   - stop: ends it when this descriptor has something to read, or its other end is closed.
    /// - Returns: what came of it, and how it ended, if it began.
    func run(input: Int32, deadline: MonotonicTime, stop: Int32) -> (Outcome, End?) {
        let running: Running
        do throws(SystemError) {
            running = try start(input: input)
        } catch {
            return (.notStarted(error.code), nil)
        }
        let process = running.process
        let outcome = read(running.output.rawValue, deadline: deadline, stop: stop)
        // Whatever it is doing: it has said all that it can. Its session goes with it, should it have started others.
        // Nobody else can have got its number, as long as it hasn't been waited for.
        kill(-process, SIGKILL)
        kill(process, SIGKILL)
        return (outcome, wait(for: process))
    }

    // MARK: Steps

    private struct Running: ~Copyable {
        let process: pid_t
        /// Where it says something; ends when it does.
        let output: OwnedDescriptor
    }

    private func start(input: Int32) throws(SystemError) -> Running {
        var ends: [Int32] = [-1, -1]
        // Fills in the two that the array has. Both are closed on exec.
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw SystemError("pipe2") }
        let reading = OwnedDescriptor(owning: ends[0])
        let writing = OwnedDescriptor(owning: ends[1])
        guard writing.rawValue <= STDERR_FILENO else {
            return Running(process: try spawn(input: input, output: writing.rawValue), output: reading)
        }
        // A hub that was started without standard descriptors has the pipe in their places, where the helper's own are
        // put.
        let moved = try OwnedDescriptor("fcntl") { fcntl(writing.rawValue, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) }
        return Running(process: try spawn(input: input, output: moved.rawValue), output: reading)
    }

    /// - Parameter output: above the standard descriptors. The helper has the only one when the caller has closed it, so that
    ///   its end is the output's.
    private func spawn(input: Int32, output: Int32) throws(SystemError) -> pid_t {
        // Both are plain structures that stay where they are until they are destroyed, at the end of this function.
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        // What an image can make a library say is not for the hub's log. This comes first: standard error can't be one
        // of the two below, which are above 2.
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        // All are closed on exec; this is for those that some library has forgotten.
        posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1)
        // What the hub does with signals is not the helper's.
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGPIPE, SIGTERM, SIGINT, SIGHUP] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF) | Int16(GOHUB_SPAWN_SETSID))
        // Copies that live until the call is over, which the system makes the process' own. A nil ends each list: where
        // there was no memory for a copy, the process would get less than it is to get.
        let texts = ([path] + arguments).map { strdup($0) } + [nil]
        let variables = Self.environment.map { strdup($0) } + [nil]
        defer { for text in texts + variables { free(text) } }
        guard !(texts.dropLast() + variables.dropLast()).contains(nil) else {
            throw SystemError("strdup", code: ENOMEM)
        }
        var process = pid_t()
        let code = posix_spawn(&process, path, &actions, &attributes, texts, variables)
        guard code == 0 else { throw SystemError("posix_spawn", code: code) }
        return process
    }

    /// Nothing of the hub's own, which may hold its secrets, but where the Swift libraries are, if that has to be told. A
    /// crash is to be quick, and not explained.
    private static let environment: [String] =
        ["SWIFT_BACKTRACE=enable=no"]
        + (getenv("LD_LIBRARY_PATH").map { ["LD_LIBRARY_PATH=\(String(cString: $0))"] } ?? [])

    private func read(_ output: Int32, deadline: MonotonicTime, stop: Int32) -> Outcome {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let now = MonotonicTime.now()
            guard now < deadline else { return .late }
            var waiting = [
                pollfd(fd: output, events: Int16(POLLIN), revents: 0),
                pollfd(fd: stop, events: Int16(POLLIN), revents: 0),
            ]
            // A millisecond more: not to come back just before the deadline, again and again.
            let milliseconds = (deadline.nanoseconds - now.nanoseconds) / 1_000_000 + 1
            // As many as the array has, which the system only notes in what it has seen.
            guard poll(&waiting, 2, Int32(clamping: milliseconds)) > 0 else { continue }
            if waiting[1].revents != 0 { return .stopped }
            guard waiting[0].revents != 0 else { continue }
            // No more than the buffer has, which lives for the call.
            let count = retryingInterrupts { Glibc.read(output, &buffer, buffer.count) }
            guard count > 0 else { return .output(bytes) }
            guard bytes.count + count <= outputBytesMax else { return .tooLong }
            bytes += buffer[..<count]
        }
    }

    private func wait(for process: pid_t) -> End? {
        var status: Int32 = 0
        guard retryingInterrupts({ waitpid(process, &status, 0) }) >= 0 else { return nil }
        // The lowest 7 bits are the signal, the next 8 the exit code (wait(2), as its macros read them).
        let signal = status & 0x7F
        return signal == 0 ? .exit(status >> 8 & 0xFF) : .signal(signal)
    }
}
