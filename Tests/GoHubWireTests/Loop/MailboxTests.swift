import GoHubCore
import GoHubSystem
import Testing

@testable import GoHubWire

@Suite struct MailboxTests {
    /// Waits as a loop does.
    private final class Sleeper {
        private let poller: EpollPoller

        init(_ descriptor: Int32) throws {
            poller = try EpollPoller()
            try poller.add(descriptor, token: 1, [.read, .edge])
        }

        /// - Returns: whether it was woken in time.
        func wait(timeout: Milliseconds = 0) -> Bool {
            var isWoken = false
            poller.wait(timeout: timeout) { _ in isWoken = true }
            return isWoken
        }
    }

    @Test func onlySleepingLoopIsWokenOnce() throws {
        let mailbox = try Mailbox<Int>()
        let sleeper = try Sleeper(mailbox.descriptor)
        #expect(mailbox.put([1, 2]))
        #expect(!sleeper.wait(), "it has not said that it sleeps")
        #expect(!mailbox.sleep(), "there is something to fetch")
        #expect(mailbox.fetch() == [1, 2])

        #expect(mailbox.sleep())
        #expect(!sleeper.wait())
        #expect(mailbox.put([3]))
        #expect(mailbox.put([4]))
        #expect(sleeper.wait())
        #expect(!sleeper.wait(), "told once")
        #expect(mailbox.fetch() == [3, 4])

        // Each wait gets its own wake-up, although the first wasn't read.
        #expect(mailbox.sleep())
        mailbox.put([5])
        #expect(sleeper.wait())
        #expect(mailbox.fetch() == [5])
        #expect(mailbox.fetch().isEmpty)
    }

    @Test func closedMailboxReturnsItsContents() throws {
        let mailbox = try Mailbox<Int>()
        mailbox.put([1])
        #expect(mailbox.close() == [1])
        #expect(!mailbox.put([2]))
        #expect(mailbox.fetch().isEmpty)
    }

    /// With real threads, since tasks may run one after the other.
    @Test func manyThreadsLoseNothing() throws {
        let mailbox = try Mailbox<(sender: Int, number: Int)>()
        let (senders, count) = (8, 5_000)
        var threads: [SystemThread] = []
        for sender in 0..<senders {
            threads.append(
                try SystemThread(name: "sender-\(sender)") {
                    var number = 0
                    while number < count {
                        let batch = (number..<min(number + 7, count)).map { (sender: sender, number: $0) }
                        mailbox.put(batch)
                        number += batch.count
                    }
                })
        }
        let sleeper = try Sleeper(mailbox.descriptor)
        var next = [Int](repeating: 0, count: senders)
        var received = 0
        while received < senders * count {
            // A lost wake-up would end this wait by its timeout.
            guard !mailbox.sleep() || sleeper.wait(timeout: 60_000) else {
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
}
