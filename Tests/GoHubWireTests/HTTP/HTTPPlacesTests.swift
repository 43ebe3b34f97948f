import GoHubTestSupport
import Testing

@testable import GoHubWire

@Suite struct HTTPPlacesTests {
    private func holder(_ serial: UInt64) -> HTTPPlaces.Holder { HTTPPlaces.Holder(loop: 0, serial: serial) }

    private func granted(_ serial: UInt64) -> HTTPPlaces.Notice { .init(holder: holder(serial), kind: .granted) }

    @Test func aConnectionKeepsItsTunnelWhileNobodyNeedsIt() {
        let places = HTTPPlaces(max: 10, perAddressMax: 1, freshMax: 1_000, waitingMax: 10)
        #expect(places.take(holder(1), of: "a") == (.granted(keepsTunnel: false), []))
        let (turn, notices) = places.rest(holder(1))
        #expect(notices.isEmpty)
        #expect(places.take(holder(1), of: "a") == (.granted(keepsTunnel: true), []))
        let (second, _) = places.rest(holder(1))
        #expect(second != turn)
        // Somebody else of the address needs it.
        let lost = HTTPPlaces.Notice(holder: holder(1), kind: .tunnelLost(turn: second))
        #expect(places.take(holder(2), of: "a") == (.granted(keepsTunnel: false), [lost]))
        // And the first gets another one later.
        #expect(places.take(holder(1), of: "a").0 == .waiting)
        #expect(places.rest(holder(2)).1.contains(granted(1)))
    }

