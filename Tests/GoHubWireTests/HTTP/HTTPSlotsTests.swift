import GoHubTestSupport
import Testing

@testable import GoHubWire

@Suite struct HTTPSlotsTests {
    private func holder(_ serial: UInt64) -> HTTPSlots.Holder { HTTPSlots.Holder(loop: 0, serial: serial) }

    private func granted(_ serial: UInt64) -> HTTPSlots.Notice { .init(holder: holder(serial), kind: .granted) }

    @Test func idleConnectionKeepsTunnelWhileUnneeded() {
        let slots = HTTPSlots(max: 10, perAddressMax: 1, freshMax: 1_000, waitingMax: 10)
        #expect(slots.take(holder(1), of: "a") == (.granted(keepsTunnel: false), []))
        let (turn, notices) = slots.rest(holder(1))
        #expect(notices.isEmpty)
        #expect(slots.take(holder(1), of: "a") == (.granted(keepsTunnel: true), []))
        let (second, _) = slots.rest(holder(1))
        #expect(second != turn)
        // Another connection of the address needs it.
        let lost = HTTPSlots.Notice(holder: holder(1), kind: .tunnelLost(turn: second))
        #expect(slots.take(holder(2), of: "a") == (.granted(keepsTunnel: false), [lost]))
        // The first one gets another slot later.
        #expect(slots.take(holder(1), of: "a").0 == .waiting)
        #expect(slots.rest(holder(2)).1.contains(granted(1)))
    }

