import Glibc
import Testing

@testable import GoHubWire

@Suite struct MailboxTests {
    private func isReadable(_ descriptor: Int32, timeoutMs: Int32 = 0) -> Bool {
        var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, timeoutMs) == 1
    }

    @Test func messagesKeepTheirOrderAndWakeOnce() throws {
        let mailbox = try Mailbox<Int>()
        #expect(!isReadable(mailbox.descriptor))
        #expect(mailbox.put([1, 2]))
        #expect(mailbox.put([3]))
        #expect(isReadable(mailbox.descriptor))
        #expect(mailbox.fetch() == [1, 2, 3])
        #expect(!isReadable(mailbox.descriptor))
        #expect(mailbox.fetch().isEmpty)
        mailbox.put([4])
        #expect(isReadable(mailbox.descriptor))
    }

    @Test func aClosedMailboxTakesNothingAndGivesBackWhatItHolds() throws {
        let mailbox = try Mailbox<Int>()
        mailbox.put([1])
        #expect(mailbox.close() == [1])
        #expect(!mailbox.put([2]))
        #expect(mailbox.fetch().isEmpty)
    }

    /// With real threads, since tasks may come one after the other.
    @Test func manyThreadsLoseNothing() throws {
        let mailbox = try Mailbox<(sender: Int, number: Int)>()
        let (senders, count) = (8, 5_000)
        var threads: [LoopThread] = []
        for sender in 0..<senders {
            threads.append(
                try LoopThread(name: "sender-\(sender)") {
                    var number = 0
                    while number < count {
                        let batch = (number..<min(number + 7, count)).map { (sender: sender, number: $0) }
                        mailbox.put(batch)
                        number += batch.count
                    }
                })
        }
        var next = [Int](repeating: 0, count: senders)
        var received = 0
        while received < senders * count {
            // A wake-up that is lost would end this wait.
            guard isReadable(mailbox.descriptor, timeoutMs: 20_000) else {
                Issue.record("asleep with \(received) of \(senders * count) messages")
                break
            }
            for (sender, number) in mailbox.fetch() {
                #expect(number == next[sender])
                next[sender] = number + 1
                received += 1
            }
        }
        for thread in threads { thread.join() }
        #expect(mailbox.fetch().isEmpty)
    }

    @Test func aHandoffGivesItsValueToExactlyOne() throws {
        for _ in 0..<500 {
            let handoff = Handoff<Int>()
            let late = Mailbox<Int>.makeForTest()
            let thread = try LoopThread(name: "filler") {
                if !handoff.fill(7) { late?.put([7]) }
            }
            let early = handoff.takeOrDetach()
            thread.join()
            let fetched = late?.fetch() ?? []
            #expect((early == 7) != (fetched == [7]))
        }
    }
}

extension Mailbox {
    fileprivate static func makeForTest() -> Mailbox? { try? Mailbox() }
}
