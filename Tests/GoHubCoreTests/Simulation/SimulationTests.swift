import Foundation
import GoHubTestSupport
import Testing

@testable import GoHubCore

/// Many random runs of whole hubs, with all faults of a network, a store, its clients and the hubs themselves.
///
/// A failure prints its seed: `GOHUB_SIMULATION_SEEDS=1234..<1235` repeats that run step by step.
/// A plain number runs this many seeds, starting at 0.
struct SimulationTests {
    private static let seeds = seeds(otherwise: 140)
    /// With those of one hub more than a million steps.
    private static let clusterSeeds = seeds(otherwise: 400)

    private static func seeds(otherwise count: UInt64) -> Range<UInt64> {
        guard let told = ProcessInfo.processInfo.environment["GOHUB_SIMULATION_SEEDS"] else { return 0..<count }
        let ends = told.components(separatedBy: "..<").compactMap { UInt64($0) }
        guard let last = ends.last, let first = ends.count == 2 ? ends.first : 0, first < last else { return 0..<count }
        return first..<last
    }

    @Test func everySimulationKeepsInvariants() async {
        await simulate(Self.seeds, hubCount: 1)
    }

    /// Several hubs on one store and one bus.
    @Test(arguments: [2, 3]) func hubsOnBusKeepInvariants(hubCount: Int) async {
        await simulate(Self.clusterSeeds, hubCount: hubCount, hasBus: true)
    }

    /// Several hubs on one store, with nothing but the store between them, and clients that move between the hubs.
    @Test(arguments: [2, 3]) func hubsOnOneStoreKeepInvariants(hubCount: Int) async {
        await simulate(Self.clusterSeeds, hubCount: hubCount)
    }

    private func simulate(_ seeds: Range<UInt64>, hubCount: Int, hasBus: Bool = false) async {
        var seen = SimulationSeen()
        for seed in seeds {
            var run = SimulationRun(seed: seed, hubCount: hubCount, hasBus: hasBus)
            if let violation = run.run() {
                Issue.record("seed \(seed), hubs \(hubCount)\(hasBus ? ", bus" : ""): \(violation)")
                return
            }
            seen.add(run.seen)
            // Lets other tests run.
            await Task.yield()
        }
        // The promises must hold because they were exercised, not because nothing happened.
        guard seeds.count >= 100 else { return }
        for (what, count) in seen.counts {
            if hubCount == 1, SimulationSeen.ofSeveral.contains(what) { continue }
            if !hasBus, SimulationSeen.ofBus.contains(what) { continue }
            #expect(count > 0, "\(what) never happened")
        }
        #expect(seen.steps >= seeds.count * SimulationRun.steps * 4 / 5)
    }

    /// A seed is of use only if it repeats its run.
    @Test(arguments: [1, 2, 3]) func seedRepeatsItsRun(hubCount: Int) {
        for seed in 0..<UInt64(4) {
            var (first, second) = (
                SimulationRun(seed: seed, hubCount: hubCount), SimulationRun(seed: seed, hubCount: hubCount)
            )
            #expect(first.run() == nil)
            #expect(second.run() == nil)
            #expect(first.fingerprint == second.fingerprint, "seed \(seed)")
            #expect(first.seen == second.seen, "seed \(seed)")
        }
    }
}