    @Test func longestIdleTunnelIsClosedFirst() {
        let slots = HTTPSlots(max: 10, perAddressMax: 3, freshMax: 1_000, waitingMax: 10)
        var turns: [UInt64: UInt64] = [:]
        for serial in [1, 2, 3] as [UInt64] { #expect(slots.take(holder(serial), of: "a").0 != .waiting) }
        for serial in [2, 3, 1] as [UInt64] { turns[serial] = slots.rest(holder(serial)).turn }
        // The second one is used again, so its idle time starts anew.
        #expect(slots.take(holder(2), of: "a").0 == .granted(keepsTunnel: true))
        turns[2] = slots.rest(holder(2)).turn
        for (newcomer, victim) in [(4, 3), (5, 1), (6, 2)] as [(UInt64, UInt64)] {
            let lost = HTTPSlots.Notice(holder: holder(victim), kind: .tunnelLost(turn: turns[victim] ?? 0))
            #expect(slots.take(holder(newcomer), of: "a") == (.granted(keepsTunnel: false), [lost]))
        }
    }

    @Test func otherAddressGetsLongestIdleSlot() {
        let slots = HTTPSlots(max: 2, perAddressMax: 2, freshMax: 1_000, waitingMax: 10)
        _ = slots.take(holder(1), of: "a")
        let (turn, _) = slots.rest(holder(1))
        _ = slots.take(holder(2), of: "b")
        _ = slots.rest(holder(2))
        let lost = HTTPSlots.Notice(holder: holder(1), kind: .tunnelLost(turn: turn))
        #expect(slots.take(holder(3), of: "c") == (.granted(keepsTunnel: false), [lost]))
    }

    @Test func addressGetsNoMoreThanFreeSlots() {
        let slots = HTTPSlots(max: 10, perAddressMax: 10, freshMax: 1_000, waitingMax: 100)
        var count: [String: Int] = [:]
        var serial: UInt64 = 0
        for address in ["a", "b", "c", "d"] {
            for _ in 0..<10 {
                serial += 1
                if slots.take(holder(serial), of: address).0 != .waiting { count[address, default: 0] += 1 }
            }
        }
        // A client that takes as many slots as it can leaves some for the next one.
        #expect(count == ["a": 5, "b": 3, "c": 1, "d": 1])
    }

    @Test func freshRequestsAreLimited() {
        let slots = HTTPSlots(max: 100, perAddressMax: 100, freshMax: 4, waitingMax: 100)
        // Each address gets half of the free slots: the next one finds one free.
        for serial in [1, 2] as [UInt64] { #expect(slots.take(holder(serial), of: "a").0 != .waiting) }
        #expect(slots.take(holder(3), of: "a").0 == .waiting)
        #expect(slots.take(holder(4), of: "b").0 != .waiting)
        #expect(slots.take(holder(5), of: "b").0 == .waiting)
        #expect(slots.take(holder(6), of: "c").0 != .waiting)
        #expect(slots.take(holder(7), of: "d").0 == .waiting)
        // A slot is passed on when a response starts or completes, or a connection ends: to each address in turn.
        #expect(slots.settle(holder(1)) == [granted(7)])
        #expect(slots.settle(holder(1)) == [])
        #expect(slots.rest(holder(4)).1 == [granted(5)])
        #expect(slots.leave(holder(2)) == [granted(3)])
        #expect(slots.settle(holder(6)) == [])
        #expect(slots.counts == (5, 0))
    }

    @Test func waitingRequestsAreServedInTurn() {
        let slots = HTTPSlots(max: 2, perAddressMax: 1, freshMax: 1_000, waitingMax: 10)
        #expect(slots.take(holder(1), of: "a").0 != .waiting)
        #expect(slots.take(holder(2), of: "b").0 != .waiting)
        for (serial, address) in [(3, "a"), (4, "a"), (5, "b"), (6, "c")] as [(UInt64, String)] {
            #expect(slots.take(holder(serial), of: address) == (.waiting, []))
        }
        // Within an address, in order of arrival: a newcomer doesn't overtake.
        #expect(slots.rest(holder(1)).1.contains(granted(3)))
        #expect(slots.take(holder(7), of: "a").0 == .waiting)
        // Among addresses each in its turn.
        #expect(slots.leave(holder(3)) == [granted(6)])
        #expect(slots.leave(holder(6)) == [granted(4)])
        #expect(slots.leave(holder(2)) == [granted(5)])
        #expect(slots.leave(holder(4)) == [granted(7)])
        #expect(slots.leave(holder(5)) == [])
        #expect(slots.leave(holder(7)) == [])
        #expect(slots.counts == (0, 0))
    }

    @Test func leftRequestIsNotServed() {
        let slots = HTTPSlots(max: 2, perAddressMax: 1, freshMax: 1_000, waitingMax: 2)
        _ = slots.take(holder(1), of: "a")
        #expect(slots.take(holder(2), of: "a").0 == .waiting)
        #expect(slots.take(holder(3), of: "a").0 == .waiting)
        #expect(slots.take(holder(4), of: "a").0 == .refused)
        #expect(slots.leave(holder(2)) == [])
        #expect(slots.take(holder(5), of: "a").0 == .waiting)
        #expect(slots.leave(holder(1)) == [granted(3)])
    }

    @Test func longestIdleConnectionIsClosed() {
        let slots = HTTPSlots(max: 10, perAddressMax: 1, freshMax: 1_000, waitingMax: 10)
        #expect(slots.closeLongestResting(of: "a") == nil)
        _ = slots.take(holder(1), of: "a")
        #expect(slots.closeLongestResting(of: "a") == nil)
        let (first, _) = slots.rest(holder(1))
        // The first loses its tunnel to the second.
        _ = slots.take(holder(2), of: "a")
        let (second, _) = slots.rest(holder(2))
        #expect(slots.closeLongestResting(of: "b") == nil)
        #expect(slots.closeLongestResting(of: "a") == .init(holder: holder(1), kind: .closed(turn: first)))
        #expect(slots.closeLongestResting(of: "a") == .init(holder: holder(2), kind: .closed(turn: second)))
        #expect(slots.closeLongestResting(of: "a") == nil)
    }

    /// Any order of events keeps the bounds, and leaves no connection waiting that could be served.
    @Test func randomOrdersKeepTheBounds() {
        for seed in 0..<200 as Range<UInt64> {
            var numbers = SeededRandom(seed: seed)
            func random(_ count: UInt64) -> UInt64 { numbers.next() % count }
            let max = Int(random(6)) + 1
            let perAddressMax = Int(random(4)) + 1
            let freshMax = Int(random(6)) + 1
            let slots = HTTPSlots(max: max, perAddressMax: perAddressMax, freshMax: freshMax, waitingMax: 8)
            enum Standing { case away, busy, waiting, resting(UInt64, hasTunnel: Bool) }
            var standings: [UInt64: Standing] = [:]
            var fresh: Set<UInt64> = []
            func address(_ serial: UInt64) -> String { "\(serial % 3)" }
            func note(_ notices: [HTTPSlots.Notice]) {
                for notice in notices {
                    let serial = notice.holder.serial
                    switch (notice.kind, standings[serial]) {
                    case (.granted, .waiting):
                        standings[serial] = .busy
                        fresh.insert(serial)
                    case (.tunnelLost(let turn), .resting(let since, hasTunnel: true)) where turn == since:
                        standings[serial] = .resting(turn, hasTunnel: false)
                    case (.closed(let turn), .resting(let since, _)) where turn == since: standings[serial] = .away
                    default: Issue.record("seed \(seed): \(notice)")
                    }
                }
            }
            for _ in 0..<300 {
                let serial = random(12)
                switch standings[serial] ?? .away {
                case .away, .resting:
                    if random(4) == 0 {
                        note(slots.closeLongestResting(of: address(serial)).map { [$0] } ?? [])
                        continue
                    }
                    let (answer, notices) = slots.take(holder(serial), of: address(serial))
                    switch answer {
                    case .granted(let keeps):
                        if case .resting(_, let hasTunnel) = standings[serial] { #expect(hasTunnel == keeps) }
                        standings[serial] = .busy
                        fresh.insert(serial)
                    case .waiting: standings[serial] = .waiting
                    case .refused: standings[serial] = .away
                    }
                    note(notices)
                case .busy where random(3) == 0:
                    fresh.remove(serial)
                    note(slots.settle(holder(serial)))
                case .busy where random(3) > 0:
                    fresh.remove(serial)
                    let (turn, notices) = slots.rest(holder(serial))
                    standings[serial] = .resting(turn, hasTunnel: true)
                    note(notices)
                case .busy, .waiting:
                    standings[serial] = .away
                    fresh.remove(serial)
                    note(slots.leave(holder(serial)))
                }
                var busy: [String: Int] = [:]
                var (tunnels, waiting) = (0, [String: Int]())
                for (serial, standing) in standings {
                    switch standing {
                    case .busy:
                        busy[address(serial), default: 0] += 1
                        tunnels += 1
                    case .resting(_, true): tunnels += 1
                    case .waiting: waiting[address(serial), default: 0] += 1
                    case .away, .resting: break
                    }
                }
                let total = busy.values.reduce(0, +)
                #expect(tunnels <= max, "seed \(seed)")
                #expect(busy.values.allSatisfy { $0 <= perAddressMax }, "seed \(seed)")
                #expect(slots.counts == (total, waiting.values.reduce(0, +)), "seed \(seed)")
                #expect(fresh.count <= freshMax, "seed \(seed)")
                for name in waiting.keys {
                    let hasAll = busy[name, default: 0] >= min(perAddressMax, max - total)
                    let freshCount = fresh.count { address($0) == name }
                    #expect(hasAll || freshCount >= freshMax - fresh.count, "seed \(seed)")
                }
            }
        }
    }
}
