import GoHubTestSupport
import Testing

@testable import GoHubRedis

struct ChannelTableTests {
    @Test(arguments: 0..<10 as Range<UInt64>)
    func tableIsADictionary(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        // Some have few hashes for many channels.
        var table = ChannelTable<Int>(hashMask: seed.isMultiple(of: 2) ? 3 : -1)
        var model: [[UInt8]: Int] = [:]
        for number in 0..<2000 {
            let channel = Array("c\(random.next() % 50)".utf8)
            switch table.find(channel) {
            case let index? where random.once(in: 2):
                table.remove(index)
                model[channel] = nil
            case let index?:
                table.update(index) { $0 = number }
                model[channel] = number
            case nil:
                _ = table.insert(channel, number)
                model[channel] = number
            }
            #expect(table.count == model.count, "seed \(seed)")
        }
        for number in 0..<50 {
            let channel = Array("c\(number)".utf8)
            let index = table.find(channel)
            #expect(index.flatMap { table[$0] } == model[channel], "seed \(seed)")
            if let index { #expect(table.channel(index) == channel) }
        }
    }
}
