import CGoHubLinux
import Glibc
import GoHubCore
import GoHubStore
import GoHubTestSupport
import Testing

@testable import GoHubPreviews

/// Broken helpers, written as scripts, in place of the real one.
@Suite struct HelperFailureTests {
    /// The outcome for an image with a helper of these lines.
    private func answer(
        _ lines: String, logger: Lines = Lines(), _ change: (inout PreviewSettings) -> Void = { _ in }
    ) async throws -> Result<ImagePreview, ImagePreviewFailure> {
        let files = try ImageFiles()
        // No image waits: only the helper has a deadline here.
        let time = TestTime()
        return try await withPreviewer(
            helper: files.script(lines), logger: logger.logger, now: { time.now }, change
        ) { previewer in
            try await files.withFile([1]) { await previewer.preview(of: $0, format: .png) }
        }
    }

    @Test func hangingHelperTimesOut() async throws {
        #expect(try await answer("exec sleep 3600") { $0.deadline = 100 } == .failure(.timeout))
        // An endless answer doesn't help either.
        #expect(try await answer(#"printf '\003'; exec sleep 3600"#) { $0.deadline = 100 } == .failure(.timeout))
    }

    @Test func cpuLimitIsATimeout() async throws {
        #expect(try await answer("kill -XCPU $$") == .failure(.timeout))
    }

