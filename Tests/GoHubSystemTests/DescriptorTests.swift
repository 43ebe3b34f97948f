import Glibc
import GoHubSystem
import Synchronization
import Testing

@Suite struct DescriptorTests {
    /// Whether the pipe with this reading end has a writer.
    private func hasWriter(_ reading: Int32) -> Bool {
        var waiting = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, 0) == 0
    }

    private func makePipe() throws -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    @Test func aDescriptorIsClosedAtTheEndOfItsOwner() throws {
        let (reading, writing) = try makePipe()
        defer { close(reading) }
        do {
            let owned = OwnedDescriptor(owning: writing)
            #expect(owned.rawValue == writing)
            #expect(hasWriter(reading))
        }
        #expect(!hasWriter(reading))
    }

    @Test func aReleasedDescriptorStaysOpen() throws {
        let (reading, writing) = try makePipe()
        defer { close(reading) }
        do {
            let owned = OwnedDescriptor(owning: writing)
            #expect(owned.release() == writing)
        }
        #expect(hasWriter(reading))
        close(writing)
    }

    @Test func aCallThatFailsIsAnErrorWithItsCode() {
        do throws(SystemError) {
            _ = try OwnedDescriptor("open") { open("/nowhere/at all", O_RDONLY | O_CLOEXEC) }
            Issue.record("there is such a file")
        } catch {
            #expect(error == SystemError("open", code: ENOENT))
            #expect("\(error)" == "open: No such file or directory")
        }
    }

    @Test func aCallThatWasInterruptedIsRepeated() {
        var calls = 0
        let result = retryingInterrupts { () -> Int in
            calls += 1
            errno = EINTR
            return calls < 3 ? -1 : 7
        }
        #expect(result == 7 && calls == 3)
        let failed = retryingInterrupts { () -> Int32 in
            errno = EIO
            return -1
        }
        #expect(failed == -1 && errno == EIO)
    }

    @Test func errorsAreTheSystemsWords() {
        #expect(systemErrorText(EACCES) == "Permission denied")
        #expect(systemErrorText(99_999).contains("99999"))
    }

    // MARK: Wake-ups

    @Test func aSignalBeforeTheWaitEndsIt() throws {
        let wakeup = try WakeupDescriptor()
        wakeup.signal()
        wakeup.signal()
        // One of these would block for a day.
        #expect(!wakeup.wait(milliseconds: 86_400_000))
        // One wait resets both signals.
        var waiting = pollfd(fd: wakeup.rawValue, events: Int16(POLLIN), revents: 0)
        #expect(poll(&waiting, 1, 0) == 0)
    }

    @Test func aSignalOfAnotherThreadEndsTheWait() throws {
        let wakeup = try WakeupDescriptor()
        let thread = try SystemThread(name: "signals") { wakeup.signal() }
        wakeup.wait(milliseconds: 86_400_000)
        thread.join()
    }

    @Test func aWaitIsForAnotherDescriptorToo() throws {
        let wakeup = try WakeupDescriptor()
        let (reading, writing) = try makePipe()
        defer { for end in [reading, writing] { close(end) } }
        #expect(!wakeup.wait(milliseconds: 0, or: reading, events: POLLIN))
        #expect(wakeup.wait(milliseconds: 86_400_000, or: writing, events: POLLOUT))
    }

    // MARK: Threads

    @Test func aValueIsHandedToAThreadOnce() throws {
        final class Counter {
            var count = 0
        }
        let handover = Handover(Counter())
        let done = try WakeupDescriptor()
        let thread = try SystemThread(name: "takes it") {
            if let counter = handover.take() { counter.count += 1 }
            if handover.take() == nil { done.signal() }
        }
        done.wait(milliseconds: 60_000)
        thread.join()
        #expect(handover.take() == nil)
    }

    /// It would kill the process.
    @Test func aThreadGetsNoSIGPIPE() throws {
        let (reading, writing) = try makePipe()
        close(reading)
        defer { close(writing) }
        let isRefused = Atomic(false)
        let thread = try SystemThread(name: "writes") {
            if !writeEverything([1], to: writing), errno == EPIPE { isRefused.store(true, ordering: .releasing) }
        }
        thread.join()
        let wasRefused = isRefused.load(ordering: .acquiring)
        #expect(wasRefused)
    }
}
