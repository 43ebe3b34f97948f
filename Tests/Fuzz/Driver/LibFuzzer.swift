internal import Dispatch
internal import Glibc
internal import Synchronization

/// The target that this process fuzzes, from the environment variable `FUZZ_TARGET`.
private let target: FuzzTarget = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        let names = FuzzTarget.all.map(\.name).joined(separator: " ")
        end("FUZZ_TARGET is '\(name)', and must be one of: \(names)")
    }
    return target
}()

/// libFuzzer as a library: reads the command line, and calls back with each of its inputs. The types are those of
/// `LLVMFuzzerRunDriver` in its FuzzerInterface.h, and plain C.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ check: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

@main private enum Fuzzer {
    static func main() {
        // This process' own arguments, which nothing else changes: the process does only this until it exits.
        var (count, arguments) = (CommandLine.argc, CommandLine.unsafeArgv)
        exit(runFuzzer(&count, &arguments) { check($0, $1) })
    }
}

/// Has the name that libFuzzer's own `main` would call.
@_cdecl("LLVMFuzzerTestOneInput")
public func check(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // libFuzzer's memory is valid only for the call. The check gets a copy, so no pointer to it can be kept.
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    // Tells libFuzzer not to keep the input in the corpus.
    guard bytes.count <= target.bytesMax else { return -1 }
    do {
        switch target.check {
        case .now(let check): try check(bytes)
        case .later(let check): try wait { try await check(bytes) }
        }
    } catch {
        // libFuzzer keeps the input when the process aborts.
        say("\(target.name): \(error)")
        abort()
    }
    return 0
}

/// Blocks until an asynchronous check is complete. libFuzzer's thread is not a thread of the concurrency runtime, so
/// the runtime loses none.
private func wait(_ check: @escaping @Sendable () async throws -> Void) throws {
    let result = Box()
    let done = DispatchSemaphore(value: 0)
    Task.detached {
        do {
            try await check()
        } catch {
            result.failure.withLock { $0 = error }
        }
        done.signal()
    }
    done.wait()
    if let failure = result.failure.withLock({ $0 }) { throw failure }
}

private final class Box: Sendable {
    let failure = Mutex<(any Error)?>(nil)
}

private func say(_ line: String) {
    let bytes = Array("\(line)\n".utf8)
    // Standard error. Nothing can be done if it is closed.
    _ = write(STDERR_FILENO, bytes, bytes.count)
}

private func end(_ sentence: String) -> Never {
    say("gohub-fuzz: \(sentence)")
    exit(2)
}
