import Glibc
import GoHubCore
import GoHubStore
import GoHubTestSupport
import Testing

/// The state after a killed process, and after a failing disk. Each test runs in a process of its own.
struct SQLiteCrashTests {
    /// Where a child and its parent meet. A child can't be given arguments, but knows its parent.
    private static func meetingPoint(_ name: String, parent: pid_t) -> String { "/tmp/gohub-store-\(name)-\(parent)" }

    private static let crashRoom = RoomID(tenant: .standard, name: .named("crash"))

    private static func draft(_ id: Int, _ bytes: Int = 20) -> MessageDraft {
        MessageDraft(
            room: crashRoom, id: .named("\(id)"), from: Member(user: .alice), receivedAt: .now(),
            text: String(repeating: "x", count: bytes))
    }

    @Test func nothingAcknowledgedIsLostWhenTheProcessIsKilled() async throws {
        let directory = try TemporaryDirectory(at: Self.meetingPoint("kill", parent: getpid()))
        await #expect(processExitsWith: .signal(SIGKILL)) {
            let path = SQLiteCrashTests.meetingPoint("kill", parent: getppid())
            let store = try SQLiteMessageStore(path: "\(path)/hub.sqlite")
            let acknowledged = open("\(path)/acknowledged", O_WRONLY | O_CREAT | O_APPEND, 0o600)
            // Far more than are stored before the kill, so that it comes in the middle.
            for id in 1...10_000 {
                store.append([SQLiteCrashTests.draft(id)]) { outcomes in
                    guard let offset = outcomes.first?.offset else { return }
                    let line = Array("\(id) \(offset)\n".utf8)
                    _ = write(acknowledged, line, line.count)
                    if id >= 500 { kill(getpid(), SIGKILL) }
                }
            }
            // The completion kills the process.
            await store.close()
        }
        let lines = String(decoding: try TemporaryDirectory.contents(directory.file("acknowledged")), as: UTF8.self)
            .split(separator: "\n").map { $0.split(separator: " ").compactMap { UInt64($0) } }
        #expect(lines.count >= 500)
        let store = try SQLiteMessageStore(path: directory.file("hub.sqlite"))
        let request = HistoryRequest(
            room: Self.crashRoom, range: .after(0), messagesMax: 20_000, bytesMax: 10_000_000)
        let page = try await store.read(request).get()
        #expect(page.messages.map(\.offset) == (1...UInt64(max(1, page.messages.count))).map { $0 })
        #expect(page.head.offset == UInt64(page.messages.count))
        #expect(Set(page.messages.map(\.id)).count == page.messages.count)
        let kept = Dictionary(uniqueKeysWithValues: page.messages.map { ($0.id.value, $0.offset) })
        for line in lines { #expect(kept["\(line[0])"] == line[1]) }
        // A client that repeats all of them duplicates none.
        let again = await store.append((1...10_000).map { Self.draft($0) })
        #expect(again.compactMap(\.offset).count == 10_000)
        for message in page.messages {
            guard let id = Int(message.id.value) else { continue }
            #expect(again[id - 1].offset == message.offset && again[id - 1].isDuplicate)
        }
        await store.close()
    }

    @Test func fullDiskFailsAppendsUntilSpaceIsFree() async throws {
        let directory = try TemporaryDirectory(at: Self.meetingPoint("full", parent: getpid()))
        await #expect(processExitsWith: .success) {
            let path = SQLiteCrashTests.meetingPoint("full", parent: getppid())
            signal(SIGXFSZ, SIG_IGN)
            let store = try SQLiteMessageStore(path: "\(path)/hub.sqlite")
            let before = await store.append([SQLiteCrashTests.draft(1)])
            try #require(before.map(\.offset) == [1])
            // From here on no file of this process can grow beyond 256 KiB.
            var limit = rlimit()
            try #require(getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            let unlimited = limit.rlim_cur
            limit.rlim_cur = 256 * 1024
            try #require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            var id = 1
            var stored = 1
            var failed = 0
            while failed < 3, id < 1000 {
                id += 1
                let outcome = await store.append([SQLiteCrashTests.draft(id, 8000)])
                if outcome.first?.position == nil { failed += 1 } else { stored += 1 }
            }
            try #require(failed == 3)
            limit.rlim_cur = unlimited
            try #require(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            let after = await store.append([SQLiteCrashTests.draft(id)])
            try #require(!after[0].isDuplicate)
            try #require(after[0].offset == UInt64(stored) + 1)
            let request = HistoryRequest(
                room: SQLiteCrashTests.crashRoom, range: .after(0), messagesMax: 2000, bytesMax: 100_000_000)
            let page = try await store.read(request).get()
            try #require(page.messages.map(\.offset) == (1...UInt64(stored + 1)).map { $0 })
            await store.close()
        }
        withExtendedLifetime(directory) {}
    }
}
