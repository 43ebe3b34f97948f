import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Nodes that judge each other for hours, while links, the database and the nodes themselves come and go.
///
/// What must hold, whatever happens:
/// - A node that everybody could hear, and that could renew its lease, for long enough, is dead for nobody.
/// - A killed node is present for nobody a while after the ears of the others work again.
/// - When everything works again, everybody is live for everybody.
struct PeerSimulationTests {
    private struct Node {
        var id: NodeID
        var registry: PeerRegistry
        var isUp = true
        var pausedUntil: UInt64 = 0
        /// Whether the node reaches the bus, and the database.
        var hasBus = true
        var hasDatabase = true
        var renewedAt: UInt64 = 0
        /// Since when it, the bus and the database have worked together.
        var steadySince: UInt64 = 0

        func runs(at second: UInt64) -> Bool { isUp && pausedUntil <= second }
    }

    private static let settled: UInt64 = 60

    @Test(arguments: 1...30 as ClosedRange<UInt64>, [true, false])
    func judgementsAreRight(seed: UInt64, hasBus: Bool) {
        var random = SeededRandom(seed: seed)
        var database = NodeRegistry(limits: ClusterLimits())
        var isDatabaseUp = true
        var nodes = (1...4).map { number in
            let id = NodeID(name: .named("n\(number)"), incarnation: .number(UInt64(number)))
            return Node(id: id, registry: PeerRegistry(own: id, limits: ClusterLimits()))
        }
        var killed: [NodeIncarnation: UInt64] = [:]
        var lives: UInt64 = 100
        var steadyEars: UInt64 = 0
        for second in 0..<(3600 as UInt64) {
            let isQuiet = second % 900 > 700
            if isQuiet, second % 900 == 701 {
                isDatabaseUp = true
                for index in nodes.indices { (nodes[index].hasBus, nodes[index].hasDatabase) = (true, true) }
            } else if !isQuiet, random.once(in: 20) {
                let index = Int(random.next() % 4)
                switch random.next() % 8 {
                case 0: isDatabaseUp.toggle()
                case 1: nodes[index].hasDatabase.toggle()
                case 2...3: nodes[index].hasBus.toggle()
                case 4: nodes[index].pausedUntil = second + 5 + random.next() % 40
                case 5:
                    if nodes[index].isUp { killed[nodes[index].id.incarnation] = second }
                    nodes[index].isUp = false
                default:
                    guard !nodes[index].isUp else { break }
                    lives += 1
                    let id = NodeID(name: nodes[index].id.name, incarnation: .number(lives))
                    nodes[index] = Node(id: id, registry: PeerRegistry(own: id, limits: ClusterLimits()))
                    nodes[index].steadySince = second
                }
            }
            let allWork = isDatabaseUp && nodes.allSatisfy { $0.hasBus && $0.hasDatabase }
            if !allWork { steadyEars = second }
            for index in nodes.indices {
                live(index, &nodes, &database, isDatabaseUp: isDatabaseUp, hasBus: hasBus, second)
            }
            check(nodes, killed, steadyEars, second, "seed \(seed), second \(second)")
        }
    }

    /// One second of a node: it ticks, speaks, renews and reads.
    private func live(
        _ index: Int, _ nodes: inout [Node], _ database: inout NodeRegistry, isDatabaseUp: Bool, hasBus: Bool,
        _ second: UInt64
    ) {
        guard nodes[index].runs(at: second) else {
            nodes[index].steadySince = second + 1
            return
        }
        let now = MonotonicTime.ms(second * 1000 + UInt64(index))
        let storeNow = StoreTime(milliseconds: Int64(second * 1000))
        var changes: [PeerChange] = []
        if hasBus {
            nodes[index].registry.linkChanged(NodeStatus(isBusHealthy: nodes[index].hasBus), now: now)
            if nodes[index].hasBus {
                for other in nodes.indices where other != index && nodes[other].hasBus && nodes[other].runs(at: second)
                {
                    nodes[other].registry.heard(nodes[index].id, now: now, into: &changes)
                }
            }
        }
        nodes[index].registry.ticked(now: now, into: &changes)
        let isDue = second >= nodes[index].renewedAt + 5 || nodes[index].registry.wantsReading
        guard isDue else { return }
        guard isDatabaseUp, nodes[index].hasDatabase else { return nodes[index].registry.registryFailed() }
        nodes[index].renewedAt = second
        switch database.renew(nodes[index].id, now: storeNow) {
        case .granted, .grantedLate: break
        // Its name's earlier life still has the lease; the next second comes.
        case .refused, .full: return nodes[index].renewedAt = second - min(second, 4)
        }
        let replaced = nodes[index].registry.registryRead(database.read(now: storeNow), now: now, into: &changes)
        #expect(replaced == nil)
    }

    private func check(
        _ nodes: [Node], _ killed: [NodeIncarnation: UInt64], _ steadyEars: UInt64, _ second: UInt64, _ comment: String
    ) {
        guard second > steadyEars + Self.settled else { return }
        for node in nodes where node.runs(at: second) && second > node.steadySince + Self.settled {
            for other in nodes where other.id != node.id && second > other.steadySince + Self.settled {
                guard other.runs(at: second) else { continue }
                #expect(node.registry.health(of: other.id.incarnation) == .live, "\(comment): \(other.id)")
            }
            for dead in node.registry.present {
                guard let killedAt = killed[dead.incarnation], second > killedAt + Self.settled else { continue }
                Issue.record("\(comment): \(dead) is present for \(node.id)")
            }
        }
    }
}