    @Test func helperCrashIsLogged() async throws {
        for (lines, end) in [
            ("kill -9 $$", "signal 9"), (#"printf '\001\000\000'; kill -SEGV $$"#, "signal 11"),
            ("exit 3", "exit code 3"),
            ("echo nonsense", "exit code 0"),
        ] {
            let log = Lines()
            #expect(try await answer(lines, logger: log) == .failure(.crashed))
            #expect(log.all.count == 1)
            #expect(log.all.first?.contains(end) == true, "\(log.all)")
        }
    }

    @Test func helperWithTooMuchOutputIsKilled() async throws {
        #expect(try await answer("exec cat /dev/zero") == .failure(.crashed))
    }

    @Test func helperWithClosedOutputIsKilled() async throws {
        #expect(try await answer(#"printf '\003'; exec sleep 3600 >&-"#) == .failure(.unreadable))
    }

    @Test func compromisedHelperIsNotTrusted() async throws {
        // A preview of 65,535 × 65,535 pixels.
        let lie = #"\001\000\000\377\377\000\000\377\377\001L\000\000\000\014RIFF\004\000\000\000WEBP"#
        #expect(try await answer("printf '\(lie)'") == .failure(.crashed))
        // A preview of 255 × 255 is a valid answer.
        let answer = try await answer("printf '\(lie.replacing(#"\000\000\377\377"#, with: #"\000\000\000\377"#))'")
        #expect(try answer.get().width == 255)
    }

    @Test func unconfinedHelperIsLogged() async throws {
        let log = Lines()
        #expect(try await answer(#"printf '\004'"#, logger: log) == .failure(.crashed))
        #expect(log.all.first?.contains("seccomp") == true)
    }

    @Test func missingHelperIsLogged() async throws {
        let log = Lines()
        let files = try ImageFiles()
        let time = TestTime()
        try await withPreviewer(helper: files.path("nothing"), logger: log.logger, now: { time.now }) { previewer in
            // Every ten seconds at most.
            for (passed, lines) in [(0, 1), (0, 1), (9_999, 1), (1, 2), (1, 2)] as [(Milliseconds, Int)] {
                time.advance(by: passed)
                let answer = try await files.withFile([1]) { await previewer.preview(of: $0, format: .png) }
                #expect(answer == .failure(.crashed))
                #expect(log.all.count == lines)
            }
        }
        #expect(log.all.first?.contains("could not be started") == true)
    }

    @Test func afterAFailureTheNextImageWorks() async throws {
        let files = try ImageFiles()
        // Killed in the middle of its first image, and working after that.
        let script = try files.script(
            "if [ ! -e \(files.path("seen")) ]; then : > \(files.path("seen")); kill -9 $$; fi\n"
                + "exec '\(try helperPath())' \"$@\"")
        let image = try Drawing.quarters(width: 64, height: 32).png()
        try await withPreviewer(helper: script) { previewer in
            try await files.withFile(image) { descriptor in
                #expect(await previewer.preview(of: descriptor, format: .png) == .failure(.crashed))
                let seen = try await previewer.preview(of: descriptor, format: .png).get()
                #expect(seen.width == 64)
            }
        }
    }

    // MARK: Concurrency

    @Test func fullQueueIsBusy() async throws {
        let files = try ImageFiles()
        let script = try files.script(
            "while [ ! -e \(files.path("go")) ]; do sleep 0.05; done\nexec '\(try helperPath())' \"$@\"")
        let image = try Drawing.quarters(width: 64, height: 32).png()
        let change = { (configuration: inout PreviewSettings) in
            configuration.processesMax = 1
            configuration.waitingMax = 1
        }
        try await withPreviewer(helper: script, change) { previewer in
            try await files.withFile(image) { descriptor in
                let answers = await withTaskGroup(of: Result<ImagePreview, ImagePreviewFailure>.self) { group in
                    for _ in 0..<3 {
                        group.addTask { await previewer.preview(of: descriptor, format: .png) }
                    }
                    // Neither of the other two can come first: one waits for the file, one for that.
                    var answers: [Result<ImagePreview, ImagePreviewFailure>] = []
                    if let first = await group.next() { answers.append(first) }
                    try? files.write("go", [])
                    for await answer in group { answers.append(answer) }
                    return answers
                }
                #expect(answers.first == .failure(.busy))
                #expect(answers.dropFirst().allSatisfy { (try? $0.get())?.width == 64 })
                // The slots are free again.
                let seen = try await previewer.preview(of: descriptor, format: .png).get()
                #expect(seen.width == 64)
            }
        }
    }

    /// One user's images fill all slots before another's comes: that one gets a slot next, and then every second one.
    @Test func usersTakeTurnsInTheQueue() async throws {
        let files = try ImageFiles()
        let script = try files.script(
            ": > \(files.path("runs"))\nwhile [ ! -e \(files.path("go")) ]; do sleep 0.05; done\n"
                + "head -c 1 >> \(files.path("order"))\nprintf '\\003'")
        let change = { (configuration: inout PreviewSettings) in
            configuration.processesMax = 1
            configuration.waitingMax = 4
            configuration.userWaitingMax = 4
        }
        try await withPreviewer(helper: script, change) { previewer in
            for name in ["a", "b"] { try files.write(name, Array(name.utf8)) }
            typealias Answer = (user: String, isBusy: Bool)
            await withTaskGroup(of: Answer.self) { group in
                func send(_ user: String, _ count: Int) {
                    for _ in 0..<count {
                        group.addTask {
                            let descriptor = open(files.path(user), O_RDONLY | O_CLOEXEC)
                            defer { close(descriptor) }
                            let answer = await previewer.preview(of: descriptor, format: .png, for: .named(user))
                            return (user, answer == .failure(.busy))
                        }
                    }
                }
                // One is being processed, and four wait. The sixth is refused.
                send("a", 1)
                while files.text(of: "runs") == nil { await Task.yield() }
                send("a", 5)
                #expect(await group.next().map { $0 == ("a", true) } == true)
                // Each replaces one of the other user's, until both have two. The third is refused.
                send("b", 3)
                var busy: [String: Int] = [:]
                for _ in 0..<3 {
                    guard let answer = await group.next() else { break }
                    #expect(answer.isBusy)
                    busy[answer.user, default: 0] += 1
                }
                #expect(busy == ["a": 2, "b": 1])
                try? files.write("go", [])
                for await answer in group { #expect(!answer.isBusy) }
            }
            #expect(files.text(of: "order") == "aabab")
        }
    }

    @Test func expiredImageIsNotBegun() async throws {
        let files = try ImageFiles()
        let script = try files.script(
            ": > \(files.path("runs"))\nwhile [ ! -e \(files.path("go")) ]; do sleep 0.05; done\n"
                + "exec '\(try helperPath())' \"$@\"")
        let image = try Drawing.quarters(width: 64, height: 32).png()
        let change = { (configuration: inout PreviewSettings) in
            configuration.processesMax = 1
            configuration.waitingMax = 1
        }
        let time = TestTime()
        try await withPreviewer(helper: script, now: { time.now }, change) { previewer in
            try await files.withFile(image) { descriptor in
                await withTaskGroup(of: Result<ImagePreview, ImagePreviewFailure>.self) { group in
                    for _ in 0..<3 {
                        group.addTask { await previewer.preview(of: descriptor, format: .png) }
                    }
                    // All slots are taken when the third one is refused, and one of them works.
                    let refused = await group.next()
                    #expect(refused == .failure(.busy))
                    while files.text(of: "runs") == nil { await Task.yield() }
                    time.advance(by: .seconds(120))
                    try? files.write("go", [])
                    var answers: [Result<ImagePreview, ImagePreviewFailure>] = []
                    for await answer in group { answers.append(answer) }
                    #expect(answers.filter { (try? $0.get())?.width == 64 }.count == 1)
                    #expect(answers.filter { $0 == .failure(.busy) }.count == 1)
                }
            }
        }
    }

    @Test func stopEndsHelperAndWaitingImages() async throws {
        let files = try ImageFiles()
        let script = try files.script(": > \(files.path("runs"))\nexec sleep 3600")
        try await withPreviewer(helper: script) { previewer in
            try await files.withFile([1]) { descriptor in
                await withTaskGroup(of: Result<ImagePreview, ImagePreviewFailure>.self) { group in
                    for _ in 0..<2 {
                        group.addTask { await previewer.preview(of: descriptor, format: .png) }
                    }
                    while files.text(of: "runs") == nil { await Task.yield() }
                    await previewer.shutDown()
                    for await answer in group { #expect(answer == .failure(.busy)) }
                }
                #expect(await previewer.preview(of: descriptor, format: .png) == .failure(.busy))
            }
        }
    }
}
