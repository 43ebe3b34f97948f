import Testing

/// The simulation's checks find what they are for: each is shown a bug that it must report.
struct PlantedBugTests {
    private static let seeds: Range<UInt64> = 0..<400

    @Test(arguments: PlantedBug.allCases) func plantedBugIsReported(_ bug: PlantedBug) async {
        for seed in Self.seeds {
            var run = SimulationRun(seed: seed, hubCount: bug.hubCount, planted: bug)
            if let violation = run.run() {
                #expect(bug.breaks.contains(violation.invariant), "seed \(seed): \(violation)")
                return
            }
            await Task.yield()
        }
        Issue.record("no run of the seeds \(Self.seeds) has reported the bug")
    }

    @Test func everyInvariantHasPlantedBug() {
        for invariant in Invariant.allCases {
            #expect(PlantedBug.allCases.contains { $0.breaks == [invariant] }, "\(invariant)")
        }
    }
}