    @Test func theTunnelThatHasRestedForLongestGoesFirst() {
        let places = HTTPPlaces(max: 10, perAddressMax: 3, freshMax: 1_000, waitingMax: 10)
        var turns: [UInt64: UInt64] = [:]
        for serial in [1, 2, 3] as [UInt64] { #expect(places.take(holder(serial), of: "a").0 != .waiting) }
        for serial in [2, 3, 1] as [UInt64] { turns[serial] = places.rest(holder(serial)).turn }
        // The second is used again, and so rests anew.
        #expect(places.take(holder(2), of: "a").0 == .granted(keepsTunnel: true))
        turns[2] = places.rest(holder(2)).turn
        for (newcomer, victim) in [(4, 3), (5, 1), (6, 2)] as [(UInt64, UInt64)] {
            let lost = HTTPPlaces.Notice(holder: holder(victim), kind: .tunnelLost(turn: turns[victim] ?? 0))
            #expect(places.take(holder(newcomer), of: "a") == (.granted(keepsTunnel: false), [lost]))
        }
    }

    @Test func whenAllPlacesRestAnotherAddressGetsTheOldest() {
        let places = HTTPPlaces(max: 2, perAddressMax: 2, freshMax: 1_000, waitingMax: 10)
        _ = places.take(holder(1), of: "a")
        let (turn, _) = places.rest(holder(1))
        _ = places.take(holder(2), of: "b")
        _ = places.rest(holder(2))
        let lost = HTTPPlaces.Notice(holder: holder(1), kind: .tunnelLost(turn: turn))
        #expect(places.take(holder(3), of: "c") == (.granted(keepsTunnel: false), [lost]))
    }

    @Test func anAddressGetsNoMoreThanAreFree() {
        let places = HTTPPlaces(max: 10, perAddressMax: 10, freshMax: 1_000, waitingMax: 100)
        var count: [String: Int] = [:]
        var serial: UInt64 = 0
        for address in ["a", "b", "c", "d"] {
            for _ in 0..<10 {
                serial += 1
                if places.take(holder(serial), of: address).0 != .waiting { count[address, default: 0] += 1 }
            }
        }
        // Whoever takes all they can leaves some for the next.
        #expect(count == ["a": 5, "b": 3, "c": 1, "d": 1])
    }

    @Test func fewAreFreshAtATime() {
        let places = HTTPPlaces(max: 100, perAddressMax: 100, freshMax: 4, waitingMax: 100)
        // Of one address half of them: who comes next finds one free.
        for serial in [1, 2] as [UInt64] { #expect(places.take(holder(serial), of: "a").0 != .waiting) }
        #expect(places.take(holder(3), of: "a").0 == .waiting)
        #expect(places.take(holder(4), of: "b").0 != .waiting)
        #expect(places.take(holder(5), of: "b").0 == .waiting)
        #expect(places.take(holder(6), of: "c").0 != .waiting)
        #expect(places.take(holder(7), of: "d").0 == .waiting)
        // Whose response begins, or is complete, or who goes, lets the next one in: each address in its turn.
        #expect(places.settle(holder(1)) == [granted(7)])
        #expect(places.settle(holder(1)) == [])
        #expect(places.rest(holder(4)).1 == [granted(5)])
        #expect(places.leave(holder(2)) == [granted(3)])
        #expect(places.settle(holder(6)) == [])
        #expect(places.counts == (5, 0))
    }

    @Test func whoWaitsIsServedInTurn() {
        let places = HTTPPlaces(max: 2, perAddressMax: 1, freshMax: 1_000, waitingMax: 10)
        #expect(places.take(holder(1), of: "a").0 != .waiting)
        #expect(places.take(holder(2), of: "b").0 != .waiting)
        for (serial, address) in [(3, "a"), (4, "a"), (5, "b"), (6, "c")] as [(UInt64, String)] {
            #expect(places.take(holder(serial), of: address) == (.waiting, []))
        }
        // Within an address who came first; a newcomer doesn't go before them.
        #expect(places.rest(holder(1)).1.contains(granted(3)))
        #expect(places.take(holder(7), of: "a").0 == .waiting)
        // Among addresses each in its turn.
        #expect(places.leave(holder(3)) == [granted(6)])
        #expect(places.leave(holder(6)) == [granted(4)])
        #expect(places.leave(holder(2)) == [granted(5)])
        #expect(places.leave(holder(4)) == [granted(7)])
        #expect(places.leave(holder(5)) == [])
        #expect(places.leave(holder(7)) == [])
        #expect(places.counts == (0, 0))
    }

    @Test func whoWaitsAndLeavesIsNotServed() {
        let places = HTTPPlaces(max: 2, perAddressMax: 1, freshMax: 1_000, waitingMax: 2)
        _ = places.take(holder(1), of: "a")
        #expect(places.take(holder(2), of: "a").0 == .waiting)
        #expect(places.take(holder(3), of: "a").0 == .waiting)
        #expect(places.take(holder(4), of: "a").0 == .refused)
        #expect(places.leave(holder(2)) == [])
        #expect(places.take(holder(5), of: "a").0 == .waiting)
        #expect(places.leave(holder(1)) == [granted(3)])
    }

    @Test func theLongestRestingConnectionIsClosed() {
        let places = HTTPPlaces(max: 10, perAddressMax: 1, freshMax: 1_000, waitingMax: 10)
        #expect(places.closeLongestResting(of: "a") == nil)
        _ = places.take(holder(1), of: "a")
        #expect(places.closeLongestResting(of: "a") == nil)
        let (first, _) = places.rest(holder(1))
        // The first loses its tunnel to the second.
        _ = places.take(holder(2), of: "a")
        let (second, _) = places.rest(holder(2))
        #expect(places.closeLongestResting(of: "b") == nil)
        #expect(places.closeLongestResting(of: "a") == .init(holder: holder(1), kind: .closed(turn: first)))
        #expect(places.closeLongestResting(of: "a") == .init(holder: holder(2), kind: .closed(turn: second)))
        #expect(places.closeLongestResting(of: "a") == nil)
    }

    /// Any order of events keeps the bounds, and leaves nobody waiting who may be served.
    @Test func everyOrderKeepsTheBounds() {
        for seed in 0..<200 as Range<UInt64> {
            var numbers = SeededRandom(seed: seed)
            func random(_ count: UInt64) -> UInt64 { numbers.next() % count }
            let max = Int(random(6)) + 1
            let perAddressMax = Int(random(4)) + 1
            let freshMax = Int(random(6)) + 1
            let places = HTTPPlaces(max: max, perAddressMax: perAddressMax, freshMax: freshMax, waitingMax: 8)
            enum Standing { case away, busy, waiting, resting(UInt64, hasTunnel: Bool) }
            var standings: [UInt64: Standing] = [:]
            var fresh: Set<UInt64> = []
            func address(_ serial: UInt64) -> String { "\(serial % 3)" }
            func note(_ notices: [HTTPPlaces.Notice]) {
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
                        note(places.closeLongestResting(of: address(serial)).map { [$0] } ?? [])
                        continue
                    }
                    let (answer, notices) = places.take(holder(serial), of: address(serial))
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
                    note(places.settle(holder(serial)))
                case .busy where random(3) > 0:
                    fresh.remove(serial)
                    let (turn, notices) = places.rest(holder(serial))
                    standings[serial] = .resting(turn, hasTunnel: true)
                    note(notices)
                case .busy, .waiting:
                    standings[serial] = .away
                    fresh.remove(serial)
                    note(places.leave(holder(serial)))
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
                #expect(places.counts == (total, waiting.values.reduce(0, +)), "seed \(seed)")
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
