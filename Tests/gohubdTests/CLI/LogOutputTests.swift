import Glibc
import Testing

@testable import GoHubConfiguration
@testable import gohubd

/// The handling of log lines when their reader is slow or gone, or the disk is full.
@Suite struct LogOutputTests {
    private func makeOutput(_ descriptor: Int32, bytesMax: Int = 10_000) -> LogOutput {
        signal(SIGPIPE, SIG_IGN)
        return LogOutput(descriptor: descriptor, bytesMax: bytesMax) { "lost \($0)\n" }
    }

    private func makePipe() throws -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    /// Reads until this many lines have come, counting those reported as lost.
    private func read(_ descriptor: Int32, _ count: Int) -> (lines: [Int], lost: Int) {
        var text = ""
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            let lost = lines.compactMap { $0.hasPrefix("lost ") ? Int($0.dropFirst(5)) : nil }.reduce(0, +)
            let numbers = lines.compactMap { Int($0) }
            if numbers.count + lost >= count { return (numbers, lost) }
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 60_000) == 1 else { return (numbers, lost) }
            let more = Glibc.read(descriptor, &buffer, buffer.count)
            guard more > 0 else { return (numbers, lost) }
            text += String(decoding: buffer[..<more], as: UTF8.self)
        }
    }

    @Test func linesAreWrittenInOrder() throws {
        let (reading, writing) = try makePipe()
        let output = makeOutput(writing)
        for number in 0..<1_000 { output.write("\(number)\n") }
        output.flush()
        let (lines, lost) = read(reading, 1_000)
        #expect(lines == Array(0..<1_000))
        #expect(lost == 0)
        close(writing)
        close(reading)
    }

    @Test func stalledReaderBlocksNobodyAndLearnsLosses() throws {
        let (reading, writing) = try makePipe()
        let output = makeOutput(writing)
        // Far more than pipe and buffer hold. The test is that this ends.
        let count = 50_000
        for number in 0..<count { output.write("\(number)\n") }
        let (lines, lost) = read(reading, count)
        #expect(lost > 0)
        #expect(lines.count + lost == count)
        #expect(zip(lines, lines.dropFirst()).allSatisfy { $0 < $1 })
        // And it continues.
        output.write("50000\n")
        #expect(read(reading, 1).lines == [50_000])
        close(writing)
        close(reading)
    }

    @Test func closedReaderBlocksNobody() throws {
        let (reading, writing) = try makePipe()
        let output = makeOutput(writing)
        close(reading)
        for number in 0..<10_000 { output.write("\(number)\n") }
        output.flush()
        close(writing)
    }

    @Test func lossesAreReportedAfterFullDisk() throws {
        let (reading, writing) = try makePipe()
        let place = dup(writing)
        let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
        try #require(place >= 0 && full >= 0)
        let output = makeOutput(place)
        dup2(full, place)
        for number in 0..<5 {
            output.write("\(number)\n")
            output.flush()
        }
        dup2(writing, place)
        output.write("5\n")
        output.flush()
        let (lines, lost) = read(reading, 6)
        #expect(lines == [5])
        #expect(lost == 5)
        for descriptor in [reading, writing, place, full] { close(descriptor) }
    }

    @Test(arguments: [DaemonConfiguration.Log.Format.text, .json])
    func aLossIsALineOfTheLogsFormat(format: DaemonConfiguration.Log.Format) throws {
        let (reading, writing) = try makePipe()
        let full = open("/dev/full", O_WRONLY | O_CLOEXEC)
        let place = dup(full)
        let output = LoggingSetup.makeOutput(format, descriptor: place)
        output.write("lost\n")
        output.flush()
        dup2(writing, place)
        output.write("kept\n")
        output.flush()
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Glibc.read(reading, &buffer, buffer.count)
        let lines = String(decoding: buffer[..<max(0, count)], as: UTF8.self).split(separator: "\n")
        #expect(lines.first == "kept")
        let loss = try #require(lines.last)
        #expect(loss.contains("log lines were dropped"))
        switch format {
        case .text: #expect(loss.hasPrefix("warning gohubd: 1 log lines"))
        case .json: #expect(loss.hasPrefix(#"{"time":"#) && loss.hasSuffix(#""metadata":{"count":"1"}}"#))
        }
        for descriptor in [reading, writing, place, full] { close(descriptor) }
    }
}
