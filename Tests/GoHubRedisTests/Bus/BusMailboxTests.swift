import Testing

@testable import GoHubCore
@testable import GoHubRedis

struct BusMailboxTests {
    private let mailbox: BusMailbox

    init() throws {
        // Two messages of 160 bytes.
        mailbox = try BusMailbox(bytesMax: 400)
    }

    private func publish(_ number: UInt64, for link: UInt64? = nil) {
        mailbox.put(.publish(.bye, to: .all, number: number, at: HybridTime(value: 1)), for: link)
    }

    private func numbers(_ contents: BusMailbox.Contents) -> [UInt64] {
        contents.requests.compactMap { if case .publish(_, _, let number, _) = $0 { number } else { nil } }
    }

    @Test func nothingIsKeptWithoutALink() {
        publish(1)
        #expect(mailbox.fetch().requests.isEmpty)
        mailbox.open()
        publish(2)
        mailbox.close()
        publish(3)
        #expect(mailbox.fetch().requests.isEmpty)
    }

    @Test func linksAreCountedAndRequestsForEarlierOnesDropped() {
        mailbox.open()
        #expect(mailbox.link == 1)
        publish(1)
        mailbox.close()
        #expect(mailbox.link == 1)
        mailbox.open()
        #expect(mailbox.link == 2)
        publish(2, for: 1)
        publish(3, for: 2)
        publish(4)
        #expect(numbers(mailbox.fetch()) == [3, 4])
    }

    @Test func overflowDropsEverythingUntilTheNextLink() {
        mailbox.open()
        for number in 1...3 as ClosedRange<UInt64> { publish(number) }
        publish(4)
        #expect(!mailbox.sleep())
        let contents = mailbox.fetch()
        #expect(contents.isOverflown && contents.requests.isEmpty)
        #expect(!mailbox.fetch().isOverflown)
        mailbox.open()
        publish(5)
        #expect(numbers(mailbox.fetch()) == [5])
    }

    @Test func fetchedMessagesMakeRoomAndTopicsNeedNone() {
        mailbox.open()
        for number in 1...10 as ClosedRange<UInt64> {
            publish(number)
            mailbox.put(.subscribe(Array(repeating: .all, count: 1_000)))
            let contents = mailbox.fetch()
            #expect(numbers(contents) == [number] && contents.requests.count == 2 && !contents.isOverflown)
        }
    }

    @Test func sleeperIsWokenByTheFirstRequestOnly() {
        mailbox.open()
        #expect(mailbox.sleep())
        publish(1)
        #expect(!mailbox.sleep())
        #expect(numbers(mailbox.fetch()) == [1])
        #expect(mailbox.sleep())
    }

    @Test func stopIsSeenAfterTheRequestsBeforeIt() {
        mailbox.open()
        publish(1)
        #expect(!mailbox.isStopping)
        mailbox.stop()
        #expect(mailbox.isStopping)
        let contents = mailbox.fetch()
        #expect(numbers(contents) == [1] && contents.isStopping)
    }
}
